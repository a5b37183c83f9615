"""The small modules do what their table says when they are run bare, so that a test that uses one tests Orchestra."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from app.modules import metadata
from app.modules.faults import Faulty
from tests.environments import clean_variables

MODULES = Path(__file__).parents[2] / "modules"
FOLDERS = sorted(file.parent for file in MODULES.rglob("metadata.json"))
REFUSED = {
    "cat_1_param": {"output.filename", "output.filemane"},
    "empty_annex": {"annexes_outputs[1].type", "annexes_outputs[1].filename"},
    "old_post_process": {"install.post_process[0]", "install.post_process[1]"},
}
# These need more than to be run bare, do not end by themselves, or are meant to fail.
OTHERS = {
    "crashing", "failing", "forks", "ignores_sigterm", "memory", "pre_post", "slow", "symlink_escape", "symlink_output",
    "with_input", "wrong_output",
}  # fmt: skip


def declared(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metadata.json").read_text())


def run(folder: Path, output: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The module in a copy of its folder, as Orchestra runs it."""
    copy = output / "module"
    shutil.copytree(folder, copy, symlinks=True)
    (output / "out").mkdir()
    told = declared(folder)
    values = {name: value for name, value in dict(told["defaults"] or {}).items() if name not in {"start", "stop"}}
    options = [f"--{name}={value}" for name, value in values.items()]
    interval = told["defaults"] or {"start": "2001-03-28T00:00:00", "stop": "2001-04-14T00:00:00"}
    command = [sys.executable, f"{told['install']['executable']}.py", str(output / "out")]
    command += ["--start", interval["start"], "--stop", interval["stop"], *options, *arguments]
    return subprocess.run(command, cwd=copy, env=clean_variables(HOME=str(output)), capture_output=True, check=False)


def test_the_table_names_every_module_once() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (MODULES / "README.md").read_text(), re.MULTILINE)
    assert rows == sorted({folder.relative_to(MODULES).parts[0] for folder in FOLDERS})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_metadata_are_good_or_have_the_faults_that_they_are_meant_to_have(folder: Path) -> None:
    if folder.name not in REFUSED:
        assert metadata.read(folder)["output"]["filename"]
        return
    with pytest.raises(Faulty) as caught:
        metadata.read(folder)
    assert {fault.path for fault in caught.value.faults} == REFUSED[folder.name]


@pytest.mark.parametrize(
    "folder", [one for one in FOLDERS if one.name not in OTHERS | REFUSED.keys()], ids=lambda folder: folder.name
)
def test_a_module_that_is_meant_to_work_writes_what_it_declares(folder: Path, tmp_path: Path) -> None:
    done = run(folder, tmp_path, *(["--lines=1000"] if folder.name == "heavy" else []))
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    told = declared(folder)
    names = {told["output"]["filename"], *(annex["filename"] for annex in told.get("annexes_outputs", []))}
    assert names <= {path.name for path in (tmp_path / "out").iterdir()}


def test_those_that_are_meant_to_fail_do(tmp_path: Path) -> None:
    failing = run(MODULES / "failing", tmp_path / "failing")
    assert (failing.returncode, failing.stderr) == (3, b"no solar wind today\n")
    assert run(MODULES / "crashing", tmp_path / "crashing").returncode == -signal.SIGSEGV
    assert run(MODULES / "wrong_output", tmp_path / "wrong").returncode == 0
    assert not (tmp_path / "wrong" / "out" / "events.txt").exists()
    assert b"pre_process did not run" in run(MODULES / "pre_post", tmp_path / "steps").stderr


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    run(MODULES / "several_outputs", tmp_path)
    png = (tmp_path / "out" / "plot.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    place, kinds = 8, []
    while place < len(png):
        size = int.from_bytes(png[place : place + 4])
        chunk = png[place + 4 : place + 8 + size]
        assert zlib.crc32(chunk) == int.from_bytes(png[place + 8 + size : place + 12 + size])
        kinds.append(chunk[:4])
        place += 12 + size
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
