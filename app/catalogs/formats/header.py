"""AMDA's header of an ASCII time table or catalog."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

_AMDA_TYPES = {
    **dict.fromkeys(("float", "double", "number"), "double"),
    # AMDA's catalogs have no truth values: they are written as 1 and 0.
    **dict.fromkeys(("int", "integer", "bool", "boolean"), "int"),
}


def lines(
    *,
    type: Literal["TT", "CAT"] | str,
    name: str,
    description: str,
    columns: Sequence[Mapping[str, Any]],
    start: datetime | None,
    stop: datetime | None,
    created: datetime,
    contact: str = "CDPP",
    classmap: Mapping[str, int] | None = None,
    colormap: Mapping[str, Sequence[int]] | None = None,
) -> Iterator[str]:
    """The lines of the header, without their ends.

    `start` and `stop` are the first start and the last stop of the events, None if there are none. `columns` (name,
    type, unit, description, ucd) and the classes (`classmap` name to number, `colormap` name to red, green, blue)
    appear in a catalog only; the classes are those of the first column.
    """
    catalog = type == "CAT"
    yield f"# Name: {_field(name)};"
    yield "# Description:"
    for line in description.splitlines():
        yield f"# {_field(line)};"
    classes = _sorted_classes(classmap) if catalog else []
    if classes:
        yield "# ;"
        yield "# Classes: ;"
        for label, number in classes:
            yield f"# * {number}: {_field(label)};"
    yield f"# ListStartDate: {_time(start)}".rstrip()
    yield f"# ListStopDate: {_time(stop)}".rstrip()
    yield f"# Contact: {_field(contact)}".rstrip()
    yield "# Historic: ;"
    yield f"# Creation Date: {_time(created)};"
    if catalog:
        yield from _parameters(columns, classes, colormap or {})


def _parameters(
    columns: Sequence[Mapping[str, Any]], classes: Sequence[tuple[str, int]], colormap: Mapping[str, Sequence[int]]
) -> Iterator[str]:
    if classes and not columns:
        columns = [{"name": "classes", "type": "string"}]
    for index, column in enumerate(columns):
        description = str(column.get("description", ""))
        kind = _AMDA_TYPES.get(str(column.get("type", "")), "string")
        if classes and index == 0:
            description = " - ".join(_class(label, number, colormap.get(label)) for label, number in classes)
        fields = {
            "id": f"param_{index}",
            "name": column.get("name", f"param_{index}"),
            "size": 1,
            "type": kind,
            "unit": column.get("unit", ""),
            "description": description,
            "ucd": column.get("ucd", ""),
            "utype": "",
        }
        yield f"# Parameter {index + 1}: " + " ".join(f"{key}:{_field(str(text))};" for key, text in fields.items())


def _class(label: str, number: int, colour: Sequence[int] | None) -> str:
    return f"{number} : {label}" + (f" [{','.join(map(str, colour))}]" if colour else "")


def _sorted_classes(classmap: Mapping[str, int] | None) -> list[tuple[str, int]]:
    return sorted((classmap or {}).items(), key=lambda item: item[1])


def _field(text: str) -> str:
    """A text that can neither end its field nor its line."""
    return re.sub(r"\s+", " ", text.replace(";", ",")).strip()


def _time(when: datetime | None) -> str:
    return "" if when is None else when.astimezone(UTC).isoformat()[:19]
