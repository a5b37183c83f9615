"""The picture of a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from features import Floats
from intervals import Interval
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray


def draw(
    path: Path,
    *,
    hours: NDArray[np.datetime64],
    bz_gsm: Floats,
    probability: Floats,
    dst: Floats,
    threshold: float,
    events: Sequence[Interval],
) -> None:
    """Write a PNG of Bz, the predicted Dst and the probability over time, events shaded; series of shape (n,)."""
    figure = Figure(figsize=(10, 6.5), dpi=110)
    figure.subplots_adjust(left=0.08, right=0.98, top=0.95, bottom=0.08, hspace=0.08)
    field, index, chance = figure.subplots(3, 1, sharex=True)
    _panel(field, hours, bz_gsm, "IMF Bz, GSM (nT)", level=0.0)
    _panel(index, hours, dst, "predicted Dst (nT)", level=-50.0)
    _panel(chance, hours, probability, "probability of a storm", level=threshold)
    chance.set_ylim(-0.02, 1.02)
    for axes in (field, index, chance):
        for event in events:
            axes.axvspan(
                event.start.astype("datetime64[s]"),
                event.stop.astype("datetime64[s]"),
                color="#c0392b",
                alpha=0.15,
                lw=0,
            )
    locator = AutoDateLocator()
    chance.xaxis.set_major_locator(locator)
    chance.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    chance.set_xlabel("UTC")
    count = f"{len(events)} event" + ("" if len(events) == 1 else "s")
    field.set_title(f"Geomagnetic storms predicted from the solar wind: {count}")
    figure.savefig(path)


def _panel(axes: Axes, hours: NDArray[np.datetime64], series: Floats, label: str, *, level: float) -> None:
    axes.plot(hours.astype("datetime64[s]"), series, color="#1f3a5f", lw=1.0, drawstyle="steps-post")
    axes.axhline(level, color="#7f8c8d", lw=0.8, ls="--")
    axes.set_ylabel(label)
    axes.margins(x=0)
