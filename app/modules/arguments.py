"""A module's declared arguments as a JSON Schema, and values that people give checked against it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from app.engines.protocol import Fault
from app.modules.faults import Faulty, near_miss

# What metadata.json may call a type, and what we call it.
TYPES = {
    "str": "str", "string": "str", "text": "str",
    "int": "int", "integer": "int",
    "float": "float", "double": "float", "number": "float",
    "bool": "bool", "boolean": "bool",
}  # fmt: skip
# `version` picks a module's version in AMDA's contract, `help` belongs to every command line.
RESERVED = frozenset({"start", "stop", "output", "version", "help"})

_JSON_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
_WORDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
_TRUE, _FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
# An argument becomes one word of a command line: no NUL, no lone surrogates, not longer than Linux takes.
_TEXT = {"maxLength": 100_000, "pattern": "^[^\\u0000\\ud800-\\udfff]*$"}


def compile_schema(declared: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of arguments as `metadata.Argument` describes them, in their order.

    Every value may be null, which means that the option is left out of the command line.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {argument["name"]: _property(argument) for argument in declared},
        "additionalProperties": False,
    }


def _property(argument: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": [_JSON_TYPES[argument["type"]], "null"]}
    if argument["type"] == "str":
        schema |= _TEXT
    schema |= {key: argument[key] for key in ("minimum", "maximum", "description", "default") if key in argument}
    if "choices" in argument:
        schema["enum"] = [*argument["choices"], None]
    return schema


def convert(value: str, type_: str) -> Any:
    """The value that a text stands for, as query strings and command lines give it.

    Raises ValueError with a sentence for people.
    """
    text = value.strip()
    if type_ == "int" and _INTEGER.fullmatch(text):
        return int(text)
    if type_ == "float":
        try:
            number = float(text) if "_" not in text else math.nan
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
    if type_ == "bool" and text.casefold() in _TRUE | _FALSE:
        return text.casefold() in _TRUE
    if type_ == "str":
        return value
    raise ValueError(f"{shorten(value)} is not {_WORDS[type_]}")


def check(schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments to run with, in the declared order: what was given, converted, and the defaults.

    A text is converted to the declared type. What has neither value nor default is left out; an explicit null stays.
    Raises `Faulty` with all faults, the argument's name as path.
    """
    properties: Mapping[str, Any] = schema["properties"]
    faults = [_unknown(str(name), properties) for name in given if name not in properties]
    values: dict[str, Any] = {}
    for name, declared in properties.items():
        if name not in given:
            if "default" in declared:
                values[name] = declared["default"]
            continue
        try:
            values[name] = _converted(given[name], declared)
        except ValueError as error:
            faults.append(Fault(path=name, message=str(error)))
    for wrong in Draft202012Validator(schema).iter_errors(values):
        faults.append(Fault(path=str(wrong.path[0]), message=_sentence(wrong)))
    if faults:
        raise Faulty(faults)
    return values


def type_of(declared: Mapping[str, Any]) -> str:
    """`str`, `int`, `float` or `bool`: the type of a property that `compile_schema` made."""
    return next(ours for ours, theirs in _JSON_TYPES.items() if theirs == declared["type"][0])


def _converted(value: Any, declared: Mapping[str, Any]) -> Any:
    type_ = type_of(declared)
    if isinstance(value, str):
        return convert(value, type_)
    if type_ == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return value


def _unknown(name: str, known: Mapping[str, Any]) -> Fault:
    hint = near_miss(name, known)
    if not hint:
        hint = f"; this module takes {', '.join(known)}" if known else "; this module takes no arguments"
    return Fault(path=name, message=f"unknown argument {shorten(name)}{hint}")


def _sentence(error: ValidationError) -> str:
    value, limit = shorten(error.instance), cast(Any, error.validator_value)
    if error.validator == "type":
        word = _WORDS[type_of({"type": limit})]
        return f"{value} is not {word}"
    sentences: dict[str, Callable[[], str]] = {
        "enum": lambda: f"{value} is none of {', '.join(shorten(choice) for choice in limit if choice is not None)}",
        "minimum": lambda: f"{value} is less than the minimum of {limit}",
        "maximum": lambda: f"{value} is more than the maximum of {limit}",
        "maxLength": lambda: f"the text is longer than {limit} characters",
        "pattern": lambda: "the text holds a character that no command line can carry (NUL or half a surrogate pair)",
    }
    return sentences[str(error.validator)]()


def shorten(value: Any, limit: int = 80) -> str:
    """A value as people read it in a sentence, quoted if it is text, cut if it is long."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
