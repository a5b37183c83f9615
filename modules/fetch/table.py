"""One table from several parameters, and the files made of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pycdfpp
from amda import Parameter, Series
from pyarrow import csv, parquet


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: `values` has shape (rows,), float64, NaN where there is no value."""

    name: str
    values: np.ndarray
    parameter: Parameter
    component: str = ""
    axis: dict[str, Any] | None = None

    def about(self) -> dict[str, Any]:
        """What a reader has to know of the column, as JSON."""
        known = {
            "unit": self.parameter.units,
            "parameter": self.parameter.id,
            "component": self.component,
            "description": self.parameter.description or self.parameter.name,
            "ucd": self.parameter.ucd,
        }
        return {**known, **({"axis": self.axis} if self.axis else {})}


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns over common times, shape (rows,), `datetime64[ns]` in UTC, ascending."""

    time: np.ndarray
    columns: tuple[Column, ...]

    def content_sha256(self) -> str:
        """SHA-256 of the content, whatever the format of the file.

        Over, for `time` (little-endian int64 nanoseconds since 1970) and then each column (little-endian float64): its
        name in UTF-8, a zero byte, its values.
        """
        digest = hashlib.sha256(b"time\0" + self.time.astype("<i8").tobytes())
        for column in self.columns:
            digest.update(column.name.encode() + b"\0" + column.values.astype("<f8").tobytes())
        return digest.hexdigest()


def join(series: Sequence[tuple[Parameter, Series]]) -> Table:
    """Put parameters side by side on all of their times (an outer join); what one lacks at a time is NaN."""
    time = np.unique(np.concatenate([one.time for _, one in series]))
    columns = []
    for parameter, one in series:
        rows = np.searchsorted(time, one.time)
        for index, name in enumerate(one.names):
            values = np.full(len(time), np.nan)
            values[rows] = one.values[:, index]
            component = parameter.components[index] if len(parameter.components) == len(one.names) else ""
            axis = {**one.axis, "values": None, "value": one.axis["values"][index]} if one.axis else None
            if axis:
                del axis["values"]
            columns.append(Column(name=name, values=values, parameter=parameter, component=component, axis=axis))
    return Table(time=time, columns=tuple(columns))


def write(table: Table, path: Path, *, provenance: dict[str, Any]) -> None:
    """Write the table in the format of the path's suffix: `.parquet`, `.csv` or `.cdf`."""
    {".parquet": _parquet, ".csv": _csv, ".cdf": _cdf}[path.suffix](table, path, provenance)


def _parquet(table: Table, path: Path, provenance: dict[str, Any]) -> None:
    fields = [pa.field("time", pa.timestamp("ns", tz="UTC"), nullable=False)]
    arrays = [pa.array(table.time.astype("int64")).cast(fields[0].type)]
    for column in table.columns:
        about = {key: value if isinstance(value, str) else json.dumps(value) for key, value in column.about().items()}
        fields.append(pa.field(column.name, pa.float64(), metadata=about))
        arrays.append(pa.array(column.values))
    schema = pa.schema(fields, metadata={"provenance": json.dumps(provenance)})
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), path)


def _csv(table: Table, path: Path, provenance: dict[str, Any]) -> None:
    whole = bool((table.time.astype("int64") % 10**9 == 0).all())
    time = np.char.add(np.datetime_as_string(table.time, unit="s" if whole else "ns"), "Z")
    arrays = [pa.array(time.tolist(), pa.string())]
    # Missing values become empty cells, which every reader of CSV understands.
    arrays += [pa.array(column.values, from_pandas=True) for column in table.columns]
    names = ["time", *(column.name for column in table.columns)]
    options = csv.WriteOptions(quoting_style="none", include_header=False)
    with path.open("wb") as file:
        file.write((",".join(names) + "\n").encode())
        csv.write_csv(pa.Table.from_arrays(arrays, names=names), file, options)


def _cdf(table: Table, path: Path, provenance: dict[str, Any]) -> None:
    cdf = pycdfpp.CDF()
    cdf.add_attribute("TITLE", [["AMDA parameters, fetched by Orchestra"]])
    cdf.add_attribute("Provenance", [[json.dumps(provenance)]])
    cdf.add_variable(
        "Epoch",
        values=pycdfpp.to_tt2000(table.time),
        data_type=pycdfpp.DataType.CDF_TIME_TT2000,
        attributes={"VAR_TYPE": "support_data", "FIELDNAM": "Epoch", "UNITS": "ns", "LABLAXIS": "UT"},
    )
    for column in table.columns:
        about = column.about()
        cdf.add_variable(
            column.name,
            values=column.values,
            attributes={
                "VAR_TYPE": "data",
                "DEPEND_0": "Epoch",
                "DISPLAY_TYPE": "time_series",
                "FIELDNAM": column.name,
                "LABLAXIS": column.name,
                "CATDESC": about["description"] or column.name,
                "UNITS": about["unit"] or " ",
                "FILLVAL": [float("nan")],
            },
        )
    if not pycdfpp.save(cdf, str(path)):
        raise OSError(f"{path.name} could not be written")
