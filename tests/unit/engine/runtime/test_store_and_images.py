"""The store's fence and names; what images mean; variables of a program."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from orchestra_engine.images import Image, ImageTable, UnknownImage, environment, find_python
from orchestra_engine.sandbox.program import environment as variables
from orchestra_engine.sandbox.program import expand
from orchestra_engine.store import BadName, Gone, LostClaim, Record, Store


def record(name: str = "w", **status: str) -> Record:
    return Record(workflow={"metadata": {"name": name}, "status": status})


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    store = Store(tmp_path, claim=3)
    saved = record(phase="Running")
    saved.grants = {"build": {"writable": ["/x"]}}
    store.create(saved)
    found = Store(tmp_path).load("w")
    assert found == saved
    assert found is not None and found.claim == 3
    assert Store(tmp_path).names() == ["w"]


def test_a_lower_claim_can_neither_take_nor_write_nor_delete(tmp_path: Path) -> None:
    old, new = Store(tmp_path, claim=1), Store(tmp_path, claim=2)
    old.create(record(phase="Running"))
    new.take()
    with pytest.raises(LostClaim):
        old.save(record(phase="Failed"), sync=False)
    with pytest.raises(LostClaim):
        old.delete("w")
    with pytest.raises(LostClaim):
        Store(tmp_path, claim=1).take()
    found = new.load("w")
    assert found is not None and found.workflow["status"] == {"phase": "Running"}


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.create(record(phase="Running"))
    bad = record(phase="Failed")
    bad.workflow["status"]["x"] = object()
    with pytest.raises(TypeError):
        store.save(bad, sync=False)
    assert json.loads((tmp_path / "w" / "workflow.json").read_text())["workflow"]["status"] == {"phase": "Running"}
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["workflow.json"]


def test_a_folder_that_was_removed_does_not_come_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.create(record())
    shutil.rmtree(tmp_path / "w")
    with pytest.raises(Gone):
        store.save(record(phase="Running"), sync=False)
    assert store.names() == []


@pytest.mark.parametrize(
    "name", ["..", "../x", "A", "a/b", "", "-a", ".a", "a.", "a..b", "configmaps", "images.json", "x" * 254, "a\n"]
)
def test_names_cannot_leave_the_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadName):
        Store(tmp_path).folder(name)


def test_a_name_may_have_dots_as_in_a_cluster(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.create(record("a.b-c.d"))
    assert store.names() == ["a.b-c.d"]
    assert store.log_path("a.b-c.d", "a.b-c.d-123") == tmp_path / "a.b-c.d" / "nodes" / "a.b-c.d-123" / "log"


@pytest.mark.parametrize("node", ["..", "w/../x", ""])
def test_node_ids_cannot_leave_their_workflow(tmp_path: Path, node: str) -> None:
    with pytest.raises(BadName):
        Store(tmp_path).log_path("w", node)
    with pytest.raises(BadName):
        Store(tmp_path).log_path("w", "w-1", "../../x")


def test_an_image_is_found_by_name_by_prefix_or_on_the_machine() -> None:
    own = Image(env={"A": "1"})
    table = ImageTable(
        entries={"mine:1": own}, prefixes={"orchestra/": lambda name: own if name.endswith("ok") else None}
    )
    assert table.resolve("mine:1") is own
    assert table.resolve("orchestra/ok") is own
    for name in ("busybox:latest", "alpine", "docker.io/library/debian:12", "ubuntu"):
        assert table.resolve(name) == Image()
    with pytest.raises(UnknownImage, match="has not been built"):
        table.resolve("orchestra/other")
    with pytest.raises(UnknownImage, match="there are: alpine, busybox, debian, mine:1, orchestra/"):
        table.resolve("nginx")


def test_a_python_image_is_an_interpreter_of_that_minor(tmp_path: Path) -> None:
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert find_python(minor) is not None
    table = ImageTable()
    table.links = tmp_path
    for name in (f"python:{minor}", f"python:{minor}-slim", f"docker.io/library/python:{minor}.4-slim-bookworm"):
        folder = table.resolve(name).path[0]
        for program in ("python", "python3"):
            code = "import sys; print(sys.prefix == sys.base_prefix, *sys.version_info[:2], sep='.')"
            said = subprocess.run([folder / program, "-c", code], capture_output=True, text=True, check=True).stdout
            assert said.strip() == f"True.{minor}"
    with pytest.raises(UnknownImage, match=r"Python 3\.1, which was not found"):
        table.resolve("python:3.1")


def test_an_environment_brings_the_interpreter_it_links_to(tmp_path: Path) -> None:
    home = tmp_path / "python-3.11.7"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python3.11").touch()
    (tmp_path / "python-3.11").symlink_to("python-3.11.7")
    (tmp_path / "env" / "bin").mkdir(parents=True)
    (tmp_path / "env" / "bin" / "python").symlink_to(tmp_path / "python-3.11" / "bin" / "python3.11")
    image = environment(tmp_path / "env", {"X": "1"})
    assert image.path == [tmp_path / "env" / "bin"]
    assert image.readonly == [tmp_path / "env", tmp_path / "python-3.11", home]


def test_references_expand_as_in_kubernetes() -> None:
    assert expand("$(A)-$(B)-$$(A)-$$-$A", {"A": "1"}) == "1-$(B)-$(A)-$-$A"
    own = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(PATH)"}, {"name": "PATH", "value": "/x"}]
    whole, declared = variables(own=own, image_path=["/img/bin"], extra=[{"LANG": "C", "E": "2"}], tmp="/tmp")
    assert declared == {"A": "1", "B": "1$(PATH)", "PATH": "/x"}
    assert (whole["PATH"], whole["E"], whole["LANG"], whole["HOME"]) == ("/x", "2", "C", "/tmp")
