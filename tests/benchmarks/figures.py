"""What a benchmark prints: a quantity, measured several times, beside what is promised for it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

MEDIAN, P95 = 50, 95
HEADER = f"{'':<62} {'p50':>9} {'p95':>9}"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The values of one quantity; `target` is the most that its percentile `judged` may be, None if nothing is said."""

    name: str
    values: Sequence[float]
    unit: str = "ms"
    target: float | None = None
    judged: int = P95

    @property
    def kept(self) -> bool | None:
        """Whether the promise holds; None if there is none."""
        return None if self.target is None else percentile(self.values, self.judged) <= self.target

    def row(self) -> str:
        """A line of the table: median, 95th percentile, unit, promise, verdict."""
        low, high = statistics.median(self.values), percentile(self.values, P95)
        promise = "" if self.target is None else f"p{self.judged} ≤ {self.target:g} {self.unit}"
        verdict = {None: "", True: "kept", False: "NOT KEPT"}[self.kept]
        return f"{self.name:<62} {low:9.2f} {high:9.2f} {self.unit:<3}  {promise:<15} {verdict}".rstrip()


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def pairwise(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """The ratio of each value to the one that was measured beside it."""
    return [one / other for one, other in zip(over, under, strict=True)]


def above(values: Sequence[float], base: Sequence[float]) -> list[float]:
    """By how much each value exceeds the median of the others."""
    middle = statistics.median(base)
    return [value - middle for value in values]


def now_ns() -> int:
    """A clock that all processes of this machine share, in nanoseconds."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
