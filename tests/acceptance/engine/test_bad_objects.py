"""What a program may hand to the engine by mistake or malice: refused in words, and nothing is left in its root."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from orchestra_engine.config import Config, Refused
from orchestra_engine.engine import Engine
from orchestra_engine.images import ImageTable
from orchestra_engine.manifest import ManifestError, load

from tests.bad_manifests import BAD, GOOD

TAKEN = {"several documents"}  # each of which is good by itself


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(
        Config(root=tmp_path / "root", repository=tmp_path / "files", images=ImageTable(), sandbox="plain", claim=1)
    )
    made.adopt()
    before = left(tmp_path)
    yield made
    made.close()
    assert left(tmp_path) == before


def left(folder: Path) -> list[str]:
    """Names below the root of workflows; `.wake` and `.lock` are the engine's own."""
    return sorted(path.name for path in (folder / "root").iterdir() if not path.name.startswith("."))


def good(**changes: Any) -> dict[str, Any]:
    [found] = load(GOOD)
    return found | changes


def argument(value: Any) -> dict[str, Any]:
    found = good()
    found["spec"]["templates"][0]["container"]["args"] = [value]
    return found


def nested(outer: Any, inside: Callable[[Any], Any], depth: int) -> Any:
    for _ in range(depth):
        outer = inside(outer)
    return outer


def of_itself() -> dict[str, Any]:
    found = good()
    found["spec"]["templates"].append(found["spec"])
    return found


OBJECTS: dict[str, tuple[Callable[[], Any], str]] = {
    "nothing": (lambda: None, "has to be an object"),
    "a list": (lambda: [good()], "has to be an object"),
    "no name": (lambda: good(metadata=None), "metadata.name"),
    "a path for a name": (lambda: good(metadata={"name": "../x"}), "metadata.name"),
    "a list for metadata": (lambda: good(metadata=["name"]), "metadata"),
    "no spec": (lambda: good(spec=None), "spec"),
    "itself in itself": (of_itself, "nested more than"),
    "100,000 lists in lists": (lambda: argument(nested("x", lambda inner: [inner], 100_000)), "nested more than"),
    "100,000 objects in objects": (
        lambda: good(metadata={"name": "good", "labels": nested({}, lambda inner: {"a": inner}, 100_000)}),
        "nested more than",
    ),
    "20 MB": (lambda: argument("x" * 20_000_000), "1.5 MiB"),
    "a million values": (lambda: good(spec={"templates": list(range(1_000_000))}), "100000 values"),
    "a number of a million digits": (lambda: argument(10**1_000_000), "more than 1024 bits"),
    "not a number": (lambda: argument(float("nan")), "type string"),
    "bytes": (lambda: argument(b"x"), "not bytes"),
    "a set": (lambda: argument({"x"}), "not set"),
    "a date": (lambda: argument(datetime.date(2001, 3, 28)), "not date"),
    "NUL": (lambda: argument("\0"), "NUL"),
    "half a surrogate pair": (lambda: argument("\ud800"), "surrogate"),
    "half a surrogate pair for a name": (
        lambda: good(metadata={"name": "good", "labels": {"\ud800": "x"}}),
        "surrogate",
    ),
    "a number for a name": (lambda: good(metadata={"name": "good", "labels": {1: "x"}}), "names are text"),
    "a tuple for a name": (lambda: good(metadata={"name": "good", ("a",): "x"}), "names are text"),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_that_is_no_workflow_is_refused_and_leaves_nothing(engine: Engine, name: str) -> None:
    make, words = OBJECTS[name]
    with pytest.raises(Refused) as raised:
        engine.submit(make())
    assert words in str(raised.value)
    assert len(str(raised.value)) < 2000


@pytest.mark.parametrize("name", sorted(BAD.keys() - TAKEN))
def test_a_bad_manifest_is_not_read_or_refused_and_leaves_nothing(engine: Engine, name: str) -> None:
    try:
        documents = load(BAD[name][0]())
    except ManifestError:
        return
    for document in documents[:100]:
        with pytest.raises(Refused):
            engine.submit(document)
