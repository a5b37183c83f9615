"""Rotation between GSM and GSE, whose X axes are one: the angle depends on the time alone.

AMDA's hourly OMNI dataset has the field in GSE, the hours that ship with Orchestra have it in GSM.
Formulas: Hapgood (1992), Planet. Space Sci. 40, 711, with the dipole of IGRF for the year 2000. Good to 0.1 degree
between 1990 and 2010; the field itself is given to 0.1 nT.
"""

from __future__ import annotations

import math

# First-degree coefficients of IGRF for 2000.0, nT, and their change per year to 2005.0.
_G10, _G11, _H11 = (-29619.4, 13.1), (-1728.2, 11.7), (5186.1, -21.5)
_J2000 = 946728000.0  # 2000-01-01T12:00:00Z, unix seconds
_CENTURY = 36525 * 86400.0
_YEAR = 365.25 * 86400.0


def dipole_angle(unix_seconds: float) -> float:
    """Angle psi in radians from GSE Z to the dipole's projection on the Y-Z plane, positive towards +Y."""
    since = unix_seconds - _J2000
    years, centuries = since / _YEAR, since / _CENTURY
    g10, g11, h11 = (value + slope * years for value, slope in (_G10, _G11, _H11))
    size = math.sqrt(g10 * g10 + g11 * g11 + h11 * h11)
    geographic = (-g11 / size, -h11 / size, -g10 / size)  # the northern pole of the dipole

    sidereal = math.radians((280.46062 + 360.98564736629 * since / 86400.0) % 360.0)
    x = math.cos(sidereal) * geographic[0] - math.sin(sidereal) * geographic[1]
    y = math.sin(sidereal) * geographic[0] + math.cos(sidereal) * geographic[1]
    z = geographic[2]

    obliquity = math.radians(23.439 - 0.013 * centuries)
    anomaly = math.radians((357.528 + 35999.050 * centuries) % 360.0)
    longitude = math.radians(280.460 + 36000.772 * centuries)
    longitude += math.radians((1.915 - 0.0048 * centuries) * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    ecliptic_y = math.cos(obliquity) * y + math.sin(obliquity) * z
    ecliptic_z = -math.sin(obliquity) * y + math.cos(obliquity) * z
    towards_y = -math.sin(longitude) * x + math.cos(longitude) * ecliptic_y
    return math.atan2(towards_y, ecliptic_z)


def gsm_to_gse(y: float, z: float, *, unix_seconds: float) -> tuple[float, float]:
    """Y and Z of a vector in GSE from its Y and Z in GSM; X is the same in both."""
    psi = dipole_angle(unix_seconds)
    return y * math.cos(psi) + z * math.sin(psi), z * math.cos(psi) - y * math.sin(psi)


def gse_to_gsm(y: float, z: float, *, unix_seconds: float) -> tuple[float, float]:
    """Y and Z of a vector in GSM from its Y and Z in GSE; X is the same in both."""
    psi = dipole_angle(unix_seconds)
    return y * math.cos(psi) - z * math.sin(psi), z * math.cos(psi) + y * math.sin(psi)
