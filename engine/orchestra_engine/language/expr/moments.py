"""expr-lang's `date`, `duration` and `timezone`, and `now`, which is refused: the same workflow has to say the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestra_engine.language import LanguageError, Refused, golayout, gotime
from orchestra_engine.language.expr.texts import text_of
from orchestra_engine.language.gotime import Location, Time

_LAYOUTS = (
    "2006-01-02",
    "15:04:05",
    "2006-01-02 15:04:05",
    golayout.RFC3339,
    "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
)


def _date(*arguments: Any) -> Time:
    """A moment by one of the usual layouts, by a layout, or by a layout in a zone."""
    zone: Location | None = arguments[0] if arguments and isinstance(arguments[0], Location) else None
    if zone and len(arguments) == 1:
        raise LanguageError("runtime error: index out of range [0] with length 0")
    text, *rest = (text_of(v) for v in (arguments[1:] if zone else arguments))
    if len(rest) == 2:
        zone = gotime.location(rest[1])
    if rest:
        return golayout.read(text, rest[0], zone)
    for layout in _LAYOUTS:
        try:
            return golayout.read(text, layout, zone)
        except LanguageError:
            continue
    raise LanguageError(f"invalid date {text}")


def _now(*_arguments: Any) -> Any:
    raise Refused(
        "now() is not available here: the clock would give another value each time. Pass the time as a parameter, "
        "or use {{workflow.creationTimestamp.RFC3339}}"
    )


MOMENTS: dict[str, Callable[..., Any]] = {
    "date": _date,
    "duration": lambda v: gotime.parse_duration(text_of(v)),
    "timezone": lambda v: gotime.location(text_of(v)),
    "now": _now,
}
