"""What may be noted of an output, and of an input that is a file, in a manifest's annotations."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

PARSED = ("TT", "CAT")
FILE_TYPES = (*PARSED, "TS", "IMAGE")
_TEXT: dict[str, Any] = {"type": "string"}
_FOR_PEOPLE: dict[str, Any] = {
    **dict.fromkeys(("title", "description", "unit", "$comment"), _TEXT),
    "deprecated": {"type": "boolean"},
    "examples": {"type": "array"},
}
_COLUMN = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 100},
        "type": {"enum": ["str", "int", "float", "bool"]},
        "unit": {"type": "string", "maxLength": 100},
        "description": {"type": "string", "maxLength": 2000},
        "ucd": {"type": "string", "maxLength": 200},
    },
}
_COLOUR = {"type": "array", "minItems": 3, "maxItems": 3, "items": {"type": "integer", "minimum": 0, "maximum": 255}}
_OUTPUT = {**_FOR_PEOPLE, "required": {"type": "boolean"}}
_FILE = {
    **_OUTPUT,
    "type": {"enum": list(FILE_TYPES)},
    "columns": {"type": "array", "items": _COLUMN},
    "classmap": {"type": "object", "additionalProperties": {"type": "integer"}},
    "colormap": {"type": "object", "additionalProperties": _COLOUR},
}
_NOTES = {"inputs": _FOR_PEOPLE, "parameters": _OUTPUT, "artifacts": _FILE}


def wrong(kind: str, noted: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with what is noted of an output (`parameters`, `artifacts`), or of a file among the `inputs`."""
    known = _NOTES[kind]
    for key, value in noted.items():
        if key.startswith("x-"):
            continue
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1, cutoff=0.7)
            hint = (
                f", did you mean {close[0]}?" if close else f"; there are {', '.join(known)}, and what begins with x-"
            )
            yield f"{key[:60]} is not known here{hint}"
            continue
        for error in Draft202012Validator(known[key]).iter_errors(value):
            inside = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.path)
            yield f"{key}{inside[:100]}: {error.message[:200]}"
    columns = noted.get("columns")
    names = [str(one.get("name")) for one in columns if isinstance(one, dict)] if isinstance(columns, list) else []
    if len(names) > len(set(names)):
        yield "columns: a name stands there twice"
