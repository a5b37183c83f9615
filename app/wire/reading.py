"""Reading what a request brings, so that anything unreadable is a 4xx that says what to do."""

from __future__ import annotations

import json
import re
from typing import Any

from django.http import HttpRequest

from app.wire.errors import Refusal

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)  # fits a database's 64 bits
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # NUL and lone surrogates: no database and no UTF-8 takes them


def identifier(text: str, *, what: str) -> int:
    """The number that a path names something by.

    Raises `Refusal` 404: what is no number names nothing.
    """
    if NUMBER.fullmatch(text):
        return int(text)
    raise Refusal(404, f"There is no {what} {text[:80]!r}; it takes the number of one.")


def whole(text: str, *, path: str, least: int = 0, most: int = 10**18) -> int:
    """A whole number of a query; raises `Refusal` 400 naming the parameter."""
    if NUMBER.fullmatch(text) and least <= int(text) <= most:
        return int(text)
    raise Refusal(400, f"{path} must be a whole number from {least} to {most}, not {text[:80]!r}.")


def json_value(data: bytes) -> Any:
    """The value of a JSON text in UTF-8; raises `Refusal` 400 saying where it is wrong."""

    def no_constant(name: str) -> Any:
        raise ValueError(f"{name} is no JSON")

    try:
        value = json.loads(data.decode("utf-8"), parse_constant=no_constant)
        storable(value)
    except RecursionError:
        raise Refusal(400, "The body is JSON nested too deeply.") from None
    except ValueError as error:
        raise Refusal(400, f"The body is not JSON in UTF-8: {error}.") from None
    return value


def storable(value: Any) -> None:
    """Raise `ValueError` if there is a character in any text of a JSON value that cannot be stored."""
    match value:
        case str() if UNSTORABLE.search(value):
            raise ValueError("a text holds a NUL or half a surrogate pair")
        case dict():
            for name, member in value.items():
                storable(name)
                storable(member)
        case list():
            for member in value:
                storable(member)


def parameters(request: HttpRequest) -> dict[str, Any]:
    """The parameters of a request: those of the query and those of a form's or a JSON object's.

    Values are texts, but for JSON's. Raises `Refusal` 400 (unreadable, given twice), 415 (another media type).
    """
    given: dict[str, Any] = {}
    pairs = [(name, value) for name, values in request.GET.lists() for value in values]
    for name, value in [*pairs, *_of_body(request)]:
        if UNSTORABLE.search(name) or (isinstance(value, str) and UNSTORABLE.search(value)):
            raise Refusal(400, f"{name[:80]!r} holds a character that cannot be stored (NUL).")
        if name in given:
            raise Refusal(400, f"{name[:80]} is given more than once; give it once.")
        given[name] = value
    return given


def measured(request: HttpRequest) -> None:
    """Raise `Refusal` 411 for a body of unknown length: the server would read it as empty."""
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        raise Refusal(411, "A body is read here only with its Content-Length; do not send it chunked.")


def _of_body(request: HttpRequest) -> list[tuple[str, Any]]:
    measured(request)
    if request.method != "POST" or request.META.get("CONTENT_LENGTH", "") in {"", "0"}:
        return []
    if request.content_type in FORMS:
        return [(name, value) for name, values in request.POST.lists() for value in values]
    if request.content_type != "application/json":
        raise Refusal(415, f"A body of type {request.content_type[:80]!r} is not read here; send a form or JSON.")
    value = json_value(request.body)
    if not isinstance(value, dict):
        raise Refusal(400, "The body must be a JSON object: names with values.")
    return list(value.items())
