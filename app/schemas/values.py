"""Values of a schema's arguments: from what people and programs give to the text that Argo wants, and checked."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from jsonschema.exceptions import ValidationError

from app.engines.protocol import Fault
from app.schemas import json_schemas
from app.schemas.faults import BadArguments

TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a JSON object",
    "array": "a JSON list",
}
LONGEST = 128 * 1024 - 1  # bytes of one value, as many as a word of a Linux command line has
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}", re.ASCII)
_MOST_CHOICES = 20
_EXAMPLES = {"date": " (2001-03-28)", "date-time": " (2001-03-28T00:00:00, UTC)"}
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
    """A value as Argo has it in a parameter: text as it is, numbers without exponent, all else as compact JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def parameter_text(value: Any) -> str:
    """The text of a parameter that somebody gives; raises ValueError for what no command line can carry."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return _storable(as_text(value))


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
    """The text of a parameter: what people wrote stays as it is, once it has been checked."""
    type_ = declared["type"]
    text = parameter_text(value)
    checked = convert(text, type_) if isinstance(value, str) else value
    if wrong := json_schemas.first_fault(declared, checked):
        raise ValueError(_sentence(wrong, declared))
    return text if type_ == "string" else text.strip()


def _file(value: Any, declared: Mapping[str, Any]) -> Any:
    if json_schemas.first_fault(declared, value):
        raise ValueError('takes the text of a file, or {"artifact": NUMBER} for a file that an execution gave out')
    return _storable(value) if isinstance(value, str) else value


def _storable(text: str) -> str:
    if json_schemas.UNSTORABLE.search(text):
        raise ValueError("holds a character that no command line can carry (NUL or half a surrogate pair)")
    if len(text.encode()) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} bytes; pass it as a file")
    return text


def _sentence(wrong: ValidationError, declared: Mapping[str, Any]) -> str:
    """A fault in words; where it lies inside of a list or an object, with its place there."""
    value = shorten(wrong.instance)
    inside = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in wrong.path).lstrip(".")
    if wrong.validator == "type" and not inside:
        return f"{value} is not {TYPES[declared['type']]}"
    if wrong.validator == "enum":
        choices: Any = wrong.validator_value
        shown = ", ".join(shorten(choice) for choice in choices[:_MOST_CHOICES])
        more = f" and {len(choices) - _MOST_CHOICES} more" if len(choices) > _MOST_CHOICES else ""
        message = f"{value} is none of {shown}{more}"
    elif wrong.validator == "format":
        message = f"{value} is no {wrong.validator_value}{_EXAMPLES.get(str(wrong.validator_value), '')}"
    else:
        message = wrong.message
    return f"{shorten(inside, 60, quote=False)}: {message[:300]}" if inside else message[:300]


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    if close:
        return f"unknown argument, did you mean {close[0]}?"
    return f"unknown argument; this schema takes {', '.join(known) or 'none'}"


def shorten(value: Any, limit: int = 80, *, quote: bool = True) -> str:
    """A value as people read it in a sentence, cut if it is long."""
    text = repr(value) if quote or not isinstance(value, str) else value
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
