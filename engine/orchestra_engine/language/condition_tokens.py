"""The words of a `when`: govaluate's tokens, and which may follow which (https://github.com/Knetic/govaluate)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestra_engine.language import LanguageError
from orchestra_engine.language.gotime import UTC_ZONE, Location, Time
from orchestra_engine.language.values import go_text

_VALUES = frozenset({"NUMERIC", "BOOLEAN", "STRING", "TIME", "VARIABLE", "CLAUSE"})
_AFTER_VALUE = frozenset({"MODIFIER", "COMPARATOR", "LOGICALOP", "CLAUSE_CLOSE", "TERNARY", "SEPARATOR"})
_NEXT: dict[str, frozenset[str]] = {
    "UNKNOWN": _VALUES | {"PREFIX"},
    "CLAUSE": _VALUES | {"PREFIX", "CLAUSE_CLOSE"},
    "CLAUSE_CLOSE": _AFTER_VALUE | _VALUES,
    "NUMERIC": _AFTER_VALUE,
    "BOOLEAN": _AFTER_VALUE,
    "STRING": _AFTER_VALUE,
    "VARIABLE": _AFTER_VALUE,
    "TIME": _AFTER_VALUE - {"TERNARY"},
    "MODIFIER": (_VALUES - {"TIME"}) | {"PREFIX", "CLAUSE_CLOSE"},
    "COMPARATOR": _VALUES | {"PREFIX", "CLAUSE_CLOSE", "PATTERN"},
    "LOGICALOP": _VALUES | {"PREFIX", "CLAUSE_CLOSE"},
    "PREFIX": frozenset({"NUMERIC", "BOOLEAN", "VARIABLE", "CLAUSE", "CLAUSE_CLOSE"}),
    "TERNARY": _VALUES | {"PREFIX", "SEPARATOR"},
    "SEPARATOR": _VALUES | {"PREFIX"},
}
_NEXT["PATTERN"] = _AFTER_VALUE - {"TERNARY"}
_ENDS = frozenset({"CLAUSE_CLOSE", "NUMERIC", "BOOLEAN", "STRING", "TIME", "VARIABLE", "PATTERN"})
SYMBOLS = {
    "MODIFIER": ("+", "-", "*", "/", "%", "**", "&", "|", "^", ">>", "<<"),
    "LOGICALOP": ("&&", "||"),
    "COMPARATOR": ("==", "!=", ">", ">=", "<", "<=", "=~", "!~", "in"),
    "TERNARY": ("?", ":", "??"),
}
_KINDS = {symbol: kind for kind, symbols in SYMBOLS.items() for symbol in symbols}
_MARKS = {",": "SEPARATOR", "(": "CLAUSE", ")": "CLAUSE_CLOSE"}
_PREFIXES = ("-", "!", "~")
_TIMES = ("%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H%z", "%Y-%m-%d %H:%M:%S%z")
_LOCAL_TIMES = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%a %b %d %H:%M:%S %Y")


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is govaluate's name for it; the value of a parenthesis is its code, that of a time a Time."""

    kind: str
    value: Any


def _time(text: str) -> Time | None:
    if not 8 <= len(text) <= 40 or not any(c.isdigit() for c in text):
        return None
    for form in _TIMES:
        try:
            found = datetime.strptime(text, form)
        except ValueError:
            continue
        shift = int((found.utcoffset() or timedelta()).total_seconds())
        return Time(int(found.timestamp()), zone=Location("", None, shift) if shift else UTC_ZONE)
    for form in _LOCAL_TIMES:
        try:
            return Time(int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()))
        except ValueError:
            continue
    return None


class Lexer:
    """Reads tokens; what a word may be depends on the one before."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.state = text, 0, "UNKNOWN"

    def tokens(self) -> list[Token]:
        """All of a text's tokens.

        Raises LanguageError with govaluate's message.
        """
        found: list[Token] = []
        while True:
            while self.at < len(self.text) and self.text[self.at].isspace():
                self.at += 1
            if self.at >= len(self.text):
                return found
            token = self.token(self.text[self.at])
            self.state = token.kind
            found.append(token)

    def until(self, keep: Callable[[str], bool], *, blanks: bool = False) -> tuple[str, bool]:
        """Read while `keep` holds; a backslash takes the next character as it is. False: the text ended first."""
        out: list[str] = []
        while self.at < len(self.text):
            c = self.text[self.at]
            if c == "\\":
                out.append(self.text[self.at + 1 : self.at + 2])
                self.at += 2
                continue
            if not keep(c) or (not blanks and c.isspace()):
                return "".join(out), True
            out.append(c)
            self.at += 1
        return "".join(out), False

    def token(self, c: str) -> Token:
        if c.isdecimal() or c == ".":
            return self.numeric()
        if c in ",()":
            self.at += 1
            return Token(_MARKS[c], c if c == "," else ord(c))
        if c == "[":
            self.at += 1
            return self.enclosed("VARIABLE", lambda x: x != "]", "Unclosed parameter bracket")
        if c.isalpha():
            return self.word()
        if c in "'\"":
            self.at += 1
            token = self.enclosed("STRING", lambda x: x not in "'\"", "Unclosed string literal")
            moment = _time(token.value)
            return token if moment is None else Token("TIME", moment)
        return self.symbol()

    def numeric(self) -> Token:
        if self.text[self.at : self.at + 2] == "0x":
            self.at += 2
            digits, _ = self.until(lambda x: x.lower() in "0123456789abcdef")
            try:
                return Token("NUMERIC", float(int(digits, 16)))
            except (ValueError, OverflowError):
                raise LanguageError(f"Unable to parse hex value '{digits}' to uint64\n") from None
        text, _ = self.until(lambda x: x.isdecimal() or x == ".")
        try:
            return Token("NUMERIC", float(text))
        except ValueError:
            raise LanguageError(f"Unable to parse numeric value '{text}' to float64\n") from None

    def enclosed(self, kind: str, keep: Callable[[str], bool], fault: str) -> Token:
        text, closed = self.until(keep, blanks=True)
        if not closed:
            raise LanguageError(fault)
        self.at += 1
        return Token(kind, text)

    def word(self) -> Token:
        text, _ = self.until(lambda x: x.isalnum() or x in "_.")
        if text in ("true", "false"):
            return Token("BOOLEAN", text == "true")
        if text in ("in", "IN"):
            return Token("COMPARATOR", "in")
        if "." in text:
            if text.endswith("."):
                raise LanguageError(f"Hanging accessor on token '{text}'")
            for part in text.split(".")[1:]:
                if part[:1].upper() != part[:1]:
                    raise LanguageError(f"Unable to access unexported field '{part}' in token '{text}'")
            raise LanguageError(f"No parameter '{text.split('.', maxsplit=1)[0]}' found.")
        return Token("VARIABLE", text)

    def symbol(self) -> Token:
        text, _ = self.until(lambda x: not (x.isalnum() or x in "()[]'\""))
        if "PREFIX" in _NEXT[self.state] and text in _PREFIXES:
            return Token("PREFIX", text)
        if text not in _KINDS:
            raise LanguageError(f"Invalid token: '{text}'")
        return Token(_KINDS[text], text)


def _literal(token: Token) -> str:
    """A token's value as it is shown before anything is evaluated: a time still is one."""
    return str(token.value) if token.kind == "TIME" else go_text(token.value)


def words_as_texts(tokens: list[Token]) -> list[Token]:
    """Argo makes texts of bare words and has the tokens checked again; texts to match with are patterns by then."""
    found: list[Token] = []
    for token in tokens:
        kind = "STRING" if token.kind == "VARIABLE" else token.kind
        if token.kind == "STRING" and found and found[-1].value in ("=~", "!~") and found[-1].kind == "COMPARATOR":
            kind = "PATTERN"
        found.append(Token(kind, token.value))
    return found


def check_syntax(tokens: list[Token]) -> None:
    """Raises LanguageError, in govaluate's words, if a token may not follow the one before it."""
    opened = sum(t.kind == "CLAUSE" for t in tokens) - sum(t.kind == "CLAUSE_CLOSE" for t in tokens)
    if opened:
        raise LanguageError("Unbalanced parenthesis")
    state, last = "UNKNOWN", "<nil>"
    for token in tokens:
        if token.kind not in _NEXT[state]:
            if state == "VARIABLE" and token.kind == "CLAUSE":
                raise LanguageError(f"Undefined function {last}")
            here, there = f"{state} [{last}]", f"{token.kind} [{_literal(token)}]"
            raise LanguageError(f"Cannot transition token types from {here} to {there}")
        state, last = token.kind, _literal(token)
    if tokens and state not in _ENDS:
        raise LanguageError("Unexpected end of expression")
