"""A wrong request is refused with every fault and its place, before speasy is loaded or AMDA is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = Path(__file__).parents[3] / "modules" / "fetch"
SERVER = "http://127.0.0.1:9"


def refused(tmp_path: Path, *arguments: str, start: str = "2001-03-28", stop: str = "2001-03-29") -> str:
    command = [sys.executable, str(MODULE / "fetch.py"), str(tmp_path / "out"), "--start", start, "--stop", stop]
    done = subprocess.run(
        [*command, *arguments],
        env={"PATH": os.environ["PATH"], "ORCHESTRA_AMDA_URL": SERVER, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 65, done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    return done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--parameters or --inputs is needed"),
        (["--parameters", "[]"], "--parameters: a list of AMDA ids is needed"),
        (["--parameters", '["imf"'], "--parameters: not JSON"),
        (["--parameters", "imf,ace-imf-all/imf"], "a parameter is named twice"),
        (["--parameters", "imf", "--format", "xlsx"], "--format: 'xlsx' is not one of parquet, csv, cdf"),
        (["--parameters", "imf", "--name", "../escape"], "--name: '../escape' is not a name"),
        (["--parameters", "imf", "--name", "provenance"], "--name: 'provenance'"),
        (["--parameters", "imf", "--server", "file:///etc/passwd"], "is not an http or https address"),
        (["--parameters", "imf", "--server", "http://me:secret@amda"], "an account does not belong in the address"),
        (["--parameters", "imf", "--attempts", "0"], "--attempts must be at least 1"),
        (["--inputs", "[" * 100_000], "--inputs: not JSON"),
    ],
)
def test_a_wrong_argument_is_told(tmp_path: Path, arguments: list[str], said: str) -> None:
    assert said in refused(tmp_path, *arguments)


@pytest.mark.parametrize(
    ("start", "stop", "said"),
    [
        ("2001-03-29", "2001-03-28", "--stop 2001-03-28 is before --start 2001-03-29"),
        ("soon", "2001-03-28", "--start: 'soon' is not an ISO time"),
        ("2001-03-28", "", "--stop: '' is not an ISO time"),
    ],
)
def test_a_wrong_interval_is_told(tmp_path: Path, start: str, stop: str, said: str) -> None:
    assert said in refused(tmp_path, "--parameters", "imf", start=start, stop=stop)


def test_every_fault_of_the_inputs_is_told_with_its_place(tmp_path: Path) -> None:
    inputs = [
        {"name": "a/b", "parameters": ["imf"], "source": "cdaweb"},
        {"name": "good", "parameters": [], "format": "hdf", "before_seconds": -1, "colour": "red"},
        {"name": "same", "parameters": ["imf"]},
        {"name": "same", "parameters": ["imf"]},
        "imf",
    ]
    said = refused(tmp_path, "--inputs", json.dumps(inputs))
    for part in (
        "--inputs[0].name",
        "--inputs[0].source",
        "--inputs[1].parameters",
        "--inputs[1].format",
        "--inputs[1].before_seconds",
        "--inputs[1].colour",
        "--inputs: two inputs are named 'same'",
        "--inputs[4]: an object is needed",
    ):
        assert part in said


def test_margins_that_leave_the_calendar_are_refused(tmp_path: Path) -> None:
    inputs = json.dumps([{"name": "a", "parameters": ["imf"], "before_seconds": 86400 * 3000}])
    assert "--inputs: a: " in refused(tmp_path, "--inputs", inputs, start="0002-01-01", stop="0003-01-01")
