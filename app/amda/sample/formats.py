"""AMDA's file formats for time series: ASCII, VOTable and CDF (ISTP)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from app.amda.sample.dataset import Dataset, Parameter, iso

EXTENSIONS = {"ASCII": "txt", "VOTable": "vot", "CDF": "cdf", "CDF_ISTP": "cdf"}
_HEADER = """\
# AMDA_ABOUT : Created by AMDA(c), a sample of it
# AMDA_VERSION : 3.6.0
# AMDA_ACKNOWLEDGEMENT : CDPP/AMDA Team
#
# REQUEST_STRUCTURE : one-file-per-parameter-per-interval
# REQUEST_TIME_FORMAT : {time_format}
# REQUEST_OUTPUT_PARAMS : {names}
#
# BASE PARAMETERS :
#
# MISSION_ID : {mission}
#   INSTRUMENT_ID : {instrument}
#     DATASET_ID : {dataset}
#     DATASET_NAME : {dataset_name}
#     DATASET_SOURCE : {source}
#     DATASET_GLOBAL_START : {first}
#     DATASET_GLOBAL_STOP : {last}
#     DATASET_MIN_SAMPLING : 3600.
#     DATASET_MAX_SAMPLING : 3600.
"""
_PARAMETER = """\
#       PARAMETER_ID : {id}
#       PARAMETER_NAME : {name}
#       PARAMETER_SHORT_NAME : {name}
#       PARAMETER_UNITS : {units}
#       PARAMETER_TENSOR_ORDER : {order}
#       PARAMETER_FILL_VALUE : nan
#
"""


def write(
    output_format: str,
    dataset: Dataset,
    parameters: Sequence[Parameter],
    *,
    start: float,
    stop: float,
    iso_times: bool,
    empty: bool = False,
) -> bytes:
    """The file that AMDA makes of some parameters of one dataset over [start, stop) (unix seconds).

    `output_format` is one of EXTENSIONS; `iso_times` is AMDA's timeFormat ISO8601, else unixtime (ASCII only);
    `empty` leaves out every record, as AMDA does when there is no data.
    """
    records = slice(0, 0) if empty else dataset.within(start, stop)
    if output_format == "ASCII":
        return _ascii(dataset, parameters, records, start=start, stop=stop, iso_times=iso_times).encode()
    if output_format == "VOTable":
        return _votable(dataset, parameters, records).encode()
    return _cdf(dataset, parameters, records)


def _ascii(
    dataset: Dataset,
    parameters: Sequence[Parameter],
    records: slice,
    *,
    start: float,
    stop: float,
    iso_times: bool,
) -> str:
    head = _HEADER.format(
        time_format="YYYY-MM-DDThh:mm:ss.mls" if iso_times else "Seconds from 1970, milliseconds",
        names=", ".join(parameter.id for parameter in parameters),
        mission=dataset.mission["name"],
        instrument=dataset.instrument["name"],
        dataset=dataset.id,
        dataset_name=dataset.attributes["name"],
        source=dataset.attributes["dataSource"],
        first=dataset.attributes["dataStart"].rstrip("Z") + ".000",
        last=dataset.attributes["dataStop"].rstrip("Z") + ".000",
    )
    for parameter in parameters:
        head += _PARAMETER.format(
            id=parameter.id, name=parameter.name, units=parameter.units, order=1 if parameter.components else 0
        )
    columns = ", ".join(column for parameter in parameters for column in parameter.columns)
    head += f"# INTERVAL_START : {iso(start)}\n# INTERVAL_STOP : {iso(stop)}\n# DATA_COLUMNS : AMDA_TIME, {columns}\n"
    lines = []
    for index in range(*records.indices(len(dataset.times))):
        when = dataset.times[index]
        time = iso(when) if iso_times else f" {when:.12e}"
        values = (value for parameter in parameters for value in parameter.rows[index])
        lines.append(time + "".join(f"   {value:.3f}" for value in values) + "\n")
    return head + "".join(lines)


def _votable(dataset: Dataset, parameters: Sequence[Parameter], records: slice) -> str:
    fields = ['<FIELD name="Time" ID="time" ucd="time.epoch" datatype="char" xtype="dateTime" utype="" arraysize="*"/>']
    for parameter in parameters:
        for index, column in enumerate(parameter.columns):
            name = parameter.components[index] if parameter.components else parameter.name
            fields.append(
                f"<FIELD name={quoteattr(name)} ID={quoteattr(column.replace('[', '_').rstrip(']'))} "
                f'ucd={quoteattr(parameter.ucd)} unit={quoteattr(parameter.units)} datatype="double" utype=""/>'
            )
    rows = []
    for index in range(*records.indices(len(dataset.times))):
        values = (value for parameter in parameters for value in parameter.rows[index])
        cells = "".join(f"<TD>{'NaN' if math.isnan(value) else repr(value)}</TD>" for value in values)
        rows.append(f"<TR><TD>{iso(dataset.times[index])}</TD>{cells}</TR>")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f"<DESCRIPTION>{escape(dataset.attributes['desc'])}</DESCRIPTION>"
        f"<RESOURCE><TABLE name={quoteattr(dataset.id)}>"
        f'<PARAM name="SPASE_ID" datatype="char" arraysize="*" value={quoteattr(dataset.spase_id)}/>'
        f"{''.join(fields)}<DATA><TABLEDATA>{''.join(rows)}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>\n"
    )


def _cdf(dataset: Dataset, parameters: Sequence[Parameter], records: slice) -> bytes:
    # Only this format needs them: without pycdfpp and numpy the rest of the sample still runs.
    import numpy as np
    import pycdfpp

    cdf = pycdfpp.CDF()
    for name, value in {
        "Project": "AMDA",
        "Source_name": dataset.mission["name"],
        "Logical_source": dataset.id,
        "Data_type": dataset.attributes["desc"],
        "spase_DatasetResourceID": dataset.spase_id,
    }.items():
        cdf.add_attribute(name, [[value]])
    times = np.array(dataset.times[records], dtype="datetime64[s]").astype("datetime64[ns]")
    cdf.add_variable(
        "Epoch",
        values=pycdfpp.to_tt2000(times),
        data_type=pycdfpp.DataType.CDF_TIME_TT2000,
        attributes={"VAR_TYPE": "support_data", "FIELDNAM": "Epoch", "UNITS": "ns", "LABLAXIS": "UT"},
    )
    for parameter in parameters:
        _add_to_cdf(cdf, parameter, np.array(parameter.rows[records], dtype=np.float64))
    return bytes(pycdfpp.save(cdf))


def _add_to_cdf(cdf: Any, parameter: Parameter, values: Any) -> None:
    """Add a parameter's variable, and another with the labels of its components if it has any."""
    import numpy as np

    attributes = {
        "VAR_TYPE": "data",
        "FIELDNAM": parameter.name,
        "UNITS": parameter.units or " ",
        "LABLAXIS": parameter.name,
        "CATDESC": parameter.description or parameter.name,
        "DISPLAY_TYPE": "time_series",
        "DEPEND_0": "Epoch",
    }
    values = values.reshape(-1, max(len(parameter.components), 1))
    if parameter.components:
        labels = attributes["LABL_PTR_1"] = f"{parameter.id}_labels"
        described = {"VAR_TYPE": "metadata", "FIELDNAM": labels}
        cdf.add_variable(labels, values=np.array(parameter.components), attributes=described)
    else:
        values = values[:, 0]
    cdf.add_variable(parameter.id, values=values, attributes=attributes)
