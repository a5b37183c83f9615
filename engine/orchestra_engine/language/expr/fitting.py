"""Which natures fit together: what an operation gives, and whether it may be right once it runs."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from orchestra_engine.language.expr.natures import (
    BOOL,
    DURATION,
    FLOAT,
    INT,
    STRING,
    TIME,
    UNKNOWN,
    Nature,
    promoted,
)

_Test = Callable[[Nature], bool]


def _is(nature: Nature) -> _Test:
    return lambda given: given == nature or (bool(nature.name) and given.name == nature.name)


NUMBER: _Test = attrgetter("number")
INTEGER: _Test = attrgetter("integer")
IS_STRING, IS_TIME, IS_DURATION, IS_BOOL = _is(STRING), _is(TIME), _is(DURATION), _is(BOOL)


def maybe(left: Nature, right: Nature, *tests: _Test) -> bool:
    """Whether the two may fit once they run: one or both are unknown, and the other is of a kind that is possible."""
    if left.unknown and right.unknown:
        return True
    return (left.unknown and any(t(right) for t in tests)) or (right.unknown and any(t(left) for t in tests))


def _sum(left: Nature, right: Nature) -> Nature | None:
    names = (left.name, right.name)
    if left.number and right.number:
        return promoted(left, right)
    known = {
        ("string", "string"): STRING,
        ("time.Time", "time.Duration"): TIME,
        ("time.Duration", "time.Time"): TIME,
        ("time.Duration", "time.Duration"): DURATION,
    }
    if names in known:
        return known[names]
    return UNKNOWN if maybe(left, right, NUMBER, IS_STRING, IS_TIME, IS_DURATION) else None


def _difference(left: Nature, right: Nature) -> Nature | None:
    if left.number and right.number:
        return promoted(left, right)
    known = {
        ("time.Time", "time.Time"): DURATION,
        ("time.Time", "time.Duration"): TIME,
        ("time.Duration", "time.Duration"): DURATION,
    }
    if (left.name, right.name) in known:
        return known[left.name, right.name]
    return UNKNOWN if maybe(left, right, NUMBER, IS_TIME, IS_DURATION) else None


def _product(left: Nature, right: Nature) -> Nature | None:
    if left.number and right.number:
        return promoted(left, right)
    both = {left.name, right.name}
    if "time.Duration" in both and (len(both) == 1 or left.number or right.number):
        return DURATION
    return UNKNOWN if maybe(left, right, NUMBER, IS_DURATION) else None


def _quotient(left: Nature, right: Nature) -> Nature | None:
    return FLOAT if (left.number and right.number) or maybe(left, right, NUMBER) else None


def _remainder(left: Nature, right: Nature) -> Nature | None:
    return INT if (left.integer and right.integer) or maybe(left, right, INTEGER) else None


ARITHMETIC: dict[str, Callable[[Nature, Nature], Nature | None]] = {
    "+": _sum,
    "-": _difference,
    "*": _product,
    "/": _quotient,
    "**": _quotient,
    "^": _quotient,
    "%": _remainder,
}
