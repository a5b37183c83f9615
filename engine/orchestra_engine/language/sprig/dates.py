"""sprig's functions of given times (https://masterminds.github.io/sprig/date.html); the clock is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestra_engine.language import LanguageError, Refused, golayout, gotime
from orchestra_engine.language.gotext import go_int
from orchestra_engine.language.gotime import SECOND, UTC_ZONE, Duration, Time, location
from orchestra_engine.language.values import Int64, is_integer, wrapped

_SPANS = ((365 * 86400, "y"), (30 * 86400, "mo"), (86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def _moment(value: Any) -> Time:
    if isinstance(value, Time):
        return value
    if is_integer(value):
        return Time(int(value), 0, UTC_ZONE)
    raise Refused(
        "sprig takes the clock for what is no time, and the clock is not available here: give it date(...), "
        "sprig.toDate(...) or the seconds since 1970 as a number"
    )


def _in_zone(layout: str, value: Any, zone: str) -> str:
    moment = _moment(value)
    try:
        home = location(zone)
    except LanguageError:
        home = UTC_ZONE
    return golayout.render(Time(moment.seconds, moment.nanos, home), layout)


def _modified(text: str, time: Time) -> Time:
    try:
        return time.plus(gotime.parse_duration(text))
    except LanguageError:
        return time


def _to_date(layout: str, text: str) -> Time:
    try:
        return golayout.read(text, layout, location("Local"))
    except LanguageError:
        return Time(gotime.days_of(1, 1, 1) * 86400)


def _duration(value: Any) -> str:
    seconds = go_int(value) or 0 if isinstance(value, str) else int(value) if isinstance(value, Int64) else 0
    return str(Duration(wrapped(seconds * SECOND)))


def _rounded(value: Any) -> str:
    if isinstance(value, Time):
        raise Refused("sprig.durationRound of a time is the time since then, and the clock is not available here")
    span = 0
    if isinstance(value, str):
        try:
            span = abs(gotime.parse_duration(value))
        except LanguageError:
            span = 0
    elif isinstance(value, Int64):
        span = abs(int(value))
    found = next(((size, unit) for size, unit in _SPANS if span > size * SECOND), None)
    return f"{span // (found[0] * SECOND)}{found[1]}" if found else "0s"


FUNCTIONS: dict[str, tuple[str, Callable[..., Any]]] = {
    "date": ("string any > string", lambda layout, value: _in_zone(layout, value, "Local")),
    "dateInZone": ("string any string > string", _in_zone),
    "date_in_zone": ("string any string > string", _in_zone),
    "dateModify": ("string time > time", _modified),
    "date_modify": ("string time > time", _modified),
    "duration": ("any > string", _duration),
    "durationRound": ("any > string", _rounded),
    "htmlDate": ("any > string", lambda value: _in_zone("2006-01-02", value, "Local")),
    "htmlDateInZone": ("any string > string", lambda value, zone: _in_zone("2006-01-02", value, zone)),
    "mustDateModify": ("string time > time error", lambda text, time: time.plus(gotime.parse_duration(text))),
    "must_date_modify": ("string time > time error", lambda text, time: time.plus(gotime.parse_duration(text))),
    "mustToDate": ("string string > time error", lambda form, text: golayout.read(text, form, location("Local"))),
    "toDate": ("string string > time", _to_date),
    "unixEpoch": ("time > string", lambda time: str(time.seconds)),
}
