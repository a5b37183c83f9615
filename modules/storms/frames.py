"""From GSE, in which AMDA gives the hourly field of OMNI, to GSM, in which the field couples to the Earth's.

The X axes are one, so the two frames differ by one angle, which depends on the time alone. Hapgood (1992), Planet.
Space Sci. 40, 711, with the dipole of IGRF for 2000.0 and its change; good to 0.1 degree between 1990 and 2010.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NOON_2000 = np.datetime64("2000-01-01T12:00:00", "s")
_DAYS_IN_YEAR, _DAYS_IN_CENTURY = 365.25, 36525.0
# g10, g11, h11 at 2000.0 in nT, and their change in nT a year.
_DIPOLE = ((-29619.4, 13.1), (-1728.2, 11.7), (5186.1, -21.5))


def dipole_angle(time: NDArray[np.datetime64]) -> Floats:
    """Angle from the Z axis of GSE to that of GSM, in radians, positive towards +Y; ``time`` has any shape."""
    days = (time - _NOON_2000) / np.timedelta64(1, "D")
    g10, g11, h11 = (value + change * days / _DAYS_IN_YEAR for value, change in _DIPOLE)
    pole = np.stack([-g11, -h11, -g10]) / np.sqrt(g10**2 + g11**2 + h11**2)

    sidereal = np.radians((280.46062 + 360.98564736629 * days) % 360.0)
    x = np.cos(sidereal) * pole[0] - np.sin(sidereal) * pole[1]
    y = np.sin(sidereal) * pole[0] + np.cos(sidereal) * pole[1]

    obliquity = np.radians(23.439 - 0.013 * days / _DAYS_IN_CENTURY)
    ecliptic_y = np.cos(obliquity) * y + np.sin(obliquity) * pole[2]
    ecliptic_z = -np.sin(obliquity) * y + np.cos(obliquity) * pole[2]

    sun = sun_longitude(days)
    return np.asarray(np.arctan2(-np.sin(sun) * x + np.cos(sun) * ecliptic_y, ecliptic_z))


def sun_longitude(days: Floats) -> Floats:
    """Ecliptic longitude of the Sun in radians, ``days`` after noon of 2000-01-01."""
    centuries = days / _DAYS_IN_CENTURY
    anomaly = np.radians((357.528 + 35999.050 * centuries) % 360.0)
    mean = 280.460 + 36000.772 * centuries
    return np.asarray(np.radians(mean + (1.915 - 0.0048 * centuries) * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly)))


def gse_to_gsm(time: NDArray[np.datetime64], y: Floats, z: Floats) -> tuple[Floats, Floats]:
    """Y and Z in GSM of vectors given by their Y and Z in GSE; all of shape (n,)."""
    angle = dipole_angle(time)
    return y * np.cos(angle) - z * np.sin(angle), z * np.cos(angle) + y * np.sin(angle)
