"""`when`: Argo evaluates it with govaluate after the tags are replaced; bare words are strings.

Operators and messages follow https://github.com/Knetic/govaluate. Nothing here is executed by Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from orchestra_engine.language import LanguageError, regex
from orchestra_engine.language.condition_tokens import SYMBOLS, Lexer, Token, check_syntax, words_as_texts
from orchestra_engine.language.expr.operators import power, truncated
from orchestra_engine.language.values import WORD, go_text

_LEVELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("TERNARY", ("?", ":", "??")),
    ("LOGICALOP", ("||",)),
    ("LOGICALOP", ("&&",)),
    ("COMPARATOR", SYMBOLS["COMPARATOR"]),
    ("MODIFIER", ("^", "&", "|")),
    ("MODIFIER", (">>", "<<")),
    ("MODIFIER", ("+", "-")),
    ("MODIFIER", ("*", "/", "%")),
    ("MODIFIER", ("**",)),
)
_MAX_LENGTH = 100_000
_MAX_DEPTH = 60


class _Evaluator:
    """Recursive descent over the tokens, evaluating as it goes (`live` false: parse only)."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.at, self.depth = tokens, 0, 0

    def peek(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def separated(self, live: bool) -> Any:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise LanguageError(f"the condition is nested more than {_MAX_DEPTH} deep")
        value = self.level(0, live)
        token = self.peek()
        if token is not None and token.kind == "SEPARATOR":
            while (token := self.peek()) is not None and token.kind == "SEPARATOR":
                self.at += 1
                following = self.level(0, live)
                value = [*value, following] if isinstance(value, list) else [value, following]
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
        if symbol in ("??", ":"):
            right = self.level(1, live and left is None)
            return right if left is None else left
        right = self.level(1, live and left is not False)
        if live and not isinstance(left, bool):
            raise LanguageError(
                f"Value '{go_text(left)}' cannot be used with the ternary operator '?', it is not a bool"
            )
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
        return float(token.value.seconds) if token.kind == "TIME" else token.value


def _prefix(symbol: str, value: Any, live: bool) -> Any:
    if not live:
        return None
    if symbol == "!":
        if not isinstance(value, bool):
            raise LanguageError(f"Value '{go_text(value)}' cannot be used with the prefix '!'")
        return not value
    if isinstance(value, bool) or not isinstance(value, float):
        raise LanguageError(f"Value '{go_text(value)}' cannot be used with the prefix '{symbol}'")
    return -value if symbol == "-" else float(~int(value))


def _numbers(symbol: str, kind: str, left: Any, right: Any) -> None:
    for value in (left, right):
        if not isinstance(value, float):
            raise LanguageError(
                f"Value '{go_text(value)}' cannot be used with the {kind} '{symbol}', it is not a number"
            )


def _apply(symbol: str, left: Any, right: Any) -> Any:
    if symbol in ("==", "!="):
        same = type(left) is type(right) and left == right
        return same if symbol == "==" else not same
    if symbol in ("&&", "||"):
        for value in (left, right):
            if not isinstance(value, bool):
                raise LanguageError(
                    f"Value '{go_text(value)}' cannot be used with the logical operator '{symbol}', it is not a bool"
                )
        return (left and right) if symbol == "&&" else (left or right)
    if symbol == "in":
        if not isinstance(right, list):
            raise LanguageError(f"Value '{go_text(right)}' cannot be used with the comparator 'in', it is not a number")
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
                f"Value '{go_text(value)}' cannot be used with the comparator '{symbol}', it is not a number"
            )
    found = regex.search(right, left) is not None
    return found if symbol == "=~" else not found


def _compare(symbol: str, left: Any, right: Any) -> bool:
    if any(isinstance(left, kind) and isinstance(right, kind) for kind in (str, float)):
        return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[symbol])
    raise LanguageError(f"Value '{go_text(left)}' cannot be used with the comparator '{symbol}', it is not a number")


def _shift(value: int, by: int) -> int:
    """A shift to the left, or by a negative number to the right, of 64 bits without a sign."""
    return (value % WORD << by) % WORD if by >= 0 else value % WORD >> -by


_BITS: dict[str, Callable[[int, int], int]] = {
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<<": lambda a, b: _shift(a, min(b % WORD, 64)),
    ">>": lambda a, b: _shift(a, -min(b % WORD, 64)),
}
_NUMERIC: dict[str, Callable[[float, float], float]] = {
    "+": float.__add__,
    "-": float.__sub__,
    "*": float.__mul__,
    "/": float.__truediv__,
    "%": math.fmod,
    "**": power,
}


def _arithmetic(symbol: str, left: Any, right: Any) -> Any:
    if symbol == "+" and (isinstance(left, str) or isinstance(right, str)):
        joined = go_text(left) + go_text(right)
        if len(joined) > _MAX_LENGTH:
            raise LanguageError(f"a text of more than {_MAX_LENGTH} characters")
        return joined
    if symbol == "+" and not (isinstance(left, float) and isinstance(right, float)):
        raise LanguageError(f"Value '{go_text(left)}' cannot be used with the modifier '+', it is not a number")
    _numbers(symbol, "modifier", left, right)
    if symbol in _BITS:
        return float(_BITS[symbol](truncated(left), truncated(right)))
    try:
        if symbol in ("/", "%") and right == 0:
            return math.nan if symbol == "%" or left == 0 else math.copysign(math.inf, left)
        return _NUMERIC[symbol](left, right)
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
        tokens = Lexer(text).tokens()
        check_syntax(tokens)
    except LanguageError as error:
        hint = ' (hint: try wrapping the affected expression in quotes ("))' if "Invalid token" in str(error) else ""
        raise LanguageError(f"Invalid 'when' expression '{text}': {error}{hint}") from None
    try:
        check_syntax(tokens := words_as_texts(tokens))
    except LanguageError as error:
        raise LanguageError(f"Failed to parse 'when' expression '{text}': {error}") from None
    try:
        result = _Evaluator(tokens).separated(True) if tokens else None
    except LanguageError as error:
        raise LanguageError(f"Failed to evaluate 'when' expresion '{text}': {error}") from None
    if not isinstance(result, bool):
        raise LanguageError(f"Expected boolean evaluation for '{text}'. Got {go_text(result)}")
    return result
