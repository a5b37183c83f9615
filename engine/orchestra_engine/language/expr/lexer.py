"""Tokens of expr-lang (https://expr-lang.org/docs/language-definition), with their positions for messages."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestra_engine.language import LanguageError
from orchestra_engine.language.gotext import of_bytes

_OPERATOR_WORDS = frozenset(
    {"in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let", "if", "else", "not"}
)
_SCAN = re.compile(
    r"""
    (?P<blank>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<number>0[xX][0-9a-fA-F_]*|0[oO][0-7_]*|0[bB][01_]*
      |(?:[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]*)?)
  | (?P<raw>`(?:[^`]|``)*`)
  | (?P<word>[^\W\d][\w$]*|\$[\w$]*)
  | (?P<operator>\?\.|\?\?|\?|\|\||\||::|:|\.\.|\.|&&|==|!=|<=|>=|\*\*|\#|[,;%+\-^/*<>=!&])
  | (?P<bracket>[(\[{)\]}])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"'}
_HEX = {"x": 2, "u": 4, "U": 8}
_MAX_TOKENS = 20_000


@dataclass(frozen=True, slots=True)
class Token:
    """kind is Identifier, Number, String, Operator, Bracket or EOF; `at` is the index of its first character."""

    kind: str
    value: str
    at: int

    def __str__(self) -> str:
        if self.kind == "EOF":
            return "EOF"
        return f'{self.kind}("{self.value}")'


def located(message: str, source: str, at: int) -> LanguageError:
    """An error with the line, the column and a caret, as expr-lang prints it."""
    before = source[:at]
    line = before.count("\n") + 1
    start = before.rfind("\n") + 1
    text = source[start:].split("\n", 1)[0]
    if not text:
        return LanguageError(message)
    column = at - start
    shown = text.replace("\t", " ")
    return LanguageError(f"{message} ({line}:{column + 1})\n | {shown}\n | {'.' * column}^")


def _string(source: str, start: int, *, raw: bool = False) -> tuple[str, int]:
    quote, at = source[start], start + 1
    out: list[str] = []
    while True:
        if at >= len(source) or source[at] == "\n":
            raise located("literal not terminated", source, at if at < len(source) else len(source))
        c = source[at]
        if c == quote:
            return "".join(out), at + 1
        if c != "\\":
            out.append(c)
            at += 1
            continue
        hexadecimal = raw and source[at + 1 : at + 2] in ("x", *"01234567")
        text, at = _escape(source, at + 1)
        out.append(of_bytes(bytes([ord(text) % 256])) if hexadecimal else text)


def _escape(source: str, at: int) -> tuple[str, int]:
    c = source[at : at + 1]
    if c in _ESCAPES and c:
        return _ESCAPES[c], at + 1
    if c and c in "01234567":
        digits, base, end = source[at : at + 3], 8, at + 3
    elif source[at : at + 2] == "u{":
        end = source.find("}", at) + 1
        digits, base = source[at + 2 : end - 1], 16
    elif c in _HEX and c:
        end = at + 1 + _HEX[c]
        digits, base = source[at + 1 : end], 16
    else:
        raise located("invalid char escape", source, at)
    try:
        code = int(digits, base)
        return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code), end
    except (ValueError, OverflowError):
        raise located("invalid char escape", source, at) from None


def tokens(source: str) -> list[Token]:
    """All tokens of an expression, EOF last.

    Raises LanguageError, with position and caret, at the first character that begins none.
    """
    found: list[Token] = []
    at = 0
    while at < len(source):
        if source[at] in "'\"":
            value, end = _string(source, at)
            found.append(Token("String", value, at))
            at = end
            continue
        if source[at] in "bB" and source[at + 1 : at + 2] in ("'", '"') and source[at + 1 :]:
            value, end = _string(source, at + 1, raw=True)
            found.append(Token("Bytes", value, at))
            at = end
            continue
        scanned = _SCAN.match(source, at)
        if source.startswith("/*", at) and "*/" not in source[at + 2 :]:
            raise located("unclosed comment", source, len(source))
        if scanned is None:
            if source[at] == "`":
                raise located("literal not terminated", source, len(source))
            raise located(f"unrecognized character: U+{ord(source[at]):04X} '{source[at]}'", source, at)
        if scanned.lastgroup != "blank":
            found.append(_token(str(scanned.lastgroup), scanned[0], at, source))
        at = scanned.end()
        if len(found) > _MAX_TOKENS:
            raise LanguageError("compilation failed: expression exceeds maximum allowed nodes")
    found.append(Token("EOF", "", max(len(source) - 1, 0)))
    return found


def _token(group: str, text: str, at: int, source: str) -> Token:
    if group == "word":
        return Token("Operator" if text in _OPERATOR_WORDS else "Identifier", text, at)
    if group == "raw":
        return Token("String", text[1:-1].replace("``", "`"), at)
    if group == "number":
        following = source[at + len(text) : at + len(text) + 1]
        if following.isalnum() or following == "_":
            raise located(f'bad number syntax: "{text}{following}"', source, at + len(text))
        return Token("Number", text, at)
    return Token("Operator" if group == "operator" else "Bracket", text, at)
