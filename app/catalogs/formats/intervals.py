"""Lines that begin with two times, as AMDA reads them.

Times are ISO (`2008-07-03T01:02:03`, also with a blank for the T, a fraction, `Z` or an offset, or the date alone), or
AMDA's `YYYY MM DD hh mm ss` and `YYYY DOY hh mm ss`, whose parts may be separated by `-`, `:`, `/` or a blank. A DOY
has three digits and counts from 000, as AMDA's upload form has it. Without a zone a time is UTC. Fields are separated
by blanks, tabs or commas. Empty lines and lines that begin with `#`, AMDA's header among them, say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, NamedTuple

from app.catalogs.formats.model import MOST_FAULTS, LineFault, Malformed

LONGEST_LINE = 64 * 1024
_SHOWN = 60
_ISO = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
_PARTS = r"\d{4}[-:/ ](?:\d\d[-:/ ]\d\d|\d{3})[-:/ T]\d\d[-:/ ]\d\d[-:/ ]\d\d(?:\.\d+)?"
_PLAIN = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
_END = r"(?=[\s,]|$)"
_SEPARATOR = r"(\s*,\s*|\s+)"
# What nearly every line looks like, tried first because a file may have millions of them.
_COMMON = re.compile(rf"({_PLAIN}){_SEPARATOR}({_PLAIN})(?:{_SEPARATOR}(.*))?$", re.ASCII)
_TIME = re.compile(rf"({_PARTS}|{_ISO}){_END}", re.ASCII)
_GAP = re.compile(_SEPARATOR)
_PIECES = re.compile(r"[-:/ T.]")


class Line(NamedTuple):
    """A line with an interval; `text` is what follows it, `commas` tells whether fields end with commas."""

    number: int
    start: datetime
    stop: datetime
    text: str
    commas: bool


class Faults:
    """Collects faults; raises Malformed when there are too many."""

    def __init__(self) -> None:
        self._found: list[LineFault] = []

    def add(self, line: int, message: str) -> None:
        """Note a fault. Raises `Malformed` once there are too many."""
        self._found.append(LineFault(line, message))
        if len(self._found) >= MOST_FAULTS:
            self.finish()

    def finish(self) -> None:
        """Raise `Malformed` if there is any fault."""
        if self._found:
            raise Malformed(self._found)


def read_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file in bounded memory: a line that is too long comes in pieces, the first of which is a fault."""
    while line := file.readline(LONGEST_LINE + 1):
        yield line


def scan(lines: Iterable[bytes], faults: Faults) -> Iterator[Line]:
    """The lines with an interval, in order; what is wrong goes to `faults`, and the line is left out."""
    unfinished = False
    number = 0
    for raw in lines:
        continued, unfinished = unfinished, len(raw) > LONGEST_LINE and not raw.endswith(b"\n")
        if continued:
            continue
        number += 1
        if len(raw) > LONGEST_LINE:
            faults.add(number, f"longer than {LONGEST_LINE} bytes")
            continue
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            faults.add(number, "not UTF-8 text")
            continue
        if not text or text[0] == "#":
            continue
        found = _interval(number, text)
        if isinstance(found, str):
            faults.add(number, found)
        else:
            yield found


def _interval(number: int, text: str) -> Line | str:
    """The line, or what is wrong with it."""
    common = _COMMON.match(text)
    if common:
        first, gap, second, _, rest = common.groups()
        try:
            start = datetime.fromisoformat(first + "Z")
            stop = datetime.fromisoformat(second + "Z")
        except ValueError:
            return _unread(text, "start") if _moment(first) is None else _unread(second, "stop")
    else:
        parsed = _uncommon(text)
        if isinstance(parsed, str):
            return parsed
        start, gap, stop, rest = parsed
    if stop < start:
        return f"stop {stop:%Y-%m-%dT%H:%M:%S} is before start {start:%Y-%m-%dT%H:%M:%S}"
    return Line(number, start, stop, rest or "", "," in gap)


def _uncommon(text: str) -> tuple[datetime, str, datetime, str] | str:
    first = _TIME.match(text)
    start = _moment(first[1]) if first else None
    if first is None or start is None:
        return _unread(text, "start")
    gap = _GAP.match(text, first.end())
    second = _TIME.match(text, gap.end()) if gap else None
    stop = _moment(second[1]) if second else None
    if gap is None or second is None or stop is None:
        rest = text[gap.end() if gap else first.end() :]
        return _unread(rest, "stop") if rest else "there is no stop after the start"
    after = _GAP.match(text, second.end())
    return start, gap[1], stop, text[after.end() if after else second.end() :]


def _unread(text: str, what: str) -> str:
    shown = re.split(r"[\s,]", text, maxsplit=1)[0][:_SHOWN]
    return f"{what} {shown!r} is not a time such as 2001-03-28T00:00:00"


def _moment(text: str) -> datetime | None:
    try:
        if re.fullmatch(_ISO, text, re.ASCII):
            when = datetime.fromisoformat(text)
        else:
            when = _from_parts(_PIECES.split(text))
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _from_parts(parts: list[str]) -> datetime:
    if len(parts[1]) == 3:
        year, day, hour, minute, second, *fraction = parts
        when = datetime(int(year), 1, 1, int(hour), int(minute), int(second)) + timedelta(days=int(day))
        if when.year != int(year):
            raise ValueError("the year has fewer days")
    else:
        year, month, day, hour, minute, second, *fraction = parts
        when = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second))
    return when.replace(microsecond=int(fraction[0][:6].ljust(6, "0"))) if fraction else when
