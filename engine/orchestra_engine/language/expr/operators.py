"""What expr-lang's operators do to two values while an expression runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from orchestra_engine.language import LanguageError, regex
from orchestra_engine.language.gotext import of_bytes
from orchestra_engine.language.gotime import Duration, Time
from orchestra_engine.language.values import (
    AnyMap,
    Bytes,
    Ints,
    conversion_fault,
    equal,
    is_integer,
    is_number,
    type_name,
    wrapped,
)

_MAX_ITEMS = 100_000
_MAX_INT = 2**63


def _unfit(operator: str, left: Any, right: Any) -> LanguageError:
    return LanguageError(f"invalid operation: {type_name(left)} {operator} {type_name(right)}")


def _number(operator: str, left: Any, right: Any, whole: Callable[[int, int], int], real: Callable[..., float]) -> Any:
    if not (is_number(left) and is_number(right)):
        raise _unfit(operator, left, right)
    if isinstance(left, float) or isinstance(right, float):
        return real(float(left), float(right))
    return wrapped(whole(int(left), int(right)))


def add(left: Any, right: Any) -> Any:
    """Numbers, texts, a moment and a duration, two durations."""
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, Duration) and isinstance(right, Time):
        left, right = right, left
    if isinstance(left, Time) and isinstance(right, Duration):
        return left.plus(right)
    if isinstance(left, Duration) and isinstance(right, Duration):
        return Duration(wrapped(int(left) + int(right)))
    return _number("+", left, right, int.__add__, float.__add__)


def subtract(left: Any, right: Any) -> Any:
    """Numbers, two moments, a duration from a moment or a duration."""
    if isinstance(left, Time) and isinstance(right, Time):
        return Duration(min(max(left.instant - right.instant, -_MAX_INT), _MAX_INT - 1))
    if isinstance(left, Time) and isinstance(right, Duration):
        return left.plus(-right)
    if isinstance(left, Duration) and isinstance(right, Duration):
        return Duration(wrapped(int(left) - int(right)))
    return _number("-", left, right, int.__sub__, float.__sub__)


def multiply(left: Any, right: Any) -> Any:
    """Numbers; a duration so many times, which is a plain number if they are fractional."""
    if isinstance(left, Duration) or isinstance(right, Duration):
        if not all(isinstance(side, Duration) or is_number(side) for side in (left, right)):
            raise _unfit("*", left, right)
        if isinstance(left, float) or isinstance(right, float):
            return float(left) * float(right)
        return Duration(wrapped(int(left) * int(right)))
    return _number("*", left, right, int.__mul__, float.__mul__)


def divide(left: Any, right: Any) -> float:
    """Numbers; never whole, and by zero as IEEE 754 has it."""
    if not (is_number(left) and is_number(right)):
        raise _unfit("/", left, right)
    a, b = float(left), float(right)
    if b:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)


def modulo(left: Any, right: Any) -> int:
    """Integers; the sign is that of the first, as in Go."""
    if not (is_integer(left) and is_integer(right)):
        raise _unfit("%", left, right)
    if right == 0:
        raise LanguageError("runtime error: integer divide by zero")
    rest = abs(int(left)) % abs(int(right))
    return -rest if left < 0 else rest


def to_float(value: Any) -> float:
    """A number as a float64.

    Raises LanguageError for anything else.
    """
    if not is_number(value):
        raise LanguageError(f"invalid operation: float({type_name(value)})")
    return float(value)


def to_int(value: Any) -> int:
    """A number as an int, its fraction cut off.

    Raises LanguageError for anything else.
    """
    if not is_number(value):
        raise LanguageError(f"invalid operation: int({type_name(value)})")
    return truncated(value)


def truncated(value: float) -> int:
    """Go's conversion of a number to an int; what an int cannot hold is its least."""
    if isinstance(value, int):
        return int(value)
    if not math.isfinite(value) or not -_MAX_INT <= value < _MAX_INT:
        return -_MAX_INT
    return int(value)


def power(left: Any, right: Any) -> float:
    """Go's math.Pow, whose last digit is not always that of C's pow."""
    base, exponent = to_float(left), to_float(right)
    try:
        exact = math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:
        if base == 0:
            return math.copysign(math.inf, base) if exponent % 2 == 1 else math.inf
        return math.nan
    plain = math.isfinite(exact) and exact != 0 and base not in (0, 1) and abs(exponent) < 2**53
    return _squared(base, exponent) if plain and exponent not in (0, 1, 0.5, -0.5) else exact


def _squared(base: float, exponent: float) -> float:
    """By squaring, as Go does it; the fraction of the exponent by logarithm."""
    fraction, whole = math.modf(abs(exponent))
    count, result, result_exponent = int(whole), 1.0, 0
    if fraction > 0.5:
        fraction, count = fraction - 1, count + 1
    if fraction:
        result = math.exp(fraction * math.log(base))
    square, square_exponent = math.frexp(base)
    while count and -4096 <= square_exponent <= 4096:
        if count & 1:
            result *= square
            result_exponent += square_exponent
        square, square_exponent = square * square, square_exponent * 2
        if square < 0.5:
            square, square_exponent = square * 2, square_exponent - 1
        count >>= 1
    if count:
        result_exponent += square_exponent
    try:
        return math.ldexp(result, result_exponent) if exponent >= 0 else math.ldexp(1 / result, -result_exponent)
    except OverflowError:
        return math.inf


def span(left: Any, right: Any) -> list[int]:
    """The integers from one to the other, both included.

    Raises LanguageError if they are too many.
    """
    first, last = to_int(left), to_int(right)
    if last - first >= _MAX_ITEMS:
        raise LanguageError("memory budget exceeded")
    return Ints(range(first, last + 1))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise LanguageError(conversion_fault(value, "string"))
    return value


def _of_texts(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda left, right: False if left is None or right is None else test(_text(left), _text(right))


def _matches(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    if not isinstance(left, str):
        pattern = _text(right)
        if not isinstance(left, Bytes):
            raise LanguageError(conversion_fault(left, "[]uint8"))
        return regex.search(pattern, of_bytes(bytes(left))) is not None
    return regex.search(_text(right), left) is not None


def _ordered(operator: str, test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(left: Any, right: Any) -> bool:
        if (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
            return test(left, right)
        if isinstance(left, Time) and isinstance(right, Time):
            return test(left.instant, right.instant)
        if isinstance(left, Duration) and isinstance(right, Duration):
            return test(left, right)
        raise _unfit(operator, left, right)

    return compare


def contained(needle: Any, items: Any) -> bool:
    """`in`: an item of a list, a key of a map, nothing of nil.

    Raises LanguageError for anything else.
    """
    if items is None:
        return False
    if isinstance(items, list):
        return any(equal(item, needle) for item in items)
    if isinstance(items, AnyMap):
        return AnyMap.hashed(needle) in items
    if isinstance(items, dict):
        if needle is not None and not isinstance(needle, str):
            raise LanguageError(
                f"reflect.Value.MapIndex: value of type {type_name(needle)} is not assignable to type string"
            )
        return (needle or "") in items
    if isinstance(items, Time):
        if not isinstance(needle, str):
            raise LanguageError(f"cannot use {type_name(needle)} as field name of time.Time")
        return False  # it has fields, but none that shows
    raise LanguageError(f'operator "in" not defined on {type_name(items)}')


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": _ordered("<", lambda a, b: a < b),
    "<=": _ordered("<=", lambda a, b: a <= b),
    ">": _ordered(">", lambda a, b: a > b),
    ">=": _ordered(">=", lambda a, b: a >= b),
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": modulo,
    "**": power,
    "^": power,
    "..": span,
    "in": contained,
    "matches": _matches,
    "contains": _of_texts(lambda a, b: b in a),
    "startsWith": _of_texts(lambda a, b: a.startswith(b)),
    "endsWith": _of_texts(lambda a, b: a.endswith(b)),
}
