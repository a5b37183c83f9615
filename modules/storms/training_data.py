"""The hours that the model is trained on and measured by: reading them, and the one place that splits them."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import features
import numpy as np
from numpy.typing import NDArray

STORM_DST = -50.0  # nT
TRAIN_STOP = np.datetime64("2001-01-01T00", "h")
COLUMNS = {
    "by_gsm": "by_gsm_nT",
    "bz_gsm": "bz_gsm_nT",
    "speed": "speed_km_s",
    "density": "density_cm3",
    "pressure": "pressure_nPa",
}


@dataclass(frozen=True)
class Hours:
    """A regular series of hours: ``time`` (n,), the solar wind on it, and the true Dst in nT (n,)."""

    time: NDArray[np.datetime64]
    grid: dict[str, features.Floats]
    dst: features.Floats

    def between(self, start: np.datetime64 | None, stop: np.datetime64 | None) -> Hours:
        """The hours in [start, stop)."""
        keep = np.ones(self.time.size, dtype=bool)
        if start is not None:
            keep &= self.time >= start
        if stop is not None:
            keep &= self.time < stop
        return Hours(self.time[keep], {name: series[keep] for name, series in self.grid.items()}, self.dst[keep])


def read(path: Path) -> Hours:
    """Read a CSV (may be gzipped) with the columns ``time``, those of ``COLUMNS`` and ``dst_nT``, one row an hour."""
    with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    time = np.array([row["time"].rstrip("Z") for row in rows], dtype="datetime64[s]")
    values = {name: np.array([float(row[column]) for row in rows]) for name, column in COLUMNS.items()}
    hours, grid = features.on_hours(time, values, start=time[0], stop=time[-1] + features.HOUR)
    if hours.size != len(rows):
        raise ValueError(f"{path}: the hours are not a regular series ({len(rows)} rows for {hours.size} hours)")
    return Hours(hours, grid, np.array([float(row["dst_nT"]) for row in rows]))


def training(hours: Hours) -> Hours:
    """What training may see: nothing of 2001."""
    return hours.between(None, TRAIN_STOP)
