"""The interval of a run: [start, stop), UTC, in whole seconds, as modules are given it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.engines.protocol import Fault

FORMAT = "%Y-%m-%dT%H:%M:%S"


def interval(*, start: Any, stop: Any, faults: list[Fault]) -> tuple[datetime | None, datetime | None]:
    """The two times that somebody gave; what is wrong with them is appended to `faults`."""
    first, last = parse(start, path="start", faults=faults), parse(stop, path="stop", faults=faults)
    if first and last and last <= first:
        faults.append(Fault(path="stop", message=f"{text(last)} is not after start, {text(first)}"))
    return first, last


def parse(value: Any, *, path: str, faults: list[Fault]) -> datetime | None:
    """A time in UTC from a datetime or an ISO 8601 text; without a zone it is UTC."""
    if value is None or value == "":
        faults.append(Fault(path=path, message=f"is missing, and the module has no default {path}"))
        return None
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(value.strip())
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (AttributeError, TypeError, ValueError, OverflowError):
        shown = str(value)[:60]
        faults.append(Fault(path=path, message=f"{shown!r} is not a time; write it as 2001-03-28T00:00:00 (UTC)"))
        return None
    if time.microsecond:
        faults.append(Fault(path=path, message="modules take whole seconds; leave the fraction out"))
        return None
    return time


def text(time: datetime) -> str:
    """As modules get it: `2001-03-28T00:00:00`. (strftime does not pad years before 1000.)"""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
