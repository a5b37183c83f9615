"""Half-open intervals of whole hours: from flags to events, and whether events meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True)
class Interval:
    """[start, stop), and the indices of its first and last flagged hour."""

    start: np.datetime64
    stop: np.datetime64
    first: int
    last: int

    def meets(self, other: Interval) -> bool:
        """Whether the two share any time."""
        return bool(self.start < other.stop and other.start < self.stop)


def merged(hours: NDArray[np.datetime64], flags: NDArray[np.bool_], *, gap_hours: float) -> list[Interval]:
    """Join the flagged hours into intervals; pauses of less than ``gap_hours`` hours do not separate them.

    ``hours``: regular, shape (n,); ``flags``: shape (n,).
    """
    found = np.flatnonzero(flags)
    if found.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(found) - 1 >= max(gap_hours, 1))
    firsts = found[np.concatenate([[0], breaks + 1])]
    lasts = found[np.concatenate([breaks, [found.size - 1]])]
    return [
        Interval(hours[first], hours[last] + HOUR, int(first), int(last))
        for first, last in zip(firsts, lasts, strict=True)
    ]
