"""Catalogs: a line `START STOP v1 v2 …` for each event."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.catalogs.formats.intervals import Faults, Line, scan
from app.catalogs.formats.model import Row, Value

_SHOWN = 60
_INT = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_LONG_INT = re.compile(r"[+-]?\d{19,}", re.ASCII)
_EXACT = 2**53  # up to here a float holds every whole number
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_NOTHING = {"", "nan", "-nan", "+nan", "null", "none"}
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
# PostgreSQL's JSON cannot hold U+0000, and no reader of a catalog wants the others.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class _NotSuch(ValueError):
    """A value that its column cannot hold."""


def parse(lines: Iterable[bytes], *, columns: Sequence[Mapping[str, Any]] = ()) -> Iterator[Row]:
    """The events of a catalog, one by one, in bounded memory; an empty one is valid.

    `columns` are those that the module declares (name, type, …): each line must have a value for each. Without them
    every line must have as many values as the first, and a value is what it looks like. NaN and an empty field are
    None. Strings with separators in them stand in double quotes.
    Raises Malformed at the end (or after too many faults) with the number of each faulty line; whoever has used the
    rows until then has to throw them away.
    """
    faults = Faults()
    names = [str(column["name"]) for column in columns]
    readers = [_READERS.get(str(column.get("type", "")), _guessed) for column in columns]
    width = len(columns) if columns else None
    for line in scan(lines, faults):
        fields = _split(line)
        if width is None:
            width = len(fields)
            names = [f"value {index + 1}" for index in range(width)]
            readers = [_guessed] * width
        if len(fields) != width:
            faults.add(line.number, _wrong_width(len(fields), width, names if columns else []))
            continue
        values = _read(fields, readers, names, line, faults)
        if values is not None:
            yield Row(line.start, line.stop, values)
    faults.finish()


def columns_of(
    values: Sequence[Value],
    *,
    classmap: Mapping[str, int] | None = None,
    colormap: Mapping[str, Sequence[int]] | None = None,
) -> list[dict[str, Any]]:
    """Columns for the values of a catalog that declares none; the first holds the classes where there is a classmap."""
    columns: list[dict[str, Any]] = [
        {"name": f"param_{index}", "type": _type_of(value), "unit": ""} for index, value in enumerate(values)
    ]
    if columns and classmap:
        columns[0].update(name="classes", classmap=dict(classmap), colormap=dict(colormap or {}))
    return columns


def _type_of(value: Value) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    # None was NaN in the file.
    return "float" if isinstance(value, float) or value is None else "str"


def _split(line: Line) -> list[str]:
    if not line.text:
        return []
    if line.commas:
        if '"' in line.text:
            return [field.strip() for field in next(csv.reader([line.text], skipinitialspace=True))]
        return [field.strip() for field in line.text.split(",")]
    text = line.text if "," not in line.text else line.text.replace(",", " ")
    if '"' in text:
        return re.findall(r'[^\s"]+|"[^"]*"', line.text)
    return text.split()


def _read(
    fields: list[str], readers: list[Callable[[str], Value]], names: list[str], line: Line, faults: Faults
) -> list[Value] | None:
    values: list[Value] = []
    for field, reader, name in zip(fields, readers, names, strict=True):
        try:
            values.append(reader(field))
        except _NotSuch as error:
            faults.add(line.number, f"{name}: {field[:_SHOWN]!r} {error}")
            return None
    return values


def _wrong_width(found: int, width: int, names: list[str]) -> str:
    here = f"{found} value{'' if found == 1 else 's'} after start and stop"
    if names:
        return f"{here}, where {width} {'is' if width == 1 else 'are'} declared: {', '.join(names)}"
    return f"{here}, where the first event has {width}"


def _guessed(field: str) -> Value:
    if _INT.fullmatch(field):
        return int(field)
    # So many digits are a name: as a number they would lose some.
    if _FLOAT.fullmatch(field) and not _LONG_INT.fullmatch(field):
        return _float(field)
    if field.lower() in _NOTHING:
        return None
    return _string(field)


def _float(field: str) -> float | None:
    if _FLOAT.fullmatch(field):
        value = float(field)
        if math.isfinite(value):
            return value
        raise _NotSuch("is too large for a number")
    if field.lower() in _NOTHING:
        return None
    if _INFINITE.fullmatch(field):
        raise _NotSuch("is not a finite number; write NaN where there is none")
    raise _NotSuch("is not a number")


def _integer(field: str) -> int | None:
    if _INT.fullmatch(field):
        return int(field)
    if field.lower() in _NOTHING:
        return None
    # pandas writes whole numbers as 3.0 as soon as one of the column is missing.
    if _FLOAT.fullmatch(field) and abs(float(field)) <= _EXACT and float(field).is_integer():
        return int(float(field))
    raise _NotSuch("is not a whole number of at most 18 digits")


def _boolean(field: str) -> bool | None:
    lowered = field.lower()
    if lowered in _BOOLEANS:
        return _BOOLEANS[lowered]
    if lowered in _NOTHING:
        return None
    raise _NotSuch("is neither true nor false")


def _string(field: str) -> str:
    text = field[1:-1] if len(field) > 1 and field[0] == field[-1] == '"' else field
    if _CONTROL.search(text):
        raise _NotSuch("has a control character in it")
    return text


_READERS: dict[str, Callable[[str], Value]] = {
    **dict.fromkeys(("float", "double", "number"), _float),
    **dict.fromkeys(("int", "integer"), _integer),
    **dict.fromkeys(("bool", "boolean"), _boolean),
    **dict.fromkeys(("str", "string", "text"), _string),
}
