"""Go's time: moments, durations, zones, and its reference layouts (https://pkg.go.dev/time).

A moment is whole seconds since 1970 in UTC, nanoseconds, and the zone in which it is shown; years may be any that a
layout can write, so Python's own datetime (years 1 to 9999) only serves to ask a zone for its offset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orchestra_engine.language import LanguageError
from orchestra_engine.language.gotext import hex_quoted

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
SECOND = 1_000_000_000
UNITS = {  # of a duration, in nanoseconds
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}
_PART = re.compile(r"(\d*)(?:(\.)(\d*))?([^\d.]*)", re.ASCII)


class Duration(int):
    """Nanoseconds, written as Go writes them ("1h30m0s")."""

    def __str__(self) -> str:
        if self == 0:
            return "0s"
        sign, rest = ("-", -int(self)) if self < 0 else ("", int(self))
        if rest < SECOND:
            size, unit = next((s, u) for s, u in ((1, "ns"), (1_000, "µs"), (1_000_000, "ms")) if rest < s * 1000)
            return f"{sign}{_decimal(rest, size)}{unit}"
        minutes, left = divmod(rest, 60 * SECOND)
        text = f"{_decimal(left, SECOND)}s"
        if minutes:
            text = f"{minutes % 60}m{text}"
        return sign + (f"{minutes // 60}h{text}" if minutes >= 60 else text)


def _decimal(value: int, size: int) -> str:
    whole, part = divmod(value, size)
    digits = f"{part:0{len(str(size)) - 1}d}".rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)


class Month(int):
    """1 to 12, written with its English name."""

    def __str__(self) -> str:
        return MONTHS[self - 1]


class Weekday(int):
    """0 (Sunday) to 6, written with its English name."""

    def __str__(self) -> str:
        return WEEKDAYS[self]


def parse_duration(text: str) -> Duration:
    """A Go duration ("1h30m", "-1.5h", "300ms").

    Raises LanguageError with Go's own message.
    """
    quoted = hex_quoted(text)
    rest, total, at = (text[1:] if text[:1] in ("+", "-") else text), 0, 0
    if rest == "0":
        return Duration(0)
    if not rest or len(rest) > 400:
        raise LanguageError(f"time: invalid duration {quoted}")
    while at < len(rest):
        part = _PART.match(rest, at)
        if part is None or not (part[1] or part[3]):
            raise LanguageError(f"time: invalid duration {quoted}")
        if not part[4]:
            raise LanguageError(f"time: missing unit in duration {quoted}")
        if part[4] not in UNITS:
            raise LanguageError(f"time: unknown unit {hex_quoted(part[4])} in duration {quoted}")
        unit, fraction = UNITS[part[4]], (part[3] or "")[:18]
        total += int(part[1] or 0) * unit + int(fraction or 0) * unit // 10 ** len(fraction)
        at = part.end()
    if total >= 2**63:
        raise LanguageError(f"time: invalid duration {quoted}")
    return Duration(-total if text.startswith("-") else total)


@dataclass(frozen=True, slots=True)
class Location:
    """A zone: one of the tz database, or a fixed offset in seconds with an abbreviation."""

    name: str
    zone: ZoneInfo | None = None
    offset: int = 0
    abbreviation: str = ""

    def at(self, seconds: int) -> tuple[int, str]:
        """The offset from UTC in seconds, and its abbreviation, at a moment."""
        if self.zone is None:
            return self.offset, self.abbreviation
        # Outside of datetime's years the zone's first or last rule holds.
        bounded = min(max(seconds, -62_135_500_000), 253_402_200_000)
        local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=bounded)).astimezone(self.zone)
        shift = local.utcoffset()
        return int(shift.total_seconds()) if shift else 0, local.tzname() or ""

    def __str__(self) -> str:
        return self.name

    def go_json(self) -> dict[str, str]:
        """A zone shows nothing of itself in JSON."""
        return {}


UTC_ZONE = Location("UTC", abbreviation="UTC")


@lru_cache(maxsize=256)
def location(name: str) -> Location:
    """The zone of that name in the tz database; none and "Local" are UTC, in which all of the engine runs.

    Raises LanguageError with Go's message.
    """
    if name in ("", "UTC"):
        return UTC_ZONE
    if name == "Local":
        return replace(UTC_ZONE, name="Local")
    if ".." in name or name[0] in "/\\" or "\\" in name:
        raise LanguageError("time: invalid location name")
    try:
        return Location(name, ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise LanguageError(f"unknown time zone {name}") from None


def days_of(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of a date; a month or a day out of its bounds runs over, as in Go."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def date_of(days: int) -> tuple[int, int, int]:
    """Year, month and day of the days since 1970-01-01."""
    era, day_of_era = divmod(days + 719468, 146097)
    of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    of_year = day_of_era - (365 * of_era + of_era // 4 - of_era // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return of_era + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


@dataclass(frozen=True, slots=True)
class Time:
    """A moment: seconds since 1970 in UTC, nanoseconds of the second, and the zone it is shown in."""

    seconds: int
    nanos: int = 0
    zone: Location = UTC_ZONE

    @property
    def local(self) -> int:
        """Seconds since 1970 as the zone's clock counts them."""
        return self.seconds + self.zone.at(self.seconds)[0]

    @property
    def date(self) -> tuple[int, int, int]:
        """Year, month, day."""
        return date_of(self.local // 86400)

    @property
    def clock(self) -> tuple[int, int, int]:
        """Hour, minute, second."""
        rest = self.local % 86400
        return rest // 3600, rest // 60 % 60, rest % 60

    @property
    def year_day(self) -> int:
        """1 to 366."""
        return self.local // 86400 - days_of(self.date[0], 1, 1) + 1

    @property
    def weekday(self) -> Weekday:
        """The day of the week."""
        return Weekday((self.local // 86400 + 4) % 7)

    @property
    def instant(self) -> int:
        """Nanoseconds since 1970."""
        return self.seconds * SECOND + self.nanos

    def plus(self, nanoseconds: int) -> Time:
        """The moment so many nanoseconds later."""
        seconds, nanos = divmod(self.instant + nanoseconds, SECOND)
        return replace(self, seconds=seconds, nanos=nanos)

    def plus_date(self, years: int, months: int, days: int) -> Time:
        """The moment on another date at the same time of its clock."""
        year, month, day = self.date
        hour, minute, second = self.clock
        found = civil(year + years, month + months, day + days, (hour, minute, second), self.zone)
        return replace(found, nanos=self.nanos)

    def __str__(self) -> str:
        from orchestra_engine.language.golayout import render

        return render(self, "2006-01-02 15:04:05.999999999 -0700 MST")

    def go_json(self) -> str:
        """The text that stands for it in JSON.

        Raises LanguageError, with Go's message, for a year that RFC 3339 cannot write.
        """
        from orchestra_engine.language.golayout import RFC3339_NANO, render

        if not 0 <= self.date[0] <= 9999:
            reason = "Time.MarshalJSON: year outside of range [0,9999]"
            raise LanguageError(f"json: error calling MarshalJSON for type time.Time: {reason}")
        return render(self, RFC3339_NANO)


def civil(year: int, month: int, day: int, clock: tuple[int, int, int], zone: Location) -> Time:
    """The moment at which a zone's clock shows that; one that it skips or shows twice is taken as Go takes it."""
    local = days_of(year, month, day) * 86400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    offset = zone.at(local)[0]
    if zone.at(local - offset)[0] != offset:
        offset = zone.at(local - offset)[0]
    return Time(local - offset, 0, zone)
