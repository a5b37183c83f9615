"""JSON as Go writes and refuses it, because Argo's tags, results and messages show it.

Go writes maps with sorted keys and without blanks, escapes `<`, `>` and `&`, and has its own text for numbers.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

from orchestra_engine.language import LanguageError

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_TABLE = {i: f"\\u{i:04x}" for i in range(0x20)} | {ord(k): v for k, v in _ESCAPES.items()}
_HTML_TABLE = _TABLE | {ord(k): v for k, v in _HTML.items()} | {0x2028: "\\u2028", 0x2029: "\\u2029"}
_LITERALS = ("null", "true", "false")
_PLAIN_TYPES = frozenset((dict, list, tuple, int, float, bool, type(None)))


class RawInt(int):
    """An integer that remembers how it was written."""

    text: str


class RawFloat(float):
    """A number that remembers how it was written (`1.50` stays `1.50`)."""

    text: str


def number(value: float) -> str:
    """Write a float as Go's encoding/json does: no exponent between 1e-6 and 1e21, no `.0`."""
    if isinstance(value, RawFloat):
        return value.text
    if math.isnan(value) or math.isinf(value):
        raise LanguageError(
            f"json: unsupported value: {'NaN' if math.isnan(value) else '+Inf' if value > 0 else '-Inf'}"
        )
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    if 1e-6 <= abs(value) < 1e21:
        if exponent:
            return format(Decimal(text), "f")
        return text.removesuffix(".0")
    if not exponent:
        text = f"{value:e}"
        mantissa, _, exponent = text.partition("e")
    mantissa = mantissa.removesuffix(".0")
    return f"{mantissa}e{'+' if int(exponent) > 0 else '-'}{abs(int(exponent))}"


def quote(text: str, *, html: bool = False) -> str:
    """A JSON string with its quotes; bytes that are no part of a character become U+FFFD, as Go writes them."""
    if not text.isascii() and _SURROGATE.search(text):
        text = _NO_BYTE.sub("\udcff", text).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
        return '"' + _SURROGATE.sub(r"\\ufffd", text.translate(_HTML_TABLE if html else _TABLE)) + '"'
    return '"' + text.translate(_HTML_TABLE if html else _TABLE) + '"'


def dumps(value: Any, *, html: bool = True, sort: bool = True) -> str:
    """Write compact JSON as Go does; `sort=False` keeps the order of keys (a Go struct).

    Raises LanguageError for what JSON cannot hold.
    """
    if isinstance(value, str):
        return quote(value, html=html)
    if type(value) not in _PLAIN_TYPES and (marshal := getattr(value, "go_json", None)):
        return dumps(marshal(), html=html, sort=sort)
    if isinstance(value, list | tuple):
        return "[" + ",".join([dumps(v, html=html, sort=sort) for v in value]) + "]"
    if isinstance(value, dict):
        items = [(k if isinstance(k, str) else dumps(k), v) for k, v in value.items()]
        if sort:
            items.sort(key=lambda item: item[0])
        return "{" + ",".join([quote(k, html=html) + ":" + dumps(v, html=html, sort=sort) for k, v in items]) + "}"
    return _simple(value)


def _simple(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, RawInt):
        return value.text
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return number(value)
    raise LanguageError(f"json: unsupported type: {getattr(value, 'go_type', type(value).__name__)}")


def _raw_int(text: str) -> int:
    if len(text) > 400:
        raise LanguageError("a number has more than 400 digits")
    value = RawInt(text)
    value.text = text
    return value


def _raw_float(text: str) -> float:
    value = RawFloat(text)
    value.text = text
    return value


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise LanguageError(f"json: cannot unmarshal number {text} into Go value of type float64")
    return value


def _no_constant(_text: str) -> Any:
    raise ValueError("not JSON")


_PLAIN = json.JSONDecoder(parse_constant=_no_constant)
_FLOATS = json.JSONDecoder(parse_constant=_no_constant, parse_int=_float, parse_float=_float)
_RAW = json.JSONDecoder(parse_constant=_no_constant, parse_int=_raw_int, parse_float=_raw_float)


def loads(text: str, *, raw: bool = False, floats: bool = False) -> Any:
    """Read JSON; `raw` keeps the spelling of numbers, `floats` makes floats of all, as Go does where it knows no type.

    Raises LanguageError with the message of Go's encoding/json.
    """
    try:
        return (_RAW if raw else _FLOATS if floats else _PLAIN).decode(text)
    except LanguageError:
        raise
    except RecursionError:
        raise LanguageError("exceeded max depth") from None
    except ValueError:
        raise LanguageError(_fault(text)) from None


def _char(c: str) -> str:
    c = chr(c.encode("utf-8", "replace")[0])  # Go shows the first byte
    return {"'": "'\\''", '"': "'\"'", "\n": "'\\n'", "\t": "'\\t'", "\r": "'\\r'", "\\": "'\\\\'"}.get(c, f"'{c}'")


class _Scanner:
    """Finds the first character that Go's JSON scanner would refuse, and Go's words for it."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def fail(self, context: str) -> LanguageError:
        if self.at >= len(self.text):
            return LanguageError("unexpected end of JSON input")
        return LanguageError(f"invalid character {_char(self.text[self.at])} {context}")

    def blank(self) -> str:
        while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
            self.at += 1
        return self.text[self.at] if self.at < len(self.text) else ""

    def value(self) -> None:
        c = self.blank()
        if c == "{":
            self.members()
        elif c == "[":
            self.elements()
        elif c == '"':
            self.string()
        elif c and c in "-0123456789":
            self.digits()
        elif c and c in "tfn":
            self.literal(next(w for w in _LITERALS if w[0] == c))
        else:
            raise self.fail("looking for beginning of value")

    def literal(self, word: str) -> None:
        for expected in word:
            if self.at >= len(self.text) or self.text[self.at] != expected:
                raise self.fail(f"in literal {word} (expecting '{expected}')")
            self.at += 1

    def string(self) -> None:
        self.at += 1
        while self.at < len(self.text) and self.text[self.at] != '"':
            if self.text[self.at] < " ":
                raise self.fail("in string literal")
            if self.text[self.at] == "\\":
                self.at += 1
                if self.at < len(self.text) and self.text[self.at] not in '"\\/bfnrtu':
                    raise self.fail("in string escape code")
            self.at += 1
        if self.at >= len(self.text):
            raise self.fail("")
        self.at += 1

    def digits(self) -> None:
        if self.text[self.at] == "-":
            self.at += 1
            if self.at >= len(self.text) or not self.text[self.at].isdigit():
                raise self.fail("in numeric literal")
        if self.text[self.at] == "0":
            self.at += 1
        else:
            self.run()
        if self.text[self.at : self.at + 1] == ".":
            self.at += 1
            self.need("after decimal point in numeric literal")
        if self.text[self.at : self.at + 1] in ("e", "E"):
            self.at += 1
            if self.text[self.at : self.at + 1] in ("+", "-"):
                self.at += 1
            self.need("in exponent of numeric literal")

    def run(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in "0123456789":
            self.at += 1

    def need(self, context: str) -> None:
        if self.at >= len(self.text) or self.text[self.at] not in "0123456789":
            raise self.fail(context)
        self.run()

    def members(self) -> None:
        self.at += 1
        if self.blank() == "}":
            self.at += 1
            return
        while True:
            if self.blank() != '"':
                raise self.fail("looking for beginning of object key string")
            self.string()
            if self.blank() != ":":
                raise self.fail("after object key")
            self.at += 1
            self.value()
            if self.blank() == "}":
                self.at += 1
                return
            if self.blank() != ",":
                raise self.fail("after object key:value pair")
            self.at += 1

    def elements(self) -> None:
        self.at += 1
        if self.blank() == "]":
            self.at += 1
            return
        while True:
            self.value()
            if self.blank() == "]":
                self.at += 1
                return
            if self.blank() != ",":
                raise self.fail("after array element")
            self.at += 1


def _fault(text: str) -> str:
    scanner = _Scanner(text)
    try:
        scanner.value()
        if scanner.blank():
            raise scanner.fail("after top-level value")
    except LanguageError as error:
        return str(error)
    except RecursionError:
        return "exceeded max depth"
    return "invalid JSON"
