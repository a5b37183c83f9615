from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Iterator
from datetime import timedelta

import pytest

from app.catalogs import services as catalogs
from app.catalogs.models import Event
from app.executions import services
from app.executions.models import Execution, ExecutionArtifact
from app.executions.states import State
from app.modules.models import Module
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def execution(module: Module) -> Execution:
    return factories.execution(module, state=State.SUCCEEDED)


def test_a_time_table_is_served_with_amdas_header_and_the_original_is_kept(execution: Execution) -> None:
    file = factories.file(execution, "events.txt", b"2001-03-28T00:00:00 2001-03-28T01:00:00\n", type="TT")
    events = [(factories.START + timedelta(hours=n), factories.START + timedelta(hours=n + 1)) for n in (0, 5)]
    factories.catalog(file, events)
    pieces, size, media_type, name = services.open_artifact(file)
    lines = b"".join(pieces).decode().splitlines()
    assert lines[0].startswith("# Name:")
    assert lines[-2:] == ["2001-03-28T00:00:00 2001-03-28T01:00:00", "2001-03-28T05:00:00 2001-03-28T06:00:00"]
    assert (size, media_type, name) == (None, "text/plain; charset=utf-8", "events.txt")
    pieces, size, _, _ = services.open_artifact(file, original=True)
    content = b"".join(pieces)
    assert content == b"2001-03-28T00:00:00 2001-03-28T01:00:00\n"
    assert size == len(content)


def test_any_other_file_is_served_as_it_is(execution: Execution) -> None:
    file = factories.file(execution, "plots/a.png", b"\x89PNG")
    pieces, size, _, name = services.open_artifact(file)
    assert (b"".join(pieces), size, name) == (b"\x89PNG", 4, "a.png")


def test_all_files_come_as_one_zip(execution: Execution) -> None:
    content = bytes(range(256)) * 5_000
    factories.file(execution, "plots/a.bin", content)
    factories.file(execution, "empty.txt", b"")
    archive = zipfile.ZipFile(io.BytesIO(b"".join(services.zip_outputs(execution))))
    assert archive.testzip() is None
    assert {name: archive.read(name) for name in archive.namelist()} == {"plots/a.bin": content, "empty.txt": b""}


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("a(0:/../../x)/o.tgz", "a(0:/%2E%2E/%2E%2E/x)/o.tgz"),
        ("..\\..\\x", "..%5C..%5Cx"),
        ("C:/x", "C%3A/x"),
        ("/x/./..y", "x/%2E/..y"),
    ],
)
def test_no_file_of_a_zip_is_unpacked_outside_its_folder(execution: Execution, name: str, member: str) -> None:
    factories.file(execution, "harmless", b"found")
    ExecutionArtifact.objects.filter(name="harmless").update(name=name)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(services.zip_outputs(execution))))
    assert {each: archive.read(each) for each in archive.namelist()} == {member: b"found"}


def test_a_zip_is_made_while_it_is_sent(execution: Execution) -> None:
    import os

    factories.file(execution, "noise.bin", os.urandom(3 << 20))
    sizes = [len(piece) for piece in services.zip_outputs(execution)]
    assert len(sizes) > 2
    assert max(sizes) < 2 << 20


def test_wide_events_are_held_few_at_a_time(monkeypatch: pytest.MonkeyPatch, execution: Execution) -> None:
    monkeypatch.setattr(catalogs, "_VALUES", 100)
    file = factories.file(execution, "wide.txt", b"")
    written: list[int] = []

    @contextlib.contextmanager
    def writing() -> Iterator[None]:
        before = Event.objects.count()
        yield
        written.append(Event.objects.count() - before)

    line = b"2001-03-28T00:00:00 2001-03-28T01:00:00 " + b"1.5 " * 50 + b"\n"
    catalog = catalogs.enter(
        file.artifact_id, lines=[line] * 7, output={"type": "CAT"}, name="wide", description="", writing=writing
    )
    assert (max(written), catalog.event_count, catalog.events.count()) == (2, 7, 7)
    text = b"".join(catalogs.text(catalog)).splitlines()
    assert sum(not one.startswith(b"#") for one in text) == 7
