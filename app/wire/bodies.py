"""Checking JSON bodies against a JSON Schema: every fault at once, each with its path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from app.modules.faults import near_miss
from app.wire.errors import Refusal, sentence

_MOST_UNKNOWN = 20  # unknown keys that are told


@dataclass(frozen=True, kw_only=True)
class BodyFault:
    """What is wrong with one member of a body."""

    path: str
    message: str


def schema(*, required: tuple[str, ...] = (), **members: dict[str, Any]) -> Draft202012Validator:
    """A checker of objects with these members and no others."""
    described = {"type": "object", "properties": members, "required": list(required), "additionalProperties": False}
    Draft202012Validator.check_schema(described)
    return Draft202012Validator(described)


def checked(value: Any, checker: Draft202012Validator) -> dict[str, Any]:
    """The body, if it is what the checker describes; raises `Refusal` 422 with every fault."""
    found = sorted(checker.iter_errors(value), key=lambda error: [str(part) for part in error.absolute_path])
    faults = [fault for error in found for fault in _told(error)]
    if faults:
        raise Refusal(422, sentence(faults), faults=faults)
    return value


def _told(error: ValidationError) -> Iterator[BodyFault]:
    """The faults behind an error, each at the member that it is about."""
    path = [str(part) for part in error.absolute_path]
    schema: Any = error.schema
    given: Any = error.instance
    if error.validator == "additionalProperties":
        known = schema["properties"]
        for name in [str(name)[:80] for name in given if name not in known][:_MOST_UNKNOWN]:
            hint = near_miss(name, known) or f"; there are {', '.join(known)}"
            yield BodyFault(path=".".join([*path, name]), message=f"unknown key {name!r}{hint}")
    elif error.validator == "required":  # an error for each that is missing
        missing = next(name for name in schema["required"] if error.message.startswith(repr(name)))
        yield BodyFault(path=".".join([*path, missing]), message="is missing")
    else:
        message = error.message if len(error.message) <= 300 else f"{error.message[:300]}…"
        yield BodyFault(path=".".join(path), message=message)
