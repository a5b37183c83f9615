"""sprig's functions of numbers: https://masterminds.github.io/sprig/math.html and integer_slice.html."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from orchestra_engine.language import LanguageError
from orchestra_engine.language.expr.operators import truncated
from orchestra_engine.language.gotext import go_float, go_int
from orchestra_engine.language.gotime import Duration, Month, Weekday
from orchestra_engine.language.values import Int64, Ints, go_text, is_number, wrapped

_MAX_ITEMS = 100_000
_DECIMALS = Context(prec=1400, rounding=ROUND_HALF_UP, Emin=-9999, Emax=9999, traps=[])
_WITH_BASE = re.compile(r"([+-]?)(0[xX]_?|0[oO]_?|0[bB]_?|0_?)?([0-9a-zA-Z]+(?:_[0-9a-zA-Z]+)*)")
_DECIMAL_POINT = re.compile(r"([-+]?\d*)(\.\d*)?")


def _literal(text: str) -> int | None:
    """An integer in Go's own notation, with a prefix for its base."""
    found = _WITH_BASE.fullmatch(text)
    if found is None:
        return go_int(text)
    base = {"0x": 16, "0o": 8, "0b": 2, "0": 8}.get((found[2] or "").lower().rstrip("_"), 10)
    try:
        value = int(found[3][:80].replace("_", ""), base) * (-1 if found[1] == "-" else 1)
    except ValueError:
        return None
    return value if -(2**63) <= value < 2**63 else None


def int64(value: Any) -> int:
    """sprig's toInt64: what is no number is 0."""
    if isinstance(value, bool):
        return int(value)
    if is_number(value):
        return truncated(value)
    if isinstance(value, Duration | Month | Weekday):
        return int(value)
    if not isinstance(value, str):
        return 0
    found = _DECIMAL_POINT.fullmatch(value)
    whole = (found[1] if found[1] not in ("", "-", "+") else found[1] + "0") if found and found[2] else value
    return _literal(whole) or 0 if value else 0


def float64(value: Any) -> float:
    """sprig's toFloat64: what is no number is 0."""
    if isinstance(value, str):
        return go_float(value) or 0.0
    return float(value) if is_number(value) or isinstance(value, bool | Duration | Month | Weekday) else 0.0


def _long(value: int) -> Int64:
    return Int64(wrapped(value))


def _div(a: Any, b: Any) -> Int64:
    dividend, divisor = int64(a), int64(b)
    if divisor == 0:
        raise LanguageError("runtime error: integer divide by zero")
    quotient = abs(dividend) // abs(divisor)
    return _long(quotient if (dividend < 0) == (divisor < 0) else -quotient)


def _mod(a: Any, b: Any) -> Int64:
    return _long(int64(a) - int64(b) * _div(a, b))


def _mul(first: Any, *rest: Any) -> Int64:
    product = int64(first)
    for value in rest:
        product = wrapped(product * int64(value))
    return Int64(product)


def until(start: int, stop: int, step: int) -> list[int]:
    """sprig's untilStep.

    Raises LanguageError for more than 100,000 integers.
    """
    if step == 0 or (step > 0) == (stop < start):
        return []
    numbers = range(start, stop, step)
    if len(numbers) > _MAX_ITEMS:
        raise LanguageError("memory budget exceeded")
    return Ints(numbers)


def _seq(*bounds: int) -> str:
    if len(bounds) not in (1, 2, 3):
        return ""
    start, step, stop = {1: (1, 1, bounds[-1]), 2: (bounds[0], 1, bounds[-1])}.get(len(bounds), bounds[:3])
    onward = 1 if stop >= start else -1
    if len(bounds) < 3:
        step = onward
    elif onward < 0 < step:
        return ""
    return " ".join(map(str, until(start, stop + onward, step)))


def _decimal(operation: Callable[[Decimal, Decimal], Decimal]) -> Callable[..., float]:
    """Of numbers as they are written in decimals, as github.com/shopspring/decimal computes."""

    def call(first: Any, *rest: Any) -> float:
        values = [float64(value) for value in (first, *rest)]
        if not all(map(math.isfinite, values)):
            shown = next(
                "NaN" if math.isnan(v) else "+Inf" if v > 0 else "-Inf" for v in values if not math.isfinite(v)
            )
            raise LanguageError(f"Cannot create a Decimal from {shown}")
        total = Decimal(repr(values[0]))
        for value in values[1:]:
            total = operation(total, Decimal(repr(value)))
        return float(total) + 0.0  # a decimal has no negative zero

    return call


def _quotient(a: Decimal, b: Decimal) -> Decimal:
    if b == 0:
        raise LanguageError("decimal division by 0")
    return _DECIMALS.divide(a, b).quantize(Decimal("1e-16"), context=_DECIMALS)


def _round(value: Any, places: int, *on: float) -> float:
    try:
        power = math.pow(10, places)
    except OverflowError:
        power = math.inf
    digits = power * float64(value)
    if not math.isfinite(digits) or power == 0:
        return math.nan
    half = on[0] if on else 0.5
    return (math.ceil(digits) if math.fmod(digits, 1) >= half else math.floor(digits)) / power


def _whole(operation: Callable[[float], int]) -> Callable[[Any], float]:
    def call(value: Any) -> float:
        number = float64(value)
        return math.copysign(operation(number), number) if math.isfinite(number) else number

    return call


def _octal(value: Any) -> Int64:
    text = go_text(value)
    number = int(text[:60], 8) if re.fullmatch("[+-]?[0-7]+", text) else 0
    return Int64(number if -(2**63) <= number < 2**63 else 0)


def _atoi(text: str) -> int:
    """strconv.Atoi without its error: the nearest int of a number that is none."""
    if re.fullmatch("[+-]?[0-9]+", text):
        return min(max(int(text[:400]), -(2**63)), 2**63 - 1)
    return 0


FUNCTIONS: dict[str, tuple[str, Callable[..., Any]]] = {
    "add": ("any... > int64", lambda *v: _long(sum(int64(x) for x in v))),
    "add1": ("any > int64", lambda v: _long(int64(v) + 1)),
    "add1f": ("any > float", lambda v: _decimal(_DECIMALS.add)(v, 1)),
    "addf": ("any... > float", lambda *v: _decimal(_DECIMALS.add)(0.0, *v)),
    "atoi": ("string > int", _atoi),
    "biggest": ("any any... > int64", lambda *v: Int64(max(int64(x) for x in v))),
    "ceil": ("any > float", _whole(math.ceil)),
    "div": ("any any > int64", _div),
    "divf": ("any any... > float", _decimal(_quotient)),
    "float64": ("any > float", float64),
    "floor": ("any > float", _whole(math.floor)),
    "int": ("any > int", int64),
    "int64": ("any > int64", lambda v: Int64(int64(v))),
    "max": ("any any... > int64", lambda *v: Int64(max(int64(x) for x in v))),
    "maxf": ("any any... > float", lambda *v: max(float64(x) for x in v)),
    "min": ("any any... > int64", lambda *v: Int64(min(int64(x) for x in v))),
    "minf": ("any any... > float", lambda *v: min(float64(x) for x in v)),
    "mod": ("any any > int64", _mod),
    "mul": ("any any... > int64", _mul),
    "mulf": ("any any... > float", _decimal(_DECIMALS.multiply)),
    "round": ("any int float... > float", _round),
    "seq": ("int... > string", _seq),
    "sub": ("any any > int64", lambda a, b: _long(int64(a) - int64(b))),
    "subf": ("any any... > float", _decimal(_DECIMALS.subtract)),
    "toDecimal": ("any > int64", _octal),
    "until": ("int > int[]", lambda count: until(0, count, 1 if count >= 0 else -1)),
    "untilStep": ("int int int > int[]", until),
}
