"""The methods of Go's times, durations, zones, months and days of the week, as values that can be called."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from orchestra_engine.language import LanguageError, gojson
from orchestra_engine.language.expr.signatures import METHODS
from orchestra_engine.language.golayout import render
from orchestra_engine.language.gotime import (
    MONTHS,
    SECOND,
    UTC_ZONE,
    Duration,
    Location,
    Month,
    Time,
    days_of,
    location,
)
from orchestra_engine.language.values import Function, Int64, bytes_of, type_name, wrapped

_ZERO_INSTANT = days_of(1, 1, 1) * 86400 * SECOND


def rounded(value: int, step: int, *, up: bool) -> int:
    """A number of nanoseconds cut to, or (`up`) rounded to, whole steps; half a step goes away from zero."""
    if step <= 0:
        return value
    whole, rest = divmod(abs(value), step)
    whole += up and rest * 2 >= step
    return whole * step if value >= 0 else -whole * step


def _floored(time: Time, step: Duration) -> Time:
    if step <= 0:
        return time
    return time.plus(-((time.instant - _ZERO_INSTANT) % step))


def _nearest(time: Time, step: Duration) -> Time:
    if step <= 0:
        return time
    rest = (time.instant - _ZERO_INSTANT) % step
    return time.plus(-rest if rest * 2 < step else step - rest)


def _moved(time: Time, zone: Location | None) -> Time:
    if zone is None:
        raise LanguageError("time: missing Location in call to Time.In")
    return Time(time.seconds, time.nanos, zone)


def _iso_year(time: Time) -> int:
    thursday = time.local // 86400 + 3 - (time.weekday - 1) % 7
    return Time(thursday * 86400).date[0]


def _go_string(time: Time) -> str:
    (year, month, day), (hour, minute, second) = time.date, time.clock
    zone = {"UTC": "time.UTC", "Local": "time.Local"}.get(time.zone.name, f'time.Location("{time.zone.name}")')
    return f"time.Date({year}, time.{MONTHS[month - 1]}, {day}, {hour}, {minute}, {second}, {time.nanos}, {zone})"


def _is_dst(time: Time) -> bool:
    if time.zone.zone is None:
        return False
    return bool(datetime.fromtimestamp(time.seconds, UTC).astimezone(time.zone.zone).dst())


_TIME: dict[str, Callable[..., Any]] = {
    "Add": lambda t, d: t.plus(d),
    "AddDate": lambda t, y, m, d: t.plus_date(y, m, d),
    "After": lambda t, u: t.instant > u.instant,
    "Before": lambda t, u: t.instant < u.instant,
    "Compare": lambda t, u: (t.instant > u.instant) - (t.instant < u.instant),
    "Day": lambda t: t.date[2],
    "Equal": lambda t, u: t.instant == u.instant,
    "Format": render,
    "GoString": _go_string,
    "Hour": lambda t: t.clock[0],
    "ISOWeek": _iso_year,
    "In": _moved,
    "IsDST": _is_dst,
    "IsZero": lambda t: t.instant == _ZERO_INSTANT,
    "Local": lambda t: Time(t.seconds, t.nanos, location("Local")),
    "Location": lambda t: t.zone,
    "MarshalJSON": lambda t: bytes_of(gojson.quote(t.go_json())),
    "MarshalText": lambda t: bytes_of(t.go_json()),
    "Minute": lambda t: t.clock[1],
    "Month": lambda t: Month(t.date[1]),
    "Nanosecond": lambda t: t.nanos,
    "Round": _nearest,
    "Second": lambda t: t.clock[2],
    "String": str,
    "Sub": lambda t, u: Duration(min(max(t.instant - u.instant, -(2**63)), 2**63 - 1)),
    "Truncate": _floored,
    "UTC": lambda t: Time(t.seconds, t.nanos, UTC_ZONE),
    "Unix": lambda t: Int64(t.seconds),
    "UnixMicro": lambda t: Int64(wrapped(t.instant // 1000)),
    "UnixMilli": lambda t: Int64(wrapped(t.instant // 1_000_000)),
    "UnixNano": lambda t: Int64(wrapped(t.instant)),
    "Weekday": lambda t: t.weekday,
    "Year": lambda t: t.date[0],
    "YearDay": lambda t: t.year_day,
    "Zone": lambda t: t.zone.at(t.seconds)[1],
}
_DURATION: dict[str, Callable[..., Any]] = {
    "Abs": lambda d: Duration(abs(d)),
    "Hours": lambda d: d / (3600 * SECOND),
    "Microseconds": lambda d: Int64(_quotient(d, 1000)),
    "Milliseconds": lambda d: Int64(_quotient(d, 1_000_000)),
    "Minutes": lambda d: d / (60 * SECOND),
    "Nanoseconds": Int64,
    "Round": lambda d, step: Duration(rounded(d, step, up=True)),
    "Seconds": lambda d: d / SECOND,
    "String": str,
    "Truncate": lambda d, step: Duration(rounded(d, step, up=False)),
}
_OTHERS: dict[str, Callable[..., Any]] = {"String": str}


def _quotient(value: int, by: int) -> int:
    return abs(value) // by * (1 if value >= 0 else -1)


def method(owner: Any, name: str) -> Function | None:
    """A method bound to its owner; None if its type has none of that name."""
    signature = METHODS.get(type_name(owner), {}).get(name)
    if signature is None:
        return None
    table = _TIME if isinstance(owner, Time) else _DURATION if isinstance(owner, Duration) else _OTHERS
    call = table.get(name)
    if call is None:  # Clock and Date, whose three results the compiler refuses to call
        raise LanguageError(f"func {name} returns more then two values")
    return Function(name, partial(call, owner), signature)
