"""What the readers and writers of time tables and catalogs share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

MOST_FAULTS = 100

Value = str | int | float | bool | None


class Row(NamedTuple):
    """One event: the interval `[start, stop)` (aware, UTC) and its values, none in a time table."""

    start: datetime
    stop: datetime
    values: list[Value]


@dataclass(frozen=True)
class LineFault:
    """What is wrong in a line, counted from 1."""

    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


class Malformed(ValueError):
    """A file that is not what it should be: every fault in it, up to the first MOST_FAULTS."""

    def __init__(self, faults: list[LineFault]) -> None:
        self.faults = faults
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"{faults[0]}{more}" if faults else "malformed")
