"""Time tables: a line `START STOP` for each event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.catalogs.formats.intervals import Faults, scan
from app.catalogs.formats.model import Row


def parse(lines: Iterable[bytes]) -> Iterator[Row]:
    """The events of a time table, one by one, in bounded memory; an empty one is valid.

    Raises Malformed at the end (or after too many faults) with the number of each faulty line; whoever has used the
    rows until then has to throw them away.
    """
    faults = Faults()
    for line in scan(lines, faults):
        if line.text:
            faults.add(line.number, f"a time table has nothing after start and stop; here is {line.text[:60]!r}")
        else:
            yield Row(line.start, line.stop, [])
    faults.finish()
