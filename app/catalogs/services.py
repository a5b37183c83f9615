"""Catalogs made from files, and files made from catalogs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from app.catalogs import formats
from app.catalogs.models import Catalog, CatalogType, Event

CHUNK = 5_000  # events in one transaction, so that no other writer waits long
_VALUES = 250_000  # of events that are held at a time: a line may have some thirty thousand
_BATCH = 2500  # rows in one INSERT
_LINES = 1_000  # lines of a served file in one piece

Writing = Callable[[], AbstractContextManager[None]]


def enter(
    artifact: int,
    *,
    lines: Iterable[bytes],
    output: Mapping[str, Any],
    name: str,
    description: str,
    writing: Writing,
) -> Catalog:
    """Parse the lines of a TT or CAT file into a Catalog with its Events, in bounded memory.

    `artifact` is the id of the file's row, `output` what the metadata declare of it: type, columns, classmap, colormap.
    Everything is written in short transactions, each made by `writing`. Raises `formats.Malformed` with every fault
    (the first hundred); then there is no catalog.
    """
    type_ = CatalogType(output["type"])
    declared = [dict(column) for column in output.get("columns", [])]
    rows = _rows(type_, lines, declared)
    with writing():
        catalog = Catalog.objects.create(
            artifact_id=artifact, type=type_, name=name[:255], description=description, columns=declared
        )
    try:
        summary = _enter_events(catalog, rows, writing)
    except formats.Malformed:
        with writing():
            discard(Catalog.objects.filter(pk=catalog.pk))
        raise
    catalog.start, catalog.stop, catalog.event_count, values = summary
    if type_ == CatalogType.CAT:
        catalog.columns = _columns(declared, values=values, output=output)
    with writing():
        catalog.save(update_fields=["start", "stop", "event_count", "columns"])
    return catalog


def _rows(type_: CatalogType, lines: Iterable[bytes], columns: list[dict[str, Any]]) -> Iterator[formats.Row]:
    if type_ == CatalogType.TT:
        return formats.timetable.parse(lines)
    return formats.catalog.parse(lines, columns=columns)


def _enter_events(
    catalog: Catalog, rows: Iterator[formats.Row], writing: Writing
) -> tuple[datetime | None, datetime | None, int, list[formats.Value]]:
    """First start, last stop, number of events, and the values of the first event."""
    start = stop = None
    count = 0
    values: list[formats.Value] = []
    for chunk in _chunks(rows):
        events = [
            Event(catalog_id=catalog.pk, position=count + index, start=row.start, stop=row.stop, values=row.values)
            for index, row in enumerate(chunk)
        ]
        values = values or chunk[0].values
        count += len(events)
        first, last = min(row.start for row in chunk), max(row.stop for row in chunk)
        start = first if start is None else min(start, first)
        stop = last if stop is None else max(stop, last)
        with writing():
            Event.objects.bulk_create(events, batch_size=_BATCH)
    return start, stop, count, values


def _chunks(rows: Iterable[formats.Row]) -> Iterator[list[formats.Row]]:
    """The rows, at most CHUNK at a time, and fewer where they are wide."""
    chunk: list[formats.Row] = []
    held = 0
    for row in rows:
        chunk.append(row)
        held += len(row.values)
        if len(chunk) >= CHUNK or held >= _VALUES:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


def _columns(
    declared: list[dict[str, Any]], *, values: list[formats.Value], output: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The columns of a catalog: those declared, else what the first event looks like; the first one has the classes."""
    classes = {key: output[key] for key in ("classmap", "colormap") if output.get(key)}
    columns = declared or formats.catalog.columns_of(values, **classes)
    if classes and not columns:
        columns = [{"name": "classes", "type": "str", "unit": ""}]
    return [columns[0] | classes, *columns[1:]] if columns else []


def discard(catalogs: Any) -> None:
    """Delete catalogs (a queryset) with their events, however many these are."""
    found = list(catalogs.values_list("pk", flat=True))
    if not found:
        return
    events = Event.objects.filter(catalog__in=found)
    events._raw_delete(events.db)  # a million events need not pass through Python
    Catalog.objects.filter(pk__in=found).delete()


def text(catalog: Catalog) -> Iterator[bytes]:
    """The file as it is served: AMDA's header, then a line for each event."""
    columns = catalog.columns
    classes = columns[0] if columns else {}
    header = formats.header.lines(
        type=catalog.type,
        name=catalog.name,
        description=catalog.description,
        columns=columns,
        start=catalog.start,
        stop=catalog.stop,
        created=catalog.created_at,
        contact=catalog.contact,
        classmap=classes.get("classmap"),
        colormap=classes.get("colormap"),
    )
    events = catalog.events.order_by("position").values_list("start", "stop", "values")
    most = max(1, min(CHUNK, _VALUES // (len(columns) + 1)))
    rows = itertools.starmap(formats.Row, events.iterator(chunk_size=most))
    lines = itertools.chain(header, formats.writer.lines(rows))
    while piece := list(itertools.islice(lines, min(_LINES, most))):
        yield ("\n".join(piece) + "\n").encode()
