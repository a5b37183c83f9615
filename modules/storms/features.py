"""What the model sees of the solar wind: the one definition that training and prediction share.

Every feature of an hour is computed from that hour and the ``HISTORY_HOURS`` before it, and from nothing else, so a
feature does not depend on where a series begins (as long as it begins early enough) or on where it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HOUR = np.timedelta64(1, "h")
HISTORY_HOURS = 96
WINDOWS = (3, 6, 12, 24, 48)

# Physical limits: what lies outside is a fill value or an error of the instrument and counts as missing.
INPUTS: dict[str, tuple[float, float]] = {
    "by_gsm": (-200.0, 200.0),  # nT
    "bz_gsm": (-200.0, 200.0),  # nT
    "speed": (100.0, 3000.0),  # km/s
    "density": (0.0, 300.0),  # cm-3
    "pressure": (0.0, 300.0),  # nPa
}


def on_hours(
    time: NDArray[np.datetime64], values: Mapping[str, Floats], *, start: np.datetime64, stop: np.datetime64
) -> tuple[NDArray[np.datetime64], dict[str, Floats]]:
    """Put measurements on a regular grid of hours covering [start, stop).

    ``time``: shape (n,), in any order; ``values``: the keys of ``INPUTS``, each of shape (n,). Several values within
    one hour are averaged; hours without a value, and values outside the physical limits, are NaN.
    Returns the hours (shape (h,), ``datetime64[h]``) and the gridded values.
    """
    first, last = start.astype("datetime64[h]"), (stop - np.timedelta64(1, "s")).astype("datetime64[h]")
    hours = np.arange(first, last + HOUR)
    index = (time.astype("datetime64[h]") - first).astype(np.int64)
    inside = (index >= 0) & (index < hours.size)
    grid: dict[str, Floats] = {}
    for name, (low, high) in INPUTS.items():
        series = np.asarray(values[name], dtype=np.float64)
        with np.errstate(invalid="ignore"):
            good = inside & (series >= low) & (series <= high)
        count = np.bincount(index[good], minlength=hours.size)
        total = np.bincount(index[good], weights=series[good], minlength=hours.size)
        grid[name] = np.divide(total, count, out=np.full(hours.size, np.nan), where=count > 0)
    return hours, grid


def electric_field(speed: Floats, bz_gsm: Floats) -> Floats:
    """Rectified dawn-dusk electric field V·Bs of the solar wind, in mV/m (speed in km/s, Bz in nT)."""
    return np.asarray(speed * np.maximum(-bz_gsm, 0.0) * 1e-3)


def newell_coupling(speed: Floats, by_gsm: Floats, bz_gsm: Floats) -> Floats:
    """Rate of magnetic flux opened at the magnetopause, v^(4/3) B_T^(2/3) sin^(8/3)(clock angle / 2), divided by 1e3.

    Newell et al. (2007), J. Geophys. Res. 112, A01206; speed in km/s, field in nT.
    """
    transverse = np.hypot(by_gsm, bz_gsm)
    half_angle = np.abs(np.arctan2(by_gsm, bz_gsm)) / 2
    return np.asarray(speed ** (4 / 3) * transverse ** (2 / 3) * np.sin(half_angle) ** (8 / 3) * 1e-3)


def obrien_mcpherron(field: Floats, pressure: Floats) -> Floats:
    """Dst in nT from V·Bs (mV/m) and the dynamic pressure (nPa) alone.

    Dst* is the ring current injected in the last ``HISTORY_HOURS`` hours, each hour's share decaying since then;
    what was injected before is forgotten. Dst = Dst* + 7.26 √P − 11. O'Brien and McPherron (2000), J. Geophys. Res.
    105, 7707: Q = −4.4 (VBs − 0.49) nT/h above 0.49 mV/m, τ = 2.40 exp(9.74 / (4.69 + VBs)) hours.
    """
    driver = np.nan_to_num(field)
    injected = -4.4 * np.maximum(driver - 0.49, 0.0)
    survival = np.exp(-1.0 / (2.40 * np.exp(9.74 / (4.69 + driver))))
    # One step for each hour of age, oldest first: an hour gets the same additions wherever the series starts.
    ring_current = np.zeros_like(driver)
    for age in range(HISTORY_HOURS - 1, -1, -1):
        ring_current = ring_current * _shifted(survival, age, fill=1.0) + _shifted(injected, age, fill=0.0)
    return np.asarray(ring_current + 7.26 * np.sqrt(pressure) - 11.0)


def compute(grid: Mapping[str, Floats]) -> tuple[Floats, list[str]]:
    """Features of every hour of a regular hourly grid (see ``on_hours``): shape (hours, features), and their names.

    The first ``HISTORY_HOURS`` rows lack some of their history: callers drop them. NaN marks what cannot be known.
    """
    by, bz, speed = grid["by_gsm"], grid["bz_gsm"], grid["speed"]
    field = electric_field(speed, bz)
    coupling = newell_coupling(speed, by, bz)
    ring_current = obrien_mcpherron(_carried(field), _carried(grid["pressure"]))
    columns: dict[str, Floats] = {
        "by_gsm": by,
        "bz_gsm": bz,
        "speed": speed,
        "log_density": np.log1p(grid["density"]),
        "sqrt_pressure": np.sqrt(grid["pressure"]),
        "vbs": field,
        "newell": coupling,
        "obm_dst": ring_current,
        # Straight pieces of the same curve: a linear model can bend where a storm is decided.
        "obm_near_20": np.clip(ring_current + 50.0, -20.0, 20.0),
        "obm_near_60": np.clip(ring_current + 50.0, -60.0, 60.0),
        "obm_quiet": np.clip(ring_current + 50.0, 0.0, 60.0),
    }
    averaged = {
        "vbs": field,
        "newell": coupling,
        "bz_gsm": bz,
        "speed": speed,
        "sqrt_pressure": columns["sqrt_pressure"],
    }
    for hours in WINDOWS:
        for name, series in averaged.items():
            columns[f"{name}_mean_{hours}h"] = _trailing(series, hours, np.nanmean)
        columns[f"bz_gsm_min_{hours}h"] = _trailing(bz, hours, np.nanmin)
        columns[f"vbs_max_{hours}h"] = _trailing(field, hours, np.nanmax)
    return np.column_stack(list(columns.values())), list(columns)


def known(grid: Mapping[str, Floats], *, hours: int = 12) -> NDArray[np.bool_]:
    """Which hours can be judged at all: field and speed measured in at least half of the last ``hours`` hours."""
    measured = np.isfinite(grid["bz_gsm"]) & np.isfinite(grid["speed"])
    return np.asarray(_trailing(measured.astype(np.float64), hours, np.mean) >= 0.5)


def _trailing(series: Floats, hours: int, reduce: Callable[..., Any]) -> Floats:
    """``reduce`` over the ``hours`` values that end with each hour; what lies before the series is missing."""
    padded = np.concatenate([np.full(hours - 1, np.nan), series])
    windows = sliding_window_view(padded, hours)
    result = np.full(series.size, np.nan)
    some = np.isfinite(windows).any(axis=1)
    result[some] = reduce(windows[some], axis=1)
    return result


def _shifted(series: Floats, hours: int, *, fill: float) -> Floats:
    if hours == 0:
        return series
    return np.concatenate([np.full(min(hours, series.size), fill), series[: max(series.size - hours, 0)]])


def _carried(series: Floats) -> Floats:
    """Fill gaps of up to six hours with the last value before them."""
    filled = series.copy()
    for _ in range(6):
        filled = np.where(np.isnan(filled), _shifted(filled, 1, fill=np.nan), filled)
    return filled
