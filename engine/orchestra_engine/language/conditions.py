"""`when`: Argo evaluates it with govaluate after the tags are replaced; bare words are strings.

Grammar and messages follow https://github.com/Knetic/govaluate. Nothing here is executed by Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from orchestra_engine.language import LanguageError, regex
from orchestra_engine.language.gojson import number

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
    "COMPARATOR": _VALUES | {"PREFIX", "CLAUSE_CLOSE"},
    "LOGICALOP": _VALUES | {"PREFIX", "CLAUSE_CLOSE"},
    "PREFIX": frozenset({"NUMERIC", "BOOLEAN", "VARIABLE", "CLAUSE", "CLAUSE_CLOSE"}),
    "TERNARY": _VALUES | {"PREFIX", "SEPARATOR"},
    "SEPARATOR": _VALUES | {"PREFIX"},
}
_ENDS = frozenset({"CLAUSE_CLOSE", "NUMERIC", "BOOLEAN", "STRING", "TIME", "VARIABLE"})
_SYMBOLS = {
    "MODIFIER": ("+", "-", "*", "/", "%", "**", "&", "|", "^", ">>", "<<"),
    "LOGICALOP": ("&&", "||"),
    "COMPARATOR": ("==", "!=", ">", ">=", "<", "<=", "=~", "!~", "in"),
    "TERNARY": ("?", ":", "??"),
}
_KINDS = {symbol: kind for kind, symbols in _SYMBOLS.items() for symbol in symbols}
_MARKS = {",": "SEPARATOR", "(": "CLAUSE", ")": "CLAUSE_CLOSE"}
_PREFIXES = ("-", "!", "~")
_LEVELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("TERNARY", ("?", ":", "??")),
    ("LOGICALOP", ("||",)),
    ("LOGICALOP", ("&&",)),
    ("COMPARATOR", _SYMBOLS["COMPARATOR"]),
    ("MODIFIER", ("^", "&", "|")),
    ("MODIFIER", (">>", "<<")),
    ("MODIFIER", ("+", "-")),
    ("MODIFIER", ("*", "/", "%")),
    ("MODIFIER", ("**",)),
)
_TIMES = ("%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H%z", "%Y-%m-%d %H:%M:%S%z")
_LOCAL_TIMES = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%a %b %d %H:%M:%S %Y")
_MAX_LENGTH = 100_000
_MAX_DEPTH = 60


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: Any


def _time(text: str) -> float | None:
    if not 8 <= len(text) <= 40 or not any(c.isdigit() for c in text):
        return None
    for form in _TIMES:
        try:
            return datetime.strptime(text, form).timestamp()
        except ValueError:
            continue
    for form in _LOCAL_TIMES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    return None


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.state = text, 0, "UNKNOWN"

    def tokens(self) -> list[_Token]:
        found: list[_Token] = []
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

    def token(self, c: str) -> _Token:
        if c.isdecimal() or c == ".":
            return self.numeric()
        if c in ",()":
            self.at += 1
            return _Token(_MARKS[c], c if c == "," else ord(c))
        if c == "[":
            self.at += 1
            return self.enclosed("VARIABLE", lambda x: x != "]", "Unclosed parameter bracket")
        if c.isalpha():
            return self.word()
        if c in "'\"":
            self.at += 1
            token = self.enclosed("STRING", lambda x: x not in "'\"", "Unclosed string literal")
            moment = _time(token.value)
            return token if moment is None else _Token("TIME", moment)
        return self.symbol()

    def numeric(self) -> _Token:
        if self.text[self.at : self.at + 2] == "0x":
            self.at += 2
            digits, _ = self.until(lambda x: x.lower() in "0123456789abcdef")
            try:
                return _Token("NUMERIC", float(int(digits, 16)))
            except (ValueError, OverflowError):
                raise LanguageError(f"Unable to parse hex value '{digits}' to uint64\n") from None
        text, _ = self.until(lambda x: x.isdecimal() or x == ".")
        try:
            return _Token("NUMERIC", float(text))
        except ValueError:
            raise LanguageError(f"Unable to parse numeric value '{text}' to float64\n") from None

    def enclosed(self, kind: str, keep: Callable[[str], bool], fault: str) -> _Token:
        text, closed = self.until(keep, blanks=True)
        if not closed:
            raise LanguageError(fault)
        self.at += 1
        return _Token(kind, text)

    def word(self) -> _Token:
        text, _ = self.until(lambda x: x.isalnum() or x in "_.")
        if text in ("true", "false"):
            return _Token("BOOLEAN", text == "true")
        if text in ("in", "IN"):
            return _Token("COMPARATOR", "in")
        if "." in text:
            if text.endswith("."):
                raise LanguageError(f"Hanging accessor on token '{text}'")
            for part in text.split(".")[1:]:
                if part[:1].upper() != part[:1]:
                    raise LanguageError(f"Unable to access unexported field '{part}' in token '{text}'")
            raise LanguageError(f"No parameter '{text.split('.', maxsplit=1)[0]}' found.")
        return _Token("VARIABLE", text)

    def symbol(self) -> _Token:
        text, _ = self.until(lambda x: not (x.isalnum() or x in "()[]'\""))
        if "PREFIX" in _NEXT[self.state] and text in _PREFIXES:
            return _Token("PREFIX", text)
        if text not in _KINDS:
            raise LanguageError(f"Invalid token: '{text}'")
        return _Token(_KINDS[text], text)


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return number(value) if isinstance(value, float) else str(value)


def _check_syntax(tokens: list[_Token]) -> None:
    opened = sum(t.kind == "CLAUSE" for t in tokens) - sum(t.kind == "CLAUSE_CLOSE" for t in tokens)
    if opened:
        raise LanguageError("Unbalanced parenthesis")
    state, last = "UNKNOWN", None
    for token in tokens:
        if token.kind not in _NEXT[state]:
            if state == "VARIABLE" and token.kind == "CLAUSE":
                raise LanguageError(f"Undefined function {last}")
            here = f"{state} [{'<nil>' if last is None else _show(last)}]"
            raise LanguageError(f"Cannot transition token types from {here} to {token.kind} [{_show(token.value)}]")
        state, last = token.kind, token.value
    if tokens and state not in _ENDS:
        raise LanguageError("Unexpected end of expression")


class _Evaluator:
    """Recursive descent over the tokens, evaluating as it goes (`live` false: parse only)."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens, self.at, self.depth = tokens, 0, 0

    def peek(self) -> _Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def separated(self, live: bool) -> Any:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise LanguageError(f"the condition is nested more than {_MAX_DEPTH} deep")
        value = self.level(0, live)
        token = self.peek()
        if token is not None and token.kind == "SEPARATOR":
            values = [value]
            while (token := self.peek()) is not None and token.kind == "SEPARATOR":
                self.at += 1
                values.append(self.level(0, live))
            value = values
        self.depth -= 1
        return value

    def level(self, index: int, live: bool) -> Any:
        if index == len(_LEVELS):
            return self.primary(live)
        kind, symbols = _LEVELS[index]
        left = self.level(index + 1, live)
        while (token := self.peek()) is not None and token.kind == kind and token.value in symbols:
            self.at += 1
            symbol = token.value
            if kind == "TERNARY":
                left = self.ternary(symbol, left, live)
                continue
            lazy = (symbol == "&&" and left is False) or (symbol == "||" and left is True)
            right = self.level(index + 1, live and not lazy)
            if live:
                left = left if lazy else _apply(symbol, left, right)
        return left

    def ternary(self, symbol: str, left: Any, live: bool) -> Any:
        if symbol == "??":
            right = self.level(1, live and left is None)
            return right if left is None else left
        if symbol == ":":
            right = self.level(1, live and left is None)
            return right if left is None else left
        if live and not isinstance(left, bool):
            raise LanguageError(f"Value '{_show(left)}' cannot be used with the ternary operator '?', it is not a bool")
        right = self.level(1, live and left is True)
        return right if left is True else None

    def primary(self, live: bool) -> Any:
        token = self.peek()
        if token is None:
            raise LanguageError("Unexpected end of expression")
        self.at += 1
        if token.kind == "PREFIX":
            return _prefix(token.value, self.primary(live), live)
        if token.kind == "CLAUSE":
            value = self.separated(live)
            self.at += 1
            return value
        if token.kind == "CLAUSE_CLOSE":
            raise LanguageError("Unable to plan token kind: 'CLAUSE_CLOSE', value: '41'")
        return token.value


def _prefix(symbol: str, value: Any, live: bool) -> Any:
    if not live:
        return None
    if symbol == "!":
        if not isinstance(value, bool):
            raise LanguageError(f"Value '{_show(value)}' cannot be used with the prefix '!'")
        return not value
    if isinstance(value, bool) or not isinstance(value, float):
        raise LanguageError(f"Value '{_show(value)}' cannot be used with the prefix '{symbol}'")
    return -value if symbol == "-" else float(~int(value))


def _numbers(symbol: str, kind: str, left: Any, right: Any) -> None:
    for value in (left, right):
        if not isinstance(value, float):
            raise LanguageError(f"Value '{_show(value)}' cannot be used with the {kind} '{symbol}', it is not a number")


def _apply(symbol: str, left: Any, right: Any) -> Any:
    if symbol in ("==", "!="):
        same = type(left) is type(right) and left == right
        return same if symbol == "==" else not same
    if symbol in ("&&", "||"):
        for value in (left, right):
            if not isinstance(value, bool):
                raise LanguageError(
                    f"Value '{_show(value)}' cannot be used with the logical operator '{symbol}', it is not a bool"
                )
        return (left and right) if symbol == "&&" else (left or right)
    if symbol == "in":
        if not isinstance(right, list):
            raise LanguageError(f"Value '{_show(right)}' cannot be used with the comparator 'in', it is not an array")
        return any(type(left) is type(item) and left == item for item in right)
    if symbol in ("=~", "!~"):
        return _match(symbol, left, right)
    if symbol in ("<", "<=", ">", ">="):
        return _compare(symbol, left, right)
    return _arithmetic(symbol, left, right)


def _match(symbol: str, left: Any, right: Any) -> bool:
    for value in (left, right):
        if not isinstance(value, str):
            raise LanguageError(
                f"Value '{_show(value)}' cannot be used with the comparator '{symbol}', it is not a string"
            )
    found = regex.search(right, left) is not None
    return found if symbol == "=~" else not found


def _compare(symbol: str, left: Any, right: Any) -> bool:
    if not (isinstance(left, str) and isinstance(right, str)):
        _numbers(symbol, "comparator", left, right)
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[symbol]


def _arithmetic(symbol: str, left: Any, right: Any) -> Any:
    if symbol == "+" and (isinstance(left, str) or isinstance(right, str)):
        joined = _show(left) + _show(right)
        if len(joined) > _MAX_LENGTH:
            raise LanguageError(f"a text of more than {_MAX_LENGTH} characters")
        return joined
    _numbers(symbol, "modifier", left, right)
    try:
        if symbol in ("&", "|", "^", ">>", "<<"):
            a, b = int(left), int(right)
            shifted = {"&": a & b, "|": a | b, "^": a ^ b, ">>": a >> min(b, 64), "<<": a << min(b, 64)}[symbol]
            return float(shifted)
        if symbol in ("/", "%") and right == 0:
            return math.nan if symbol == "%" or left == 0 else math.copysign(math.inf, left)
        operations: dict[str, Callable[[float, float], float]] = {
            "+": lambda a, b: a + b,
            "-": lambda a, b: a - b,
            "*": lambda a, b: a * b,
            "/": lambda a, b: a / b,
            "%": math.fmod,
            "**": math.pow,
        }
        return operations[symbol](left, right)
    except (OverflowError, ValueError):
        return math.nan


@lru_cache(maxsize=4096)
def evaluate(text: str) -> bool:
    """Whether a `when`, its tags already replaced, holds; an empty one does.

    Raises LanguageError with Argo's message.
    """
    if not text:
        return True
    if len(text) > _MAX_LENGTH:
        raise LanguageError(f"Invalid 'when' expression: it has more than {_MAX_LENGTH} characters")
    try:
        tokens = _Lexer(text).tokens()
        _check_syntax(tokens)
    except LanguageError as error:
        hint = ' (hint: try wrapping the affected expression in quotes ("))' if "Invalid token" in str(error) else ""
        raise LanguageError(f"Invalid 'when' expression '{text}': {error}{hint}") from None
    try:
        result = _Evaluator(tokens).separated(True) if tokens else None
    except LanguageError as error:
        raise LanguageError(f"Failed to evaluate 'when' expresion '{text}': {error}") from None
    if not isinstance(result, bool):
        shown = "<nil>" if result is None else _show(result)
        raise LanguageError(f"Expected boolean evaluation for '{text}'. Got {shown}")
    return result
