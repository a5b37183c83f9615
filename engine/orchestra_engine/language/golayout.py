"""Times written and read by Go's reference layouts (`2006-01-02T15:04:05Z07:00`): https://pkg.go.dev/time#Layout."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from orchestra_engine.language import LanguageError
from orchestra_engine.language.gotext import hex_quoted
from orchestra_engine.language.gotime import MONTHS, UTC_ZONE, WEEKDAYS, Location, Time, civil, days_of

RFC3339 = "2006-01-02T15:04:05Z07:00"
RFC3339_NANO = "2006-01-02T15:04:05.999999999Z07:00"
_FIELD = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|01|02|03|04|05|06|002|2006|__2|_2006|_2|15|PM|pm"
    r"|-07:00:00|-070000|-07:00|-0700|-07|Z07:00:00|Z070000|Z07:00|Z0700|Z07"
    r"|[.,](?:0+|9+)(?!\d)|1|2|3|4|5"
)
_OFFSETS = ("-07:00:00", "-070000", "-07:00", "-0700", "-07", "Z07:00:00", "Z070000", "Z07:00", "Z0700", "Z07")
_MAX_LAYOUT = 4096


@lru_cache(maxsize=256)
def _parts(layout: str) -> tuple[tuple[str, str], ...]:
    """Pairs of a literal and the field after it; the last field is empty."""
    if len(layout) > _MAX_LAYOUT:
        raise LanguageError(f"a layout of more than {_MAX_LAYOUT} characters")
    parts, at, begin = [], 0, 0
    while found := _FIELD.search(layout, at):
        field = found[0]
        if field == "_2006":  # a literal underscore before a year
            parts.append((layout[begin : found.start() + 1], "2006"))
        else:
            parts.append((layout[begin : found.start()], field))
        begin = at = found.end()
    return (*parts, (layout[begin:], ""))


def render(time: Time, layout: str) -> str:
    """The time as a layout writes it."""
    return "".join(literal + _written(time, field) for literal, field in _parts(layout))


def _written(time: Time, field: str) -> str:
    if not field:
        return ""
    if field[0] in ".,":
        return _fraction(time.nanos, field)
    if field in _OFFSETS:
        return _offset(time.zone.at(time.seconds)[0], field)
    if field == "MST":
        offset, name = time.zone.at(time.seconds)
        return name or _offset(offset, "-0700")
    year, month, day = time.date
    hour, minute, second = time.clock
    twelve = hour % 12 or 12
    return {
        "2006": f"{year:04d}" if year >= 0 else f"-{-year:04d}",
        "06": f"{year % 100:02d}",
        "January": MONTHS[month - 1],
        "Jan": MONTHS[month - 1][:3],
        "1": str(month),
        "01": f"{month:02d}",
        "Monday": str(time.weekday),
        "Mon": str(time.weekday)[:3],
        "2": str(day),
        "_2": f"{day:2d}",
        "02": f"{day:02d}",
        "__2": f"{time.year_day:3d}",
        "002": f"{time.year_day:03d}",
        "15": f"{hour:02d}",
        "3": str(twelve),
        "03": f"{twelve:02d}",
        "4": str(minute),
        "04": f"{minute:02d}",
        "5": str(second),
        "05": f"{second:02d}",
        "PM": "PM" if hour >= 12 else "AM",
        "pm": "pm" if hour >= 12 else "am",
    }[field]


def _fraction(nanos: int, field: str) -> str:
    digits = f"{nanos:09d}".ljust(len(field) - 1, "0")[: len(field) - 1]
    if field[1] == "9":
        digits = digits.rstrip("0")
        return field[0] + digits if digits else ""
    return field[0] + digits


def _offset(seconds: int, field: str) -> str:
    if field[0] == "Z" and seconds == 0:
        return "Z"
    sign, rest = ("-", -seconds) if seconds < 0 else ("+", seconds)
    hours, minutes, left = rest // 3600, rest // 60 % 60, rest % 60
    colon = ":" if ":" in field else ""
    digits = len(field.replace(":", "")) - 1
    return sign + colon.join([f"{hours:02d}", f"{minutes:02d}", f"{left:02d}"][: digits // 2])


@dataclass(slots=True)
class _Read:
    year: int = 0
    month: int = 0
    day: int = 0
    year_day: int = 0
    hour: int = 0
    minute: int = 0
    second: int = 0
    nanos: int = 0
    afternoon: bool | None = None
    offset: int | None = None
    name: str = ""


class _Reader:
    def __init__(self, text: str, layout: str) -> None:
        self.text, self.layout, self.rest, self.found = text, layout, text, _Read()
        self.field = ""

    def refuse(self, part: str) -> LanguageError:
        shown = [hex_quoted(text) for text in (self.text, self.layout, self.rest, part)]
        return LanguageError(f"parsing time {shown[0]} as {shown[1]}: cannot parse {shown[2]} as {shown[3]}")

    def outside(self, what: str) -> LanguageError:
        return LanguageError(f"parsing time {hex_quoted(self.text)}: {what} out of range")

    def take(self, pattern: str, part: str) -> re.Match[str]:
        match = re.match(pattern, self.rest, re.ASCII | re.IGNORECASE)
        if match is None:
            raise self.refuse(part)
        self.rest = self.rest[match.end() :]
        return match

    def literal(self, text: str) -> None:
        for c in text:
            if c == " ":
                if self.rest and self.rest[0] != " ":
                    raise self.refuse(text)
                self.rest = self.rest.lstrip(" ")
            elif self.rest[:1] != c:
                raise self.refuse(text)
            else:
                self.rest = self.rest[1:]

    def run(self) -> _Read:
        for literal, field in _parts(self.layout):
            self.literal(literal)
            if not field:
                break
            self.read(field)
            follows = field in ("5", "05") and not self.fraction_follows(field)
            if follows and (match := re.match(r"[.,](\d+)", self.rest, re.ASCII)):
                self.rest = self.rest[match.end() :]
                self.found.nanos = int(match[1][:9].ljust(9, "0"))
        if self.rest:
            raise LanguageError(f"parsing time {hex_quoted(self.text)}: extra text: {hex_quoted(self.rest)}")
        return self.found

    def fraction_follows(self, field: str) -> bool:
        parts = _parts(self.layout)
        at = [t for _, t in parts].index(field)
        return bool(parts[at + 1][1]) and parts[at + 1][1][0] in ".," and not parts[at + 1][0]

    def read(self, field: str) -> None:
        found = self.found
        if field in ("January", "Jan", "Monday", "Mon"):
            self.name(field)
        elif field in ("PM", "pm"):
            found.afternoon = self.take("[AP]M" if field == "PM" else "[ap]m", field)[0].upper() == "PM"
        elif field in _OFFSETS:
            self.offset(field)
        elif field == "MST":
            self.zone()
        elif field[0] in ".,":
            digits = f"{{{len(field) - 1}}}" if field[1] == "0" else "+"
            pattern = rf"[.,](\d{digits})"
            if field[1] == "0" or re.match(pattern, self.rest):
                found.nanos = int(self.take(pattern, field)[1][:9].ljust(9, "0"))
        else:
            self.number(field)

    def name(self, field: str) -> None:
        names = MONTHS if field[0] == "J" else WEEKDAYS
        shown = names if len(field) > 3 else tuple(n[:3] for n in names)
        index = shown.index(self.take("|".join(shown), field)[0].capitalize())
        if field[0] == "J":
            self.found.month = index + 1

    def number(self, field: str) -> None:
        found = self.found
        pattern = {"2006": r"\d{4}", "_2": r" ?\d{1,2}", "002": r"\d{3}", "__2": r" {0,2}\d{1,3}", "15": r"\d{1,2}"}
        value = int(self.take(pattern.get(field, r"\d{2}" if field[0] == "0" else r"\d{1,2}"), field)[0])
        if field == "2006":
            found.year = value
        elif field == "06":
            found.year = value + (1900 if value >= 69 else 2000)
        elif field in ("1", "01"):
            found.month = self.within(value, 1, 12, "month")
        elif field in ("2", "_2", "02"):
            found.day = value
        elif field in ("002", "__2"):
            found.year_day = value
        elif field == "15":
            found.hour = self.within(value, 0, 23, "hour")
        elif field in ("3", "03"):
            found.hour = self.within(value, 0, 12, "hour")
        elif field in ("4", "04"):
            found.minute = self.within(value, 0, 59, "minute")
        else:
            found.second = self.within(value, 0, 59, "second")

    def within(self, value: int, low: int, high: int, what: str) -> int:
        if not low <= value <= high:
            raise self.outside(what)
        return value

    def offset(self, field: str) -> None:
        if field[0] == "Z" and self.rest[:1] == "Z":
            self.rest = self.rest[1:]
            self.found.offset = 0
            return
        colon = ":" if ":" in field else ""
        digits = len(field.replace(":", "")) - 1
        match = self.take("([+-])" + colon.join([r"(\d\d)"] * (digits // 2)), field)
        hours, minutes, seconds = (int(part) for part in ([*match.groups()[1:], 0, 0])[:3])
        self.within(hours, 0, 24, "time zone offset hour")
        self.within(minutes, 0, 60, "time zone offset minute")
        self.found.offset = (hours * 3600 + minutes * 60 + seconds) * (-1 if match[1] == "-" else 1)

    def zone(self) -> None:
        match = re.match(r"UTC|GMT[+-]\d{1,2}|[A-Z]{3,4}T?|[+-]\d\d(?:\d\d)?", self.rest)
        if match is None:
            raise self.refuse("MST")
        self.found.name = match[0]
        self.rest = self.rest[match.end() :]


def read(text: str, layout: str, zone: Location | None = None) -> Time:
    """The time that a text says by a layout; without an offset of its own it is in `zone`, or in UTC.

    Raises LanguageError with Go's message.
    """
    reader = _Reader(text, layout)
    found = reader.run()
    hour = found.hour
    if found.afternoon is not None:
        hour = hour % 12 + (12 if found.afternoon else 0)
    year, month, day = _day(reader, found)
    clock = (hour, found.minute, found.second)
    if found.offset is not None:
        return replace(_fixed(year, month, day, clock, found, zone), nanos=found.nanos)
    if found.name and found.name != "UTC":
        return replace(_named(year, month, day, clock, found.name, zone), nanos=found.nanos)
    home = UTC_ZONE if found.name == "UTC" or zone is None else zone
    return replace(civil(year, month, day, clock, home), nanos=found.nanos)


def _day(reader: _Reader, found: _Read) -> tuple[int, int, int]:
    if found.year_day:
        days = days_of(found.year, 1, 1) + found.year_day - 1
        if found.year_day > days_of(found.year + 1, 1, 1) - days_of(found.year, 1, 1):
            raise reader.outside("day-of-year")
        moment = Time(days * 86400)
        return moment.date
    month, day = found.month or 1, found.day
    if day == 0 and any(field in ("2", "_2", "02") for _, field in _parts(reader.layout)):
        raise reader.outside("day")
    day = day or 1
    if day > days_of(found.year, month + 1, 1) - days_of(found.year, month, 1):
        raise reader.outside("day")
    return found.year, month, day


def _fixed(year: int, month: int, day: int, clock: tuple[int, int, int], found: _Read, zone: Location | None) -> Time:
    assert found.offset is not None
    moment = civil(year, month, day, clock, UTC_ZONE)
    moment = replace(moment, seconds=moment.seconds - found.offset)
    home = zone or UTC_ZONE
    if home.at(moment.seconds)[0] == found.offset and (not found.name or home.at(moment.seconds)[1] == found.name):
        return replace(moment, zone=home)
    return replace(moment, zone=Location("", None, found.offset, found.name))


def _named(year: int, month: int, day: int, clock: tuple[int, int, int], name: str, zone: Location | None) -> Time:
    """An abbreviation means something only where the zone uses it; elsewhere Go invents a zone."""
    moment = civil(year, month, day, clock, UTC_ZONE)
    if zone is not None:
        for months in range(13):  # the one in effect, else that of the zone's other time of the year
            offset, found = zone.at(moment.seconds + months * 30 * 86400)
            if found == name:
                return Time(moment.seconds - offset, 0, zone)
    # Of "GMT+3" the offset is shown, but the clock is not set by it.
    hours = int(name[3:]) if re.fullmatch(r"GMT[+-]\d{1,2}", name) else 0
    return replace(moment, zone=Location("", None, hours * 3600, name))
