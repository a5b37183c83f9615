"""Reading the solar wind that Orchestra fetched from AMDA for this module."""

from __future__ import annotations

from pathlib import Path

import frames
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from features import Floats
from numpy.typing import NDArray

# AMDA's parameters of the dataset omni-hour-all, as columns of the file, and the unit that each must have.
UNITS = {
    "omni_imf_by": "nT",
    "omni_imf_bz": "nT",
    "omni_sw_v": "km/s",
    "omni_sw_n": "cm-3",
    "omni_sw_ram": "nPa",
}


class BadInput(Exception):
    """The file is not what the module asked for; the message says what is wrong with it."""


def read(path: Path) -> tuple[NDArray[np.datetime64], dict[str, Floats]]:
    """Times (UTC, shape (n,)) and the inputs of ``features.INPUTS``, each of shape (n,), the field turned into GSM.

    Raises BadInput naming every column that is missing or has another unit.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise BadInput(
            f"{path}: there is no such file; Orchestra writes it from AMDA before the module starts"
        ) from None
    except pa.ArrowInvalid as error:
        raise BadInput(f"{path}: not a Parquet file ({error})") from error
    faults = _faults(table.schema)
    if faults:
        raise BadInput(f"{path}: " + "; ".join(faults))
    moments = table["time"].to_numpy().astype("datetime64[s]")
    column = {name: table[name].to_numpy().astype(np.float64) for name in UNITS}
    by_gsm, bz_gsm = frames.gse_to_gsm(moments, column["omni_imf_by"], column["omni_imf_bz"])
    return moments, {
        "by_gsm": by_gsm,
        "bz_gsm": bz_gsm,
        "speed": column["omni_sw_v"],
        "density": column["omni_sw_n"],
        "pressure": column["omni_sw_ram"],
    }


def _faults(schema: pa.Schema) -> list[str]:
    faults = [
        f"column {name} is missing (there are {', '.join(schema.names)})"
        for name in ("time", *UNITS)
        if name not in schema.names
    ]
    if "time" in schema.names and not pa.types.is_timestamp(schema.field("time").type):
        faults.append(f"column time is {schema.field('time').type}, not a timestamp")
    for name, unit in UNITS.items():
        metadata = (schema.field(name).metadata or {}) if name in schema.names else {}
        stated = metadata.get(b"unit", unit.encode()).decode()
        if stated != unit:
            faults.append(f"column {name} is in {stated}, not in {unit}")
    return faults
