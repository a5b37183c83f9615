"""What counts as a storm, as a hit and as an error: the definitions behind every figure in the README."""

from __future__ import annotations

from collections.abc import Sequence

import features
import numpy as np
import training_data
from intervals import Interval, merged
from numpy.typing import NDArray

STORM_GAP_HOURS = 12.0


def storms(hours: NDArray[np.datetime64], dst: features.Floats) -> list[Interval]:
    """True storms: hours with Dst <= -50 nT, joined over pauses of less than 12 hours."""
    return merged(hours, dst <= training_data.STORM_DST, gap_hours=STORM_GAP_HOURS)


def event_scores(truth: Sequence[Interval], events: Sequence[Interval]) -> tuple[float, float]:
    """Recall (share of the storms that some event meets) and precision (share of the events that meet some storm)."""
    hit = sum(any(storm.meets(event) for event in events) for storm in truth)
    right = sum(any(event.meets(storm) for storm in truth) for event in events)
    return hit / max(len(truth), 1), right / max(len(events), 1)


def minimum_error(
    truth: Sequence[Interval], events: Sequence[Interval], dst: features.Floats, predicted: features.Floats
) -> float:
    """Mean |predicted - true| minimum Dst in nT over the storms that were hit; NaN if none was.

    The prediction for a storm is the lowest Dst predicted within any event that meets it.
    """
    errors = []
    for storm in truth:
        lows = [_lowest(event, predicted) for event in events if event.meets(storm)]
        if lows:
            errors.append(abs(min(lows) - _lowest(storm, dst)))
    return float(np.mean(errors)) if errors else float("nan")


def _lowest(interval: Interval, series: features.Floats) -> float:
    return float(np.nanmin(series[interval.first : interval.last + 1]))
