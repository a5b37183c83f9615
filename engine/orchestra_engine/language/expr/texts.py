"""expr-lang's builtins of text, JSON and base64: https://expr-lang.org/docs/language-definition."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from orchestra_engine.language import LanguageError, gojson
from orchestra_engine.language.expr.operators import to_int as number_to_int
from orchestra_engine.language.gotext import (
    as_latin,
    go_lower,
    go_space_trimmed,
    go_upper,
    of_bytes,
    size,
    to_bytes,
)
from orchestra_engine.language.values import AnyMap, Bytes, Ints, NilSlice, Strings, conversion_fault, type_name

_MAX_TEXT = 4 * 2**20
_MAX_DEPTH = 1000


def text_of(value: Any) -> str:
    """A value that has to be a text.

    Raises LanguageError with Go's words.
    """
    if not isinstance(value, str):
        raise LanguageError(conversion_fault(value, "string"))
    return value


def _trim(text: Any, *characters: Any) -> str:
    return text_of(text).strip(text_of(characters[0])) if characters else go_space_trimmed(text_of(text))


def split(text: str, separator: str, count: int = -1) -> list[str]:
    """Go's strings.SplitN: at most `count` pieces, all if it is negative, and nil for none."""
    if count == 0:
        return NilSlice()
    if separator:
        return Strings(text.split(separator, count - 1 if count > 0 else -1))
    parts = list(text)
    return Strings(parts if count < 0 or count >= len(parts) else [*parts[: count - 1], "".join(parts[count - 1 :])])


def _split(text: Any, separator: Any, count: Any = -1) -> list[str]:
    return split(text_of(text), text_of(separator), number_to_int(count))


def _split_after(text: Any, separator: Any, count: Any = -1) -> list[str]:
    parts = _split(text, separator, count)
    return Strings([part + separator for part in parts[:-1]] + parts[-1:]) if parts else parts


def replace(text: str, old: str, new: str, count: int = -1) -> str:
    """Go's strings.Replace, refused before a text that is too large is made."""
    if len(new) * (text.count(old) if old else len(text) + 1) > _MAX_TEXT:
        raise LanguageError("memory budget exceeded")
    return text.replace(old, new, count)


def _repeat(text: Any, count: Any) -> str:
    times = number_to_int(count)
    text_of(text)
    if times < 0:
        raise LanguageError(f"invalid argument for repeat (expected positive integer, got {times})")
    if times > 1_000_000 or len(text_of(text)) * times >= 1_000_000:
        raise LanguageError("memory budget exceeded")
    return str(text * times)


def _join(items: Any, glue: Any = "") -> str:
    if not isinstance(items, list) or isinstance(items, Ints | Bytes):
        raise LanguageError(f"invalid argument for join (type {type_name(items)})")
    return text_of(glue).join(text_of(item) for item in items)


def _index(text: Any, part: Any, *, last: bool = False) -> int:
    found = text_of(text).rfind(text_of(part)) if last else text_of(text).find(text_of(part))
    return found if found < 0 else size(text[:found])


def decoded64(text: str) -> str:
    """Standard base64; bytes that are no UTF-8 become U+FFFD.

    Raises LanguageError with Go's message and the offset of the first wrong byte.
    """
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    raw, held = as_latin(text), 0
    for at, c in enumerate(raw):
        if c in "\r\n":
            continue
        if c in alphabet:
            held = (held + 1) % 4
            continue
        rest = raw[at:].replace("\r", "").replace("\n", "")
        if c == "=" and held >= 2 and rest == "=" * (4 - held):
            held = 0
            break
        padded = c == "=" and held == 2 and not rest[1:2]
        garbage = c == "=" and (held == 3 or (held == 2 and rest[1:2] == "="))
        raise LanguageError(f"illegal base64 data at input byte {len(raw) if padded else at + 1 if garbage else at}")
    if held:
        raise LanguageError(f"illegal base64 data at input byte {len(raw) - held}")
    plain = text.replace("\r", "").replace("\n", "")
    return of_bytes(base64.b64decode(plain))


def pretty_json(value: Any, depth: int = 0) -> str:
    """JSON indented by two blanks, as expr-lang's toJSON writes it."""
    if depth > _MAX_DEPTH:
        raise LanguageError("nested too deep")
    pad, inner = "\n" + "  " * depth, "\n" + "  " * (depth + 1)
    if isinstance(value, list) and value and not isinstance(value, Bytes):
        return "[" + ",".join(inner + pretty_json(item, depth + 1) for item in value) + pad + "]"
    if isinstance(value, dict) and value and not isinstance(value, AnyMap):
        items = (f"{inner}{gojson.quote(k, html=True)}: {pretty_json(value[k], depth + 1)}" for k in sorted(value))
        return "{" + ",".join(items) + pad + "}"
    return gojson.dumps(value)


TEXTS: dict[str, Callable[..., Any]] = {
    "trim": _trim,
    "trimPrefix": lambda v, p=" ": text_of(v).removeprefix(text_of(p)),
    "trimSuffix": lambda v, p=" ": text_of(v).removesuffix(text_of(p)),
    "upper": lambda v: go_upper(text_of(v)),
    "lower": lambda v: go_lower(text_of(v)),
    "split": _split,
    "splitAfter": _split_after,
    "replace": lambda v, old, new, n=-1: replace(text_of(v), text_of(old), text_of(new), number_to_int(n)),
    "repeat": _repeat,
    "join": _join,
    "indexOf": _index,
    "lastIndexOf": lambda v, p: _index(v, p, last=True),
    "hasPrefix": lambda v, p: text_of(v).startswith(text_of(p)),
    "hasSuffix": lambda v, p: text_of(v).endswith(text_of(p)),
    "toJSON": pretty_json,
    "fromJSON": lambda v: gojson.loads(text_of(v), floats=True),
    "toBase64": lambda v: base64.b64encode(to_bytes(text_of(v))).decode(),
    "fromBase64": lambda v: decoded64(text_of(v)),
}
