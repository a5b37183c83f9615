"""The part of JSON Schema (2020-12) that inputs are declared with, and checking values against it in bounded time.

Left out are references, and what takes more than linear time or cannot be bounded: `unevaluated…`, `patternProperties`.
Patterns are RE2's: linear in the text, without look-around and back-references. `format` is checked, not only noted.
"""

from __future__ import annotations

import datetime
import difflib
import json
import math
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import re2
from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import SchemaError, ValidationError

MOST_VALUES = 4000  # of all that is declared of a schema's inputs
MOST_DEEP = 20
MOST_CHARACTERS = 256 * 1024
MOST_WORK = 2_000_000  # values of a declaration × values of an argument

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LONGEST_PATTERN = 1000  # characters
_INSIDE_ONE = ("items", "contains", "not", "if", "then", "else", "additionalProperties", "propertyNames")
_INSIDE_LIST = ("prefixItems", "allOf", "anyOf", "oneOf")
_INSIDE_MAP = ("properties",)
KEYWORDS = {
    *("type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems", "minContains"),
    *("maxContains", "required", "minProperties", "maxProperties", "dependentRequired"),
    *("title", "description", "default", "examples", "deprecated", "unit", "$comment"),
    *(*_INSIDE_ONE, *_INSIDE_LIST, *_INSIDE_MAP),
}
_INSTEAD = {
    **dict.fromkeys(("$ref", "$dynamicRef", "$schema", "$id", "$anchor", "$defs", "definitions"), "write it out"),
    "patternProperties": "use propertyNames and additionalProperties",
    "unevaluatedProperties": "use additionalProperties",
    "unevaluatedItems": "use items",
}
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FORMATS = FormatChecker(formats=())
FORMATS = ("date", "date-time", "uuid")


@_FORMATS.checks("date", raises=ValueError)
def _is_date(value: Any) -> bool:
    return not isinstance(value, str) or bool(_DATE.fullmatch(value) and datetime.date.fromisoformat(value))


@_FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: Any) -> bool:
    """ISO 8601 with a `T`; without an offset the time is UTC."""
    return not isinstance(value, str) or bool(_TIME.fullmatch(value) and datetime.datetime.fromisoformat(value))


@_FORMATS.checks("uuid", raises=ValueError)
def _is_uuid(value: Any) -> bool:
    return not isinstance(value, str) or str(uuid.UUID(value)) == value.lower()


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Callable[[str], Any]:
    """The search of a pattern; raises `re2.error`."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options).search


def _pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _compiled(pattern)(value):
        yield ValidationError(f"{_short(value)} does not match {pattern}")


def _unique(_: Any, wanted: bool, value: Any, __: Any) -> Iterator[ValidationError]:
    """Equal items have the same text, so that a long list takes no longer than it is."""
    if wanted and isinstance(value, list) and len({_canonical(item) for item in value}) < len(value):
        yield ValidationError("holds an item twice")


def _multiple(_: Any, of: float, value: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    whole = isinstance(of, int) and isinstance(value, int)
    if (value % of) if whole else not (value / of).is_integer():
        yield ValidationError(f"{value} is not a multiple of {of}")


def _canonical(value: Any) -> str:
    return json.dumps(_exact(value), sort_keys=True)


def _exact(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _exact(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_exact(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


_Validator = validators.extend(
    Draft202012Validator, {"pattern": _pattern, "uniqueItems": _unique, "multipleOf": _multiple}
)


def first_fault(declared: Mapping[str, Any], value: Any) -> ValidationError | None:
    """What is wrong with a value, None if nothing is; `faults` has found nothing wrong with what is declared.

    Raises ValueError for a value that is too large to be checked, or holds a number that no float can hold.
    """
    if size(declared) * size(value) > MOST_WORK:
        raise ValueError("is too large to be checked against what is declared of it; pass it as a file")
    try:
        return next(_Validator(dict(declared), format_checker=_FORMATS).iter_errors(value), None)
    except OverflowError:
        raise ValueError("holds a number that is too large") from None


def size(value: Any) -> int:
    """How many values a value holds, itself included."""
    count, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        count += 1
        waiting += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return count


def faults(declared: Mapping[str, Any]) -> list[str]:
    """What is wrong with the JSON Schema of one input, as sentences; `unusable` has found nothing."""
    found = list(_keywords(declared, ""))
    if found:
        return found
    try:
        Draft202012Validator.check_schema(declared, format_checker=FormatChecker(formats=()))
    except SchemaError as error:
        where = ".".join(map(str, error.path))
        return [f"is no JSON Schema: {where + ': ' if where else ''}{error.message[:300]}"]
    return list(_patterns_and_formats(declared))


def unusable(declared: Any) -> str:
    """Why what is declared of inputs can be neither stored nor looked at in time; empty if it can."""
    waiting: list[tuple[Any, int]] = [(declared, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > MOST_DEEP:
            return f"is nested more than {MOST_DEEP} deep"
        if isinstance(item, float) and not math.isfinite(item):
            return f"{item} is not a finite number"
        if isinstance(item, str) and UNSTORABLE.search(item):
            return "holds a character that cannot be stored (NUL or half a surrogate pair)"
        if isinstance(item, dict):
            waiting += [(one, depth + 1) for pair in item.items() for one in pair]
        elif isinstance(item, list):
            waiting += [(one, depth + 1) for one in item]
    if size(declared) > MOST_VALUES:
        return f"has more than {MOST_VALUES} values"
    if len(json.dumps(declared)) > MOST_CHARACTERS:
        return f"is longer than {MOST_CHARACTERS} characters"
    return ""


def _schemas(declared: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """A schema and all that lie in it, each with its path."""
    if not isinstance(declared, dict):
        return
    yield path, declared
    for name in _INSIDE_ONE:
        yield from _schemas(declared.get(name), f"{path}{name}.")
    for name in _INSIDE_LIST:
        listed = declared.get(name)
        for number, item in enumerate(listed if isinstance(listed, list) else ()):
            yield from _schemas(item, f"{path}{name}[{number}].")
    for name in _INSIDE_MAP:
        named = declared.get(name)
        for key, item in named.items() if isinstance(named, dict) else ():
            yield from _schemas(item, f"{path}{name}.{key}.")


def _keywords(declared: Mapping[str, Any], path: str) -> Iterator[str]:
    for where, schema in _schemas(declared, path):
        for key in schema:
            if key in KEYWORDS or key.startswith("x-"):
                continue
            if key in _INSTEAD:
                yield f"{where}{key} is not taken here; {_INSTEAD[key]}"
            else:
                close = difflib.get_close_matches(key, sorted(KEYWORDS), n=1, cutoff=0.7)
                hint = f", did you mean {close[0]}?" if close else "; notes of your own begin with x-"
                yield f"{where}{key[:60]} is no keyword that is known here{hint}"


def _patterns_and_formats(declared: Mapping[str, Any]) -> Iterator[str]:
    for where, schema in _schemas(declared):
        if schema.get("format", FORMATS[0]) not in FORMATS:
            yield f"{where}format: {_short(schema['format'])} is none of {', '.join(FORMATS)}"
        if not isinstance(schema.get("unit", ""), str):
            yield f"{where}unit: has to be text"
        pattern = schema.get("pattern", "")
        if len(pattern) > _LONGEST_PATTERN:
            yield f"{where}pattern: has more than {_LONGEST_PATTERN} characters"
            continue
        try:
            _compiled(pattern)
        except re2.error as error:
            yield f"{where}pattern: {_words(error)} (RE2's syntax: no look-around, no back-references)"


def _words(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
