"""Events as lines of AMDA's ASCII time tables and catalogs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from app.catalogs.formats.model import Row, Value

_LAST = datetime.max.replace(microsecond=0, tzinfo=UTC)
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f\"]+")


def lines(rows: Iterable[Row]) -> Iterator[str]:
    """A line `START STOP v1 v2 …` for each row, without its end.

    Times are UTC in whole seconds, which is all that AMDA reads: a start is rounded down and a stop up, so that the
    interval loses nothing. A missing value is `NaN`, a truth value 1 or 0; blanks in strings become `_`.
    """
    for row in rows:
        head = f"{_time(row.start)} {_time(row.stop, up=True)}"
        yield f"{head} {' '.join(map(_text, row.values))}" if row.values else head


def _time(when: datetime, *, up: bool = False) -> str:
    if when.tzinfo is not UTC:
        when = when.astimezone(UTC)
    if up and when.microsecond and when < _LAST:
        when += timedelta(seconds=1)
    return when.isoformat()[:19]


def _text(value: Value) -> str:
    if isinstance(value, str):
        return _BLANKS.sub("_", value) or "_"
    if isinstance(value, bool):
        return "1" if value else "0"
    return "NaN" if value is None else repr(value)
