from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from orchestra import legacy, screen

from tests.unit.client.stub import Answer, Asked, Stub, as_json

MODULE = {
    "id": 3,
    "name": "storms",
    "status": "installed",
    "description": "Storms\nfrom wind",
    "default": {"number": 1, "label": "1.0.0"},
    "latest": {"number": 1, "label": "1.0.0"},
    "build": None,
}


def orchestra(*words: str, server: str, module: str = "orchestra.command") -> subprocess.CompletedProcess[str]:
    code = "from orchestra.command import main; main()"
    argv = [sys.executable, "-c", code] if module == "orchestra.command" else [sys.executable, "-m", module]
    env = {**os.environ, "ORCHESTRA_SERVER": server, "COLUMNS": "200"}
    return subprocess.run(
        [*argv, *words], env=env, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )


def test_a_list_is_a_table_for_people_and_json_for_programs(stub: Stub) -> None:
    stub.answer = lambda _: as_json({"total": 1, "items": [MODULE]})
    table = orchestra("list", server=stub.url)
    assert table.returncode == 0
    assert table.stdout.splitlines()[1].split() == ["3", "storms", "1.0.0", "installed", "Storms"]
    assert json.loads(orchestra("list", "--json", server=stub.url).stdout) == [MODULE]


def test_a_schema_is_shown_with_kinds_units_bounds_and_what_it_promises(stub: Stub) -> None:
    inputs = {
        "count": {"type": "integer", "unit": "h", "minimum": 1, "maximum": 24, "default": 2, "description": "how many"},
        "kind": {"type": "string", "enum": ["fast", "slow"]},
        "text": {"anyOf": []},
    }
    stub.answer = lambda _: as_json({
        "name": "hours", "kind": "WorkflowTemplate", "version": 3, "origin": "added",
        "created_at": "2001-03-28T00:00:00Z", "references": ["tools"], "warnings": [], "manifest": "",
        "inputs": {"properties": inputs, "required": ["kind"]},
        "outputs": {"parameters": {"sum": {"unit": "nT", "required": True}}, "artifacts": {"log": {}}},
    })  # fmt: skip
    shown = orchestra("schema", "show", "hours", server=stub.url)
    assert shown.returncode == 0, shown.stderr
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["kind", "WorkflowTemplate"] in lines
    assert ["references", '["tools"]'] in lines
    assert ["count", "integer", "h", "2", "≥", "1,", "≤", "24", "how", "many"] in lines
    assert ["kind", "string", "needed", "fast,", "slow"] in lines
    assert ["text", "file"] in lines
    assert ["sum", "parameter", "nT", "yes"] in lines
    assert ["log", "file"] in lines


def test_the_versions_are_told_without_a_server() -> None:
    result = orchestra("--version", server="http://127.0.0.1:9")
    assert (result.returncode, result.stderr) == (0, "")
    assert [line.split() for line in result.stdout.splitlines()] == [
        [name, version(name)] for name in ("orchestra", "orchestra-engine")
    ]


def test_no_server_is_exit_code_3() -> None:
    result = orchestra("list", server="http://127.0.0.1:9")
    assert result.returncode == 3
    assert "script/server" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("status", "code"), [(422, 2), (404, 2), (409, 2), (403, 2), (503, 4), (500, 4)])
def test_a_refusal_is_said_in_one_sentence_with_its_code(stub: Stub, status: int, code: int) -> None:
    stub.answer = lambda _: as_json({"error": "That does not go."}, status=status)
    result = orchestra("run", "storms", server=stub.url)
    assert result.returncode == code
    assert result.stderr == "That does not go.\n"


def test_a_run_of_a_schema_is_listed_by_its_name(stub: Stub) -> None:
    run = {"id": 4, "kind": "schema", "module": None, "schema": {"name": "shocks", "version": 1}, "state": "RUNNING"}
    times = {"start": None, "stop": None, "created_at": "2001-03-28T00:00:00Z", "message": ""}
    stub.answer = lambda _: as_json({"total": 1, "next": None, "items": [run | times]})
    result = orchestra("executions", server=stub.url)
    assert result.stdout.splitlines()[1].split() == ["4", "schema", "shocks", "RUNNING", "2001-03-28T00:00:00Z"]


def test_what_has_ended_is_not_said_to_be_cancelled(stub: Stub) -> None:
    stub.answer = lambda _: as_json({"id": 7, "state": "SUCCEEDED", "message": ""})
    result = orchestra("kill", "7", server=stub.url)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "Execution 7 is SUCCEEDED; there is nothing to cancel.\n"


def test_declared_arguments_are_options(stub: Stub) -> None:
    stub.answer = lambda _: as_json({"id": 7, "state": "QUEUED", "message": ""}, status=201)
    words = ["run", "storms", "--start", "2001-01-01", "--threshold", "0.6", "--name=it's", "--arg", "n=-1"]
    assert orchestra(*words, server=stub.url).returncode == 0
    body = json.loads(stub.asked[0].body)
    assert body["arguments"] == {"n": "-1", "threshold": "0.6", "name": "it's"}
    assert body["start"] == "2001-01-01"


def test_help_of_a_run_lists_the_arguments_of_the_module(stub: Stub) -> None:
    threshold = {"name": "threshold", "type": "float", "minimum": 0, "maximum": 1, "default": 0.5, "description": "Of"}
    stub.answer = lambda _: as_json({**MODULE, "args": [threshold], "hyperparameters": []})
    for words in (("run", "storms", "--help"), ("run", "--start", "2001-01-01", "storms", "--x", "1", "-h")):
        result = orchestra(*words, server=stub.url)
        assert result.returncode == 0
        assert result.stdout.index("--start") < result.stdout.index("Arguments of storms")
        assert result.stdout.rstrip().splitlines()[-1].split() == ["--threshold", "float", "0", "…", "1", "0.5", "Of"]
    assert {one.path for one in stub.asked} == {"/api/v1/modules/storms"}
    general = orchestra("run", "--help", server=stub.url)
    assert "--start" in general.stdout
    assert "Arguments of" not in general.stdout
    away = orchestra("run", "storms", "--help", server="http://127.0.0.1:9")
    assert away.returncode == 0
    assert "The arguments of storms are not known" in away.stdout


@pytest.mark.parametrize(
    "words", [("--arg", "novalue"), ("stray",), ("--threshold",), ("--strict", "--n", "2"), ("--", "x")]
)
def test_unreadable_arguments_are_exit_code_2(stub: Stub, words: tuple[str, ...]) -> None:
    result = orchestra("run", "storms", *words, server=stub.url)
    assert result.returncode == 2
    assert not stub.asked
    assert "Traceback" not in result.stderr


def _life(*states: str) -> list[dict[str, object]]:
    return [{"id": 7, "state": state, "message": "exit code 3", "failure": None} for state in states]


def test_a_failed_run_is_exit_code_1_and_explains_itself(stub: Stub) -> None:
    failure = {"last_lines": ["Traceback", "ValueError: no"], "exit_code": 3}
    ended = {"id": 7, "state": "FAILED", "message": "exit code 3", "failure": failure}

    def answer(asked: Asked) -> Answer:
        return as_json(_life("QUEUED")[0], status=201) if asked.method == "POST" else as_json(ended)

    stub.answer = answer
    result = orchestra("run", "storms", "--wait", server=stub.url)
    assert result.returncode == 1
    assert "FAILED" in result.stderr
    assert "ValueError: no" in result.stderr


def test_a_strangers_text_never_controls_the_terminal(stub: Stub) -> None:
    evil = {**MODULE, "description": "\x1b[2Jgone\x07"}
    stub.answer = lambda _: as_json({"total": 1, "items": [evil]})
    result = orchestra("list", server=stub.url)
    assert "\x1b[2J" not in result.stdout
    assert "gone" in result.stdout
    assert screen.shown("a\x1bb") == "a\N{REPLACEMENT CHARACTER}b"


def test_help_does_not_load_what_talks_to_the_server() -> None:
    code = (
        "import sys, orchestra.command as c\n"
        "try: c.app(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'httpx', 'django', 'orchestra_engine'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "is_old"),
    [
        (["--register", "x"], True),
        (["-R", "x"], True),
        (["--list"], True),
        (["--list-modules"], True),
        (["--yes", "--clear"], True),
        (["--server=http://x", "--list"], True),
        (["list"], False),
        (["run", "m", "--list", "x"], False),
        (["--help"], False),
        ([], False),
    ],
)
def test_the_older_command_line_is_recognised(words: list[str], is_old: bool) -> None:
    assert legacy.is_legacy(words) is is_old


def test_the_older_list_prints_numbers_and_names(stub: Stub) -> None:
    stub.answer = lambda _: as_json({"total": 1, "items": [MODULE]})
    for flag in ("--list", "--list-modules"):
        result = orchestra(flag, server=stub.url, module="orchestra")
        assert (result.returncode, result.stdout) == (0, "3\tstorms\n")


def test_the_older_clear_does_nothing_without_a_yes(stub: Stub) -> None:
    stub.answer = lambda _: as_json({"total": 1, "items": [MODULE]})
    assert "--yes" in orchestra("--clear", server=stub.url, module="orchestra").stderr
    assert not [asked for asked in stub.asked if asked.method == "DELETE"]
    assert orchestra("--clear", "--yes", server=stub.url, module="orchestra").returncode == 0
    assert [asked.path for asked in stub.asked if asked.method == "DELETE"] == ["/api/v1/modules/3"]


def test_the_older_register_takes_folders_and_https_git_only(stub: Stub) -> None:
    for target in ("http://host/a.git", "https://host/a", "/nowhere", "file:///a.git"):
        assert orchestra("--register", target, server=stub.url, module="orchestra").returncode == 2
    assert not stub.asked


def test_a_module_is_shown_in_words_that_people_read(stub: Stub) -> None:
    threshold = {"name": "threshold", "type": "float", "default": 0.5, "minimum": 0, "maximum": 1}
    column = {"name": "dst_min", "type": "float", "unit": "nT", "description": "lowest Dst"}
    version = {"number": 1, "label": "1.0.0", "commit": "", "environment": "", "created_at": "2001-03-28T00:00:00.5Z"}
    module = MODULE | {
        "output": {"type": "CAT", "filename": "storms.txt", "columns": [column]},
        "annexes_outputs": [{"type": "IMAGE", "filename": "storms.png"}],
        "defaults": {"start": "2001-03-28T00:00:00", "stop": "2001-04-14T00:00:00"},
        "args": [],
        "hyperparameters": [threshold],
    }
    versions = {"total": 1, "items": [version]}
    stub.answer = lambda asked: as_json(versions if "/versions" in asked.path else module)
    lines = [line.split() for line in orchestra("show", "storms", server=stub.url).stdout.splitlines()]
    assert ["output", "CAT", "storms.txt"] in lines
    assert ["annexes", "IMAGE", "storms.png"] in lines
    assert ["--threshold", "float", "0", "…", "1", "0.5"] in lines
    assert ["dst_min", "float", "nT", "lowest", "Dst"] in lines
    assert ["*", "1", "1.0.0", "not", "built", "2001-03-28T00:00:00Z"] in lines


def test_each_fault_is_said_once(stub: Stub) -> None:
    faults = [{"path": "start", "message": "not a time"}, {"path": "stop", "message": "not a time"}]
    stub.answer = lambda _: as_json({"error": "start: not a time; stop: not a time", "faults": faults}, status=422)
    assert orchestra("run", "storms", server=stub.url).stderr.splitlines() == ["start: not a time", "stop: not a time"]
    stub.answer = lambda _: as_json({"error": "start: not a time", "faults": faults[:1]}, status=422)
    assert orchestra("run", "storms", server=stub.url).stderr == "start: not a time\n"
    stub.answer = lambda _: as_json({"error": "No.", "faults": faults[:1]}, status=422)
    assert orchestra("run", "storms", server=stub.url).stderr == "No.\n  start: not a time\n"


def test_an_output_for_a_folder_that_is_not_there_is_a_sentence(stub: Stub, tmp_path: Path) -> None:
    stub.answer = lambda _: as_json({})
    result = orchestra("output", "7", "-o", str(tmp_path / "none" / "x.txt"), server=stub.url)
    assert result.returncode == 2
    assert result.stderr == f"{tmp_path}/none/x.txt cannot be written: there is no folder {tmp_path}/none.\n"


@pytest.mark.parametrize(
    "words",
    [("show", "../etc"), ("show", ""), ("run", ""), ("remove", " "), ("register", ""), ("run", "storms", "--key", "")],
)
def test_names_that_nothing_can_have_reach_no_server(stub: Stub, words: tuple[str, ...]) -> None:
    result = orchestra(*words, server=stub.url)
    assert result.returncode == 2
    assert not stub.asked
    assert len(result.stderr.splitlines()) <= 2
