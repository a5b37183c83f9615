"""Go's text: numbers read from it, its cases, its blanks."""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|infinity)|nan", re.IGNORECASE)
_HEX_FLOAT = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+")
_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def to_bytes(text: str) -> bytes:
    """The bytes of a text as Go has them: a byte that is no part of a character is a surrogate, U+DC80 to U+DCFF."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _NO_BYTE.sub("\ufffd", text).encode("utf-8", "surrogateescape")


def of_bytes(raw: bytes) -> str:
    """The text of some bytes; those that are no part of a character survive, and are U+FFFD once they are written."""
    return raw.decode("utf-8", "surrogateescape")


def readable(text: str) -> str:
    """A text in which every byte that is no part of a character is U+FFFD."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", of_bytes(to_bytes(text)))


def cut(text: str, start: int, stop: int) -> str:
    """The bytes of a text from `start` to `stop`, as Go cuts it, through the middle of a character if need be."""
    return text[start:stop] if text.isascii() else of_bytes(to_bytes(text)[start:stop])


def size(text: str) -> int:
    """The number of bytes of a text, which is its length to Go."""
    return len(text) if text.isascii() else len(to_bytes(text))


def as_latin(text: str) -> str:
    """A text whose characters are the bytes of another."""
    return text if text.isascii() else to_bytes(text).decode("latin-1")


def go_int(text: str) -> int | None:
    """strconv.Atoi; None for what is no int of 64 bits."""
    digits = text.lstrip("+-").lstrip("0") or "0"
    if not re.fullmatch(r"[+-]?[0-9]+", text) or len(digits) > 19:
        return None
    value = int(digits) * (-1 if text.startswith("-") else 1)
    return value if -(2**63) <= value < 2**63 else None


def go_float(text: str) -> float | None:
    """strconv.ParseFloat; None for what is no float64."""
    if _HEX_FLOAT.fullmatch(text):
        return float.fromhex(text)
    text = re.sub(r"(?<=[0-9])_(?=[0-9])", "", text)
    if not _FLOAT.fullmatch(text):
        return None
    value = float(text)
    return None if value in (float("inf"), float("-inf")) and text.strip("+-")[0] in ".0123456789" else value


def go_upper(text: str) -> str:
    """strings.ToUpper: one character for each."""
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in text) if not text.isascii() else text.upper()


def go_lower(text: str) -> str:
    """strings.ToLower: one character for each."""
    return "".join(c.lower()[0] for c in text) if not text.isascii() else text.lower()


def go_space_trimmed(text: str) -> str:
    """strings.TrimSpace."""
    return text.strip(_BLANKS)


def go_fields(text: str) -> list[str]:
    """strings.Fields."""
    return [part for part in re.split(f"[{_BLANKS}]+", text) if part]


_QUOTED = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def go_quoted(text: str) -> str:
    """A text as strconv.Quote writes it: what cannot be printed is escaped."""
    return '"' + "".join(_QUOTED.get(c) or (c if c.isprintable() else _escaped(c)) for c in text) + '"'


def _escaped(c: str) -> str:
    code = ord(c)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def hex_quoted(text: str) -> str:
    """A text as the messages of Go's time quote it: bytes that are no printable ASCII in hexadecimal."""
    shown = ("\\" + chr(b) if b in b'"\\' else chr(b) if 32 <= b < 127 else f"\\x{b:02x}" for b in to_bytes(text))
    return '"' + "".join(shown) + '"'
