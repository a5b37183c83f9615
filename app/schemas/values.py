"""Values of a schema's arguments: from what people and programs give to the text that Argo wants, and checked."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from app.engines.protocol import Fault
from app.schemas.faults import BadArguments

TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a JSON object",
    "array": "a JSON list",
}
LONGEST = 128 * 1024  # characters of one value; a word of a Linux command line has no more bytes
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}", re.ASCII)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_PYTHON = {"object": dict, "array": list}


def convert(text: str, type_: str) -> Any:
    """The value that a text stands for. Raises ValueError with a sentence for people."""
    value = text.strip()
    if type_ == "string":
        return text
    if type_ == "integer" and _INTEGER.fullmatch(value):
        return int(value)
    if type_ == "boolean" and value in ("true", "false"):
        return value == "true"
    if type_ in ("number", *_PYTHON):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            found = None
        finite = not isinstance(found, float) or math.isfinite(found)
        if isinstance(found, _PYTHON.get(type_, (int, float))) and not isinstance(found, bool) and finite:
            return found
    raise ValueError(f"{shorten(text)} is not {TYPES[type_]}")


def as_text(value: Any) -> str:
    """A value as Argo has it in a parameter: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def check(inputs: Mapping[str, Any], given: Mapping[str, Any], *, files: frozenset[str]) -> dict[str, Any]:
    """The arguments to run with: every parameter as text, with defaults; `files` names inputs that are artifacts.

    An artifact is the content's text or {"artifact": number}. Raises `BadArguments` with every fault.
    """
    properties: Mapping[str, Any] = inputs["properties"]
    faults = [Fault(path=shorten(name, 60, quote=False), message=_unknown(name, properties)) for name in given
              if name not in properties]  # fmt: skip
    values: dict[str, Any] = {}
    for name, declared in properties.items():
        if name not in given:
            if "default" in declared:
                values[name] = as_text(declared["default"])
            elif name in inputs["required"]:
                faults.append(Fault(path=name, message="needs a value"))
            continue
        try:
            values[name] = _file(given[name], declared) if name in files else _parameter(given[name], declared)
        except ValueError as error:
            faults.append(Fault(path=name, message=str(error)))
    if faults:
        raise BadArguments(faults)
    return values


def _parameter(value: Any, declared: Mapping[str, Any]) -> str:
    checked = convert(value, declared["type"]) if isinstance(value, str) else value
    if wrong := next(Draft202012Validator(dict(declared)).iter_errors(checked), None):
        raise ValueError(_sentence(wrong, declared))
    return _storable(as_text(value))


def _file(value: Any, declared: Mapping[str, Any]) -> Any:
    if not Draft202012Validator(dict(declared)).is_valid(value):
        raise ValueError('takes the text of a file, or {"artifact": NUMBER} for a file that an execution gave out')
    return _storable(value) if isinstance(value, str) else value


def _storable(text: str) -> str:
    if len(text) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} characters; pass it as a file")
    if _UNSTORABLE.search(text):
        raise ValueError("holds a character that no command line can carry (NUL or half a surrogate pair)")
    return text


def _sentence(wrong: ValidationError, declared: Mapping[str, Any]) -> str:
    value = shorten(wrong.instance)
    if wrong.validator == "type" and not wrong.path:
        return f"{value} is not {TYPES[declared['type']]}"
    if wrong.validator == "enum":
        return f"{value} is none of {', '.join(shorten(choice) for choice in declared['enum'][:20])}"
    return wrong.message[:300]


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    if close:
        return f"unknown argument, did you mean {close[0]}?"
    return f"unknown argument; this schema takes {', '.join(known) or 'none'}"


def shorten(value: Any, limit: int = 80, *, quote: bool = True) -> str:
    """A value as people read it in a sentence, cut if it is long."""
    text = repr(value) if quote or not isinstance(value, str) else value
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
