"""What the sample lists: AMDA's inventory XML, and its shared time table and catalogue of storms."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import lru_cache
from xml.sax.saxutils import escape, quoteattr

from app.amda.sample.dataset import XML_ID, Dataset, iso, load

STORM_DST = -50.0  # nT
STORM_GAP = 12 * 3600  # seconds without storm hours that end a storm
HOUR = 3600
TABLE_ID, CATALOG_ID = "sharedtimeTable_0", "sharedcatalog_0"
TABLE_NAME, CATALOG_NAME = "Dst_storms", "Dst_storms_minimum"
_CREATED = "2025-01-19T21:33:06"
_CENTER = {XML_ID: "myLocalData-treeRootNode", "name": "AMDA_Webservice", "desc": "AMDA_Internal_Data_Base"}
PRIVATE_PARAMETERS = "<ws><paramList/></ws>"
PRIVATE_TABLES = "<timetabList/>"
PRIVATE_CATALOGS = "<catalogList/>"


@dataclass(frozen=True, kw_only=True)
class Storm:
    """Hours of Dst at or below STORM_DST, as [start, stop) in unix seconds; `dst` is the lowest in nT."""

    start: int
    stop: int
    dst: float


def tree(dataset: Dataset, *, private: bool = False) -> str:
    """AMDA's inventory, restricted to what the sample serves; `private` is an account's own data: nothing."""
    root = ET.Element("dataRoot", {XML_ID: "DATAROOT"})
    center = ET.SubElement(root, "dataCenter", _CENTER)
    if not private:
        mission = ET.SubElement(center, "mission", dataset.mission)
        instrument = ET.SubElement(mission, "instrument", dataset.instrument)
        node = ET.SubElement(instrument, "dataset", {XML_ID: dataset.id, **dataset.attributes})
        for parameter in dataset.parameters.values():
            texts = {"units": parameter.units, "description": parameter.description, "ucd": parameter.ucd}
            attributes = {key: text for key, text in texts.items() if text}
            if parameter.components:
                attributes["size"] = str(len(parameter.components))
            element = ET.SubElement(
                node,
                "parameter",
                {XML_ID: parameter.id, "name": parameter.name, "display_type": "timeseries", **attributes},
            )
            for index, name in enumerate(parameter.components):
                ET.SubElement(
                    element, "component", {XML_ID: f"{parameter.id}({index})", "index1": str(index), "name": name}
                )
    return ET.tostring(root, encoding="unicode")


def shared_tables() -> str:
    """The list that getTimeTablesList points to."""
    return f"<timeTableList>{_entry('timeTable', TABLE_ID, TABLE_NAME)}</timeTableList>"


def shared_catalogs() -> str:
    """The list that getCatalogsList points to."""
    return f"<catalogList>{_entry('catalog', CATALOG_ID, CATALOG_NAME)}</catalogList>"


@lru_cache(maxsize=1)
def storms() -> tuple[Storm, ...]:
    """Storms of the sample's hours: Dst at or below STORM_DST, less than STORM_GAP apart."""
    dataset = load()
    found: list[Storm] = []
    for when, (dst,) in zip(dataset.times, dataset.parameters["omni_dst"].rows, strict=True):
        if dst > STORM_DST:
            continue
        if found and when - found[-1].stop < STORM_GAP:
            last = found.pop()
            found.append(Storm(start=last.start, stop=when + HOUR, dst=min(dst, last.dst)))
        else:
            found.append(Storm(start=when, stop=when + HOUR, dst=dst))
    return tuple(found)


def votable(*, catalog: bool) -> str:
    """The storms as AMDA's VOTable of a time table, or of a catalogue with their lowest Dst."""
    name = CATALOG_NAME if catalog else TABLE_NAME
    fields = "".join(
        f'<FIELD name={quoteattr(title)} ID={quoteattr(identifier)} ucd={quoteattr(ucd)} datatype="char" '
        'xtype="dateTime" utype="" arraysize="*"/>'
        for title, identifier, ucd in (
            ("Start Time", "TimeIntervalStart", "time.start"),
            ("Stop Time", "TimeIntervalStop", "time.end"),
        )
    )
    if catalog:
        fields += '<FIELD name="Dstmin" ID="column1" unit="nT" ucd="" datatype="double" utype=""/>'
    rows = "".join(
        f"<TR><TD>{iso(storm.start)}</TD><TD>{iso(storm.stop)}</TD>{f'<TD>{storm.dst}</TD>' if catalog else ''}</TR>"
        for storm in storms()
    )
    # Readers take the name from the lines of the description, which end in ";\n".
    description = (
        f"Name:{name};\nHistoric:;\nListStartDate: {iso(storms()[0].start)};\n"
        f"ListStopDate: {iso(storms()[-1].stop)};\nContact: CDPP;\nCreation Date:{_CREATED}.000;\n"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f"<DESCRIPTION>{escape(description)}</DESCRIPTION><RESOURCE><DESCRIPTION>{escape(_about())}</DESCRIPTION>"
        f"<TABLE>{fields}<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>\n"
    )


def _about() -> str:
    return f"Hours with Dst at or below {STORM_DST:.0f} nT, merged when less than {STORM_GAP // HOUR} h apart"


def _entry(tag: str, identifier: str, name: str) -> str:
    return (
        f"<{tag} xml:id={quoteattr(identifier)} id={quoteattr(identifier)} name={quoteattr(name)} "
        f'nbIntervals="{len(storms())}" description={quoteattr(_about())} sharedBy="Orchestra" '
        f'created="{_CREATED}" modified="{_CREATED}"/>'
    )
