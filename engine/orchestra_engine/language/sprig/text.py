"""sprig's functions of text: https://masterminds.github.io/sprig/strings.html."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from orchestra_engine.language import LanguageError
from orchestra_engine.language.expr.texts import replace, split
from orchestra_engine.language.gotext import (
    as_latin,
    cut,
    go_fields,
    go_lower,
    go_quoted,
    go_space_trimmed,
    go_upper,
    of_bytes,
    size,
)
from orchestra_engine.language.sprig.cases import pascal, separated
from orchestra_engine.language.values import Bytes, StringMap, Strings, go_text

_MAX = 4 * 2**20


def room(length: int) -> None:
    """Refuses a text before it is built."""
    if length > _MAX:
        raise LanguageError("memory budget exceeded")


def text_of(value: Any) -> str:
    """sprig's toString."""
    if isinstance(value, Bytes):
        return of_bytes(bytes(value))
    return go_text(value)


def strings_of(value: Any) -> list[str]:
    """sprig's toStrings: of a list without its nils, or of one value."""
    if isinstance(value, list):
        return Strings(text_of(item) for item in value if item is not None)
    return Strings() if value is None else Strings([text_of(value)])


def _repeat(count: int, text: str) -> str:
    if count < 0:
        raise LanguageError("strings: negative Repeat count")
    room(count * len(text))
    return text * count


def _bounds(text: str, start: int, end: int) -> str:
    length = size(text)
    if end > length:
        raise LanguageError(f"runtime error: slice bounds out of range [:{end}] with length {length}")
    if end < 0:
        raise LanguageError(f"runtime error: slice bounds out of range [:{end}]")
    if start > end:
        raise LanguageError(f"runtime error: slice bounds out of range [{start}:{end}]")
    return cut(text, start, end)


def _substr(start: int, end: int, text: str) -> str:
    length = size(text)
    if start < 0:
        return _bounds(text, 0, end)
    if end < 0 or end > length:
        if start > length:
            raise LanguageError(f"runtime error: slice bounds out of range [{start}:{length}]")
        return cut(text, start, length)
    return _bounds(text, start, end)


def _trunc(count: int, text: str) -> str:
    length = size(text)
    if count < 0:
        return cut(text, length + count, length) if length + count > 0 else text
    return cut(text, 0, count)


def abbreviated(text: str, offset: int, width: int) -> str:
    """goutils' AbbreviateFull: at most `width` bytes, with dots at the end and, from an offset of 5 on, in front."""
    length = size(text)
    if length <= width:
        return text
    offset = min(offset, length)
    if length - offset < width - 3:
        offset = length - (width - 3)
    if offset <= 4:
        return cut(text, 0, width - 3) + "..."
    if width < 7:
        return ""
    if offset + width - 3 < length:
        return "..." + abbreviated(cut(text, offset, length), 0, width - 3)
    return "..." + cut(text, length - (width - 3), length)


def _wrapped(text: str, width: int, glue: str, *, long_words: bool) -> str:
    """goutils' WrapCustom: lines of at most `width` bytes, cut at blanks."""
    if not (text.isascii() and glue.isascii()):
        return of_bytes(_wrapped_bytes(as_latin(text), width, as_latin(glue), long_words=long_words).encode("latin-1"))
    return _wrapped_bytes(text, width, glue, long_words=long_words)


def _wrapped_bytes(text: str, width: int, glue: str, *, long_words: bool) -> str:
    width, glue, length, offset = max(width, 1), glue or "\n", len(text), 0
    lines: list[str] = []
    room(length // width * len(glue) + length)
    while length - offset > width:
        if text[offset] == " ":
            offset += 1
            continue
        at = text.rfind(" ", offset, offset + width + 1)
        if at < 0 and long_words:
            lines.append(text[offset : offset + width])
            offset += width
            continue
        if at < 0:
            at = text.find(" ", offset + width)
        if at < 0:
            lines.append(text[offset:])
            return glue.join(lines)
        lines.append(text[offset:at])
        offset = at + 1
    return glue.join([*lines, text[offset:]])


def _indent(blanks: int, text: str) -> str:
    if blanks < 0:
        raise LanguageError("strings: negative Repeat count")
    room(blanks * (text.count("\n") + 1) + len(text))
    pad = " " * blanks
    return pad + text.replace("\n", "\n" + pad)


def _numbered(parts: list[str]) -> StringMap:
    return StringMap((f"_{i}", part) for i, part in enumerate(parts))


def join(glue: str, items: Any) -> str:
    """sprig's join, of a list or of one value."""
    texts = strings_of(items)
    room(sum(map(len, texts)) + len(glue) * len(texts))
    return glue.join(texts)


def _sorted(items: Any) -> list[str]:
    return Strings(sorted(strings_of(items), key=str.encode)) if isinstance(items, list) else Strings([text_of(items)])


def _swapped(text: str) -> str:
    out, after_blank = [], True
    for c in text:
        category = unicodedata.category(c)
        if category in ("Lu", "Lt"):
            out.append(go_lower(c))
            after_blank = False
        elif category == "Ll":
            out.append(go_upper(c))
            after_blank = False
        else:
            out.append(c)
            after_blank = c.isspace()
    return "".join(out) if out or after_blank else ""


def _titled(text: str) -> str:
    """Go's strings.Title: a letter after anything that is no letter, digit or underscore."""

    def separates(c: str) -> bool:
        if c.isascii():
            return not (c.isalnum() or c == "_")
        return not c.isalnum() and c.isspace()

    return "".join(go_upper(c) if i == 0 or separates(text[i - 1]) else c for i, c in enumerate(text))


def _untitled(text: str) -> str:
    return re.sub(r"(^|\s)(\S)", lambda m: m[1] + go_lower(m[2]), text)


def _shown(*values: Any) -> list[Any]:
    return [value for value in values if value is not None]


def _plural(one: str, many: str, count: int) -> str:
    return one if count == 1 else many


def _nospace(text: str) -> str:
    """goutils' DeleteWhiteSpace, which takes bytes for characters as soon as there is a blank."""
    raw = as_latin(text)
    kept = "".join(go_fields(raw))
    return text if len(kept) == len(raw) else kept


def _abbrevboth(left: int, right: int, text: str) -> str:
    if right < 4 or (left > 0 and right < 7):
        return text
    return abbreviated(text, left, right)


def _replaced(old: str, new: str, text: str) -> str:
    return replace(text, old, new)


def _split_list(separator: str, text: str) -> list[str]:
    return split(text, separator)


def _splitn(separator: str, count: int, text: str) -> StringMap:
    return _numbered(split(text, separator, count))


FUNCTIONS: dict[str, tuple[str, Callable[..., Any]]] = {
    "abbrev": ("int string > string", lambda width, s: s if width < 4 else abbreviated(s, 0, width)),
    "abbrevboth": ("int int string > string", _abbrevboth),
    "cat": ("any... > string", lambda *v: " ".join(go_text(x) for x in _shown(*v))),
    "camelcase": ("string > string", pascal),
    "contains": ("string string > bool", lambda part, s: part in s),
    "hasPrefix": ("string string > bool", lambda part, s: s.startswith(part)),
    "hasSuffix": ("string string > bool", lambda part, s: s.endswith(part)),
    "hello": ("> string", lambda: "Hello!"),
    "indent": ("int string > string", _indent),
    "initials": ("string > string", lambda s: "".join(word[0] for word in go_fields(as_latin(s)))),
    "join": ("string any > string", join),
    "kebabcase": ("string > string", lambda s: separated(s, "-")),
    "lower": ("string > string", go_lower),
    "nindent": ("int string > string", lambda n, s: "\n" + _indent(n, s)),
    "nospace": ("string > string", _nospace),
    "plural": ("string string int > string", _plural),
    "quote": ("any... > string", lambda *v: " ".join(go_quoted(text_of(x)) for x in _shown(*v))),
    "repeat": ("int string > string", _repeat),
    "replace": ("string string string > string", _replaced),
    "snakecase": ("string > string", lambda s: separated(s, "_")),
    "sortAlpha": ("any > string[]", _sorted),
    "split": ("string string > map[string]string", lambda separator, s: _numbered(split(s, separator))),
    "splitList": ("string string > string[]", _split_list),
    "splitn": ("string int string > map[string]string", _splitn),
    "squote": ("any... > string", lambda *v: " ".join(f"'{text_of(x)}'" for x in _shown(*v))),
    "substr": ("int int string > string", _substr),
    "swapcase": ("string > string", _swapped),
    "title": ("string > string", _titled),
    "toString": ("any > string", text_of),
    "toStrings": ("any > string[]", strings_of),
    "trim": ("string > string", go_space_trimmed),
    "trimAll": ("string string > string", lambda cutset, s: s.strip(cutset) if cutset else s),
    "trimall": ("string string > string", lambda cutset, s: s.strip(cutset) if cutset else s),
    "trimPrefix": ("string string > string", lambda part, s: s.removeprefix(part)),
    "trimSuffix": ("string string > string", lambda part, s: s.removesuffix(part)),
    "trunc": ("int string > string", _trunc),
    "untitle": ("string > string", _untitled),
    "upper": ("string > string", go_upper),
    "wrap": ("int string > string", lambda width, s: _wrapped(s, width, "", long_words=False)),
    "wrapWith": ("int string string > string", lambda width, glue, s: _wrapped(s, width, glue, long_words=True)),
}
