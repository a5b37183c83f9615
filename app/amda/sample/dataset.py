"""The hours that the sample serves, under the ids, names and units of AMDA's own inventory."""

from __future__ import annotations

import csv
import gzip
import io
import math
import xml.etree.ElementTree as ET
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from app.amda.sample.frames import gsm_to_gse

DATASET_ID = "omni-hour-all"
HOURS_FILE = Path(__file__).parent / "data" / "omni_hourly_1999_2001.csv.gz"
TREE_FILE = Path(__file__).parent / "data" / "amda_obsdatatree.xml.gz"
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"

Row = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of AMDA's inventory with its values, one row for each hour of the dataset."""

    id: str
    name: str
    units: str
    ucd: str
    description: str
    components: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names as AMDA's files have them: the id, or `id[0]`, `id[1]`, … for a vector."""
        if not self.components:
            return (self.id,)
        return tuple(f"{self.id}[{index}]" for index in range(len(self.components)))


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """AMDA's dataset `omni-hour-all`, restricted to what the sample's hours can fill."""

    id: str
    attributes: dict[str, str]
    mission: dict[str, str]
    instrument: dict[str, str]
    times: tuple[int, ...]
    parameters: dict[str, Parameter]

    @property
    def spase_id(self) -> str:
        return self.attributes["spaseId"]

    def within(self, start: float, stop: float) -> slice:
        """The records of [start, stop), both in unix seconds."""
        return slice(bisect_left(self.times, start), bisect_left(self.times, stop))


def iso(unix_seconds: float) -> str:
    """AMDA's times in files, without a zone: `2001-03-28T00:00:00.000`."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000")


@lru_cache(maxsize=1)
def load() -> Dataset:
    """Read the shipped files once."""
    mission, instrument, node = _inventory_entry()
    times, columns = _read_hours()
    parameters = {}
    for element in node.findall("parameter"):
        identifier = element.attrib[XML_ID]
        if identifier not in columns:
            continue
        parameters[identifier] = Parameter(
            id=identifier,
            name=element.get("name", identifier),
            units=element.get("units", ""),
            ucd=element.get("ucd", ""),
            description=element.get("description", ""),
            components=tuple(component.attrib["name"] for component in element.findall("component")),
            rows=columns[identifier],
        )
    attributes = {key: value for key, value in node.attrib.items() if key != XML_ID}
    attributes["dataStart"] = f"{iso(times[0])[:19]}Z"
    attributes["dataStop"] = f"{iso(times[-1])[:19]}Z"
    return Dataset(
        id=DATASET_ID,
        attributes=attributes,
        mission=dict(mission.attrib),
        instrument=dict(instrument.attrib),
        times=times,
        parameters=parameters,
    )


def _inventory_entry() -> tuple[ET.Element, ET.Element, ET.Element]:
    with gzip.open(TREE_FILE) as packed:
        # The file ships with the project; nobody else's XML is parsed here.
        tree = ET.parse(packed)  # noqa: S314
    for mission in tree.iter("mission"):
        for instrument in mission.iter("instrument"):
            for node in instrument.iter("dataset"):
                if node.attrib[XML_ID] == DATASET_ID:
                    return mission, instrument, node
    raise LookupError(f"{TREE_FILE.name} has no dataset {DATASET_ID}")


def _read_hours() -> tuple[tuple[int, ...], dict[str, tuple[Row, ...]]]:
    times: list[int] = []
    columns: dict[str, list[Row]] = {}
    with gzip.open(HOURS_FILE, "rb") as packed:
        for line in csv.DictReader(io.TextIOWrapper(packed, "ascii")):
            when = int(datetime.fromisoformat(line.pop("time")).timestamp())
            times.append(when)
            for identifier, row in _amda_values(when, {name: float(value) for name, value in line.items()}):
                columns.setdefault(identifier, []).append(row)
    return tuple(times), {identifier: tuple(rows) for identifier, rows in columns.items()}


def _amda_values(when: int, hour: dict[str, float]) -> Iterator[tuple[str, Row]]:
    by, bz = gsm_to_gse(hour["by_gsm_nT"], hour["bz_gsm_nT"], unix_seconds=when)
    yield "omni_imf", (math.nan, by, bz)
    yield "omni_sw_n", (hour["density_cm3"],)
    yield "omni_sw_v", (hour["speed_km_s"],)
    yield "omni_sw_ram", (hour["pressure_nPa"],)
    yield "omni_sw_e", (-hour["speed_km_s"] * hour["bz_gsm_nT"] * 1e-3,)
    yield "omni_kp", (float(round(10 * hour["kp"])),)
    yield "omni_dst", (hour["dst_nT"],)
