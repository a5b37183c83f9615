"""expr-lang's builtins of numbers and bits: https://expr-lang.org/docs/language-definition."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from orchestra_engine.language import LanguageError
from orchestra_engine.language.expr.operators import truncated
from orchestra_engine.language.gotext import (
    go_float,
    go_int,
)
from orchestra_engine.language.gotime import Duration, Month, Weekday
from orchestra_engine.language.values import (
    is_integer,
    is_number,
    type_name,
    wrapped,
)

_MAX_DEPTH = 1000


def to_int(value: Any) -> int:
    """expr-lang's int(): of a number or of a text that is an integer."""
    if isinstance(value, str):
        found = go_int(value)
        if found is None:
            raise LanguageError(f"invalid operation: int({value})")
        return found
    if is_number(value):
        return truncated(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise LanguageError(f"invalid operation: int({type_name(value)})")


def to_float(value: Any) -> float:
    """expr-lang's float(): of a number or of a text that is one."""
    if isinstance(value, str):
        found = go_float(value)
        if found is None:
            raise LanguageError(f"invalid operation: float({value})")
        return found
    if not is_number(value):
        raise LanguageError(f"invalid operation: float({type_name(value)})")
    return float(value)


def _numeric(value: Any, name: str) -> Any:
    if not is_number(value):
        raise LanguageError(f"invalid argument for {name} (type {type_name(value)})")
    return value


def _abs(value: Any) -> Any:
    number = _numeric(value, "abs")
    return abs(number) if isinstance(number, float) else type(number)(wrapped(abs(number)))


def _whole(name: str, operation: Callable[[float], float]) -> Callable[[Any], float]:
    def call(value: Any) -> float:
        number = float(_numeric(value, name))
        return math.copysign(operation(number), number) if math.isfinite(number) else number

    return call


def _away(number: float) -> float:
    """math.Round: half away from zero."""
    whole = math.floor(abs(number))
    return math.copysign(whole + (abs(number) - whole >= 0.5), number)


def _numbers_in(name: str, arguments: tuple[Any, ...], depth: int = 0) -> list[Any]:
    if depth > _MAX_DEPTH:
        raise LanguageError("recursion depth exceeded")
    found: list[Any] = []
    for argument in arguments:
        if isinstance(argument, list):
            found += _numbers_in(name, tuple(argument), depth + 1)
        elif name in ("mean", "median") and isinstance(argument, Duration | Month | Weekday):
            found.append(int(argument))
        else:
            found.append(_numeric(argument, name))
    return found


def _extreme(name: str, better: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        if len(arguments) == 1 and not isinstance(arguments[0], list):
            return arguments[0]
        best: Any = None
        for value in _numbers_in(name, arguments):
            best = value if best is None or better(value, best) else best
        return best

    return call


def _mean(*arguments: Any) -> float:
    values = [float(v) for v in _numbers_in("mean", arguments)]
    return sum(values) / len(values) if values else 0.0


def _median(*arguments: Any) -> float:
    values = sorted(float(v) for v in _numbers_in("median", arguments))
    if not values:
        return 0.0
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def _bits(name: str, operation: Callable[..., int], *, shift: bool = False, count: int = 2) -> Callable[..., int]:
    def call(*arguments: Any) -> int:
        if len(arguments) != count:
            raise LanguageError(f"invalid number of arguments for {name} (expected {count}, got {len(arguments)})")
        for argument in arguments:
            if not is_integer(argument):
                raise LanguageError(f"cannot use {type_name(argument)} as argument (type int) to call {name}")
        if shift and arguments[1] < 0:
            raise LanguageError(f"invalid operation: negative shift count {arguments[1]} (type int)")
        return wrapped(operation(*map(int, arguments)))

    return call


FIGURES: dict[str, Callable[..., Any]] = {
    "abs": _abs,
    "ceil": _whole("ceil", math.ceil),
    "floor": _whole("floor", math.floor),
    "round": _whole("round", _away),
    "int": to_int,
    "float": to_float,
    "max": _extreme("max", lambda a, b: a > b),
    "min": _extreme("min", lambda a, b: a < b),
    "mean": _mean,
    "median": _median,
    "bitand": _bits("bitand", lambda a, b: a & b),
    "bitor": _bits("bitor", lambda a, b: a | b),
    "bitxor": _bits("bitxor", lambda a, b: a ^ b),
    "bitnand": _bits("bitnand", lambda a, b: a & ~b),
    "bitshl": _bits("bitshl", lambda a, b: a << min(b, 64), shift=True),
    "bitshr": _bits("bitshr", lambda a, b: a >> min(b, 64), shift=True),
    "bitushr": _bits("bitushr", lambda a, b: a % 2**64 >> min(b, 64), shift=True),
    "bitnot": _bits("bitnot", lambda a: ~a, count=1),
}
