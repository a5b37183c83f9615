"""What `orchestra workflow` says of the words on its line, before anything runs."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from orchestra.command import app
from orchestra.workflow import logs
from orchestra.workflow.control_commands import unquoted
from orchestra.workflow.manifest import next_name
from typer.testing import CliRunner, Result

GOOD = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  arguments: {parameters: [{name: a}, {name: b, value: x}]}
  templates:
  - name: main
    container: {image: busybox, command: [echo, "{{workflow.parameters.a}}"]}
"""
NODES = {
    "w": {"id": "w", "name": "w", "displayName": "w", "type": "DAG", "phase": "Running"},
    "w-1": {"id": "w-1", "name": "w.one", "displayName": "one", "type": "Suspend", "phase": "Running"},
    "w-2": {"id": "w-2", "name": "w.two", "displayName": "two", "type": "Pod", "phase": "Running"},
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCHESTRA_SERVER", raising=False)
    monkeypatch.delenv("ORCHESTRA_IMAGES", raising=False)
    (tmp_path / "w.yaml").write_text(GOOD)
    return tmp_path


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["workflow", *words])


def keep(name: str, *, created: str, phase: str = "Succeeded", nodes: dict[str, Any] | None = None) -> None:
    """A workflow in the folder, as a command left it."""
    metadata = {"name": name, "creationTimestamp": created}
    workflow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata, "spec": {},
                "status": {"phase": phase, "nodes": nodes or {}}}  # fmt: skip
    folder = Path(".orchestra", name)
    folder.mkdir(parents=True)
    (folder / "workflow.json").write_text(json.dumps({"workflow": workflow, "version": 1, "claim": 0, "grants": {}}))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "w.yaml", "-p", "a=1", "-p", "a=2"], "-p a is given twice: '1' and '2'."),
        (["run", "w.yaml", "-p", "a"], "-p a: it has to be NAME=VALUE."),
        (["submit", "w.yaml", "-p", "a"], "-p a: it has to be NAME=VALUE."),
        (["run", "https://x.example/w.yaml"], "https://x.example/w.yaml: nothing is fetched from addresses; pipe it "
         "in: curl -fsSL https://x.example/w.yaml | orchestra … -"),
        (["run", "w.yaml"], "w.yaml:6:28: error: spec.arguments.a.value or spec.arguments.a.valueFrom is required: "
         "give it with -p a=VALUE"),
        (["run", "w.yaml", "-p", "a=1", "--name", "Foo"], '--name Foo: Invalid value: "Foo": a lowercase RFC 1123'),
        (["run", "w.yaml", "-f", "none.yaml"], "--parameter-file none.yaml: No such file or directory"),
        (["run", "w.yaml", "-f", "list.yaml"], "--parameter-file list.yaml: line 1, column 1: a manifest has to be"),
        (["run", "w.yaml", "-f", "a.yaml", "-p", "a=2"], "-p a is given twice"),
        (["run", "w.yaml", "--server", "http://127.0.0.1:9", "--images", "x", "--status-out", "-"],
         "With --server only the manifest and its parameters are sent; leave --status-out, --images out."),
        (["stop", "w", "--message", "why"], "--message is for the nodes of --node-field-selector"),
        (["resume", "w", "-p", "a=1"], "say which with --node"),
        (["resume", "w", "--node", "a", "--node-field-selector", "id=1"], "exclude each other"),
        (["retry", "w", "--restart-successful"], "--restart-successful and --node-field-selector go together"),
        (["retry", "w", "--node-field-selector", "id=1"], "go together"),
        (["node", "set", "w", "--phase", "Failed"], "say which with --node-field-selector"),
        (["node", "set", "w", "--node-field-selector", "id=1"], "Nothing is to be set"),
        (["node", "set", "w", "--node-field-selector", "id=1", "--phase", "Skipped"], "can be set to Succeeded"),
        (["list", "--running", "--completed"], "exclude each other"),
        (["list", "-o", "wide"], "only the form name"),
        (["get", "@latest"], "there is no workflow in .orchestra that could be the latest"),
        (["delete"], "Give the names of workflows, or --all."),
    ],
)  # fmt: skip
def test_wrong_words_are_told_and_nothing_is_made(here: Path, words: list[str], said: str) -> None:
    (here / "list.yaml").write_text("[1]\n")
    (here / "a.yaml").write_text("a: 1\n")
    result = call(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())
    assert not (here / ".orchestra").exists()


def test_an_image_table_of_the_environment_is_no_option_for_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRA_IMAGES", "table.yaml")
    sent: list[object] = []
    monkeypatch.setattr("orchestra.schema.run_sent", lambda *given: sent.append(given) or 0)
    assert call("run", "w.yaml", "--server", "http://127.0.0.1:9", "-p", "a=1").exit_code == 0
    assert sent == [("http://127.0.0.1:9", "w.yaml", {"a": "1"})]


def test_values_of_a_file_are_what_argo_makes_of_them(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, str]] = []
    monkeypatch.setattr("orchestra.schema.run_sent", lambda server, file, given: sent.append(given) or 0)
    (here / "v.yaml").write_text("a: text\nb: 1.50\nc: yes\nd: [1, x]\ne: {k: null}\nf: '=='\n")
    (here / "v.json").write_text('{"a": "text", "g": "x=y"}')
    assert call("run", "w.yaml", "--server", "http://x", "-f", "v.yaml", "-p", "z=9").exit_code == 0
    assert call("run", "w.yaml", "--server", "http://x", "-f", "v.json").exit_code == 0
    assert sent == [
        {"z": "9", "a": "text", "b": "1.5", "c": "true", "d": '[1,"x"]', "e": '{"k":null}', "f": "=="},
        {"a": "text", "g": "x=y"},
    ]


def test_latest_is_the_workflow_that_was_made_last() -> None:
    keep("older", created="2001-03-28T00:00:00Z")
    keep("newer", created="2001-03-28T00:00:01Z")
    assert call("get", "@latest", "-o", "name").stdout == "newer\n"


def test_of_two_that_were_made_in_one_second_the_later_one_is_the_latest() -> None:
    for number in (9, 10):
        keep(f"w-{number}", created="2001-03-28T00:00:00Z")
        Path(".orchestra", f"w-{number}", "sandbox").write_text("plain")
    assert call("get", "@latest", "-o", "name").stdout == "w-10\n"


def test_a_list_can_be_narrowed_as_argos() -> None:
    keep("a-1", created="2001-03-28T00:00:00Z")
    keep("a-2", created="2001-03-28T00:00:01Z", phase="Failed")
    keep("b-1", created="2001-03-28T00:00:02Z", phase="Running")
    assert call("list", "-o", "name").stdout.split() == ["b-1", "a-2", "a-1"]
    assert call("list", "-o", "name", "--running").stdout.split() == ["b-1"]
    assert call("list", "-o", "name", "--completed").stdout.split() == ["a-2", "a-1"]
    assert call("list", "-o", "name", "--status", "failed,Running").stdout.split() == ["b-1", "a-2"]
    assert call("list", "-o", "name", "--prefix", "a-").stdout.split() == ["a-2", "a-1"]
    assert "There is no such workflow" in call("list", "--status", "Error").stdout


def test_a_workflow_is_shown_whole_as_json_and_as_yaml() -> None:
    keep("w", created="2001-03-28T00:00:00Z")
    shown = json.loads(call("get", "w", "-o", "json").stdout)
    assert (
        shown == yaml.safe_load(call("get", "w", "-o", "yaml").stdout) == json.loads(call("get", "w", "--json").stdout)
    )
    assert shown["metadata"]["name"] == "w"


def test_deleting_twice_is_told_once(here: Path) -> None:
    keep("w", created="2001-03-28T00:00:00Z")
    assert call("delete", "w", "w", "@latest").stdout == "Deleted w.\n"
    assert not (here / ".orchestra" / "w").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["resume", "w", "--node", "two"], "no suspended node of w is meant by two (there is: one)"),
        (
            ["resume", "w", "--node-field-selector", "displayName=two"],
            "no suspended node of w is meant by --node-field",
        ),
        (["stop", "w", "--node-field-selector", "colour=red"], "'colour' is no field of a node"),
        (["retry", "ended", "--restart-successful", "--node-field-selector", "id=x"], "ended has no node that"),
        (["retry", "ended"], "it is Succeeded (--restart-successful runs nodes again that succeeded)"),
        (["stop", "w", "ended"], "ended has ended already (Succeeded)"),
        (["get", "../w"], "there is no workflow ../w in .orchestra (there is: ended, w)"),
        (["delete", "@oldest"], "there is no workflow @oldest in .orchestra"),
    ],
)
def test_what_cannot_be_done_to_a_workflow_is_said_and_changes_nothing(words: list[str], said: str) -> None:
    keep("w", created="2001-03-28T00:00:00Z", phase="Running", nodes=NODES)
    keep("ended", created="2001-03-28T00:00:00Z")
    before = {path: path.read_bytes() for path in Path(".orchestra").rglob("workflow.json")}
    result = call(*words)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    assert {path: path.read_bytes() for path in Path(".orchestra").rglob("workflow.json")} == before


@pytest.mark.parametrize(
    ("name", "taken", "free"),
    [
        ("w", [], "w"),
        ("w", ["w", "w-2"], "w-3"),
        ("x" * 63, ["x" * 63], "x" * 61 + "-2"),
        ("x" * 60 + "-yy", ["x" * 60 + "-yy"], "x" * 60 + "-2"),
    ],
)
def test_the_next_name_is_free_and_never_too_long(name: str, taken: list[str], free: str) -> None:
    assert next_name(name, taken) == free
    assert len(free) <= 63


@pytest.mark.parametrize(
    ("given", "value"),
    [("a b", "a b"), ('"a\\nb"', "a\nb"), ("`a\\nb`", "a\\nb"), ('"a', '"a'), ('"a"b"', '"a"b"'), ("`", "`"), ("", "")],
)
def test_a_value_for_a_node_may_be_quoted_as_argo_takes_it(given: str, value: str) -> None:
    assert unquoted(given) == value


# --- logs ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def log() -> Path:
    keep("w", created="2001-03-28T00:00:00Z", nodes=NODES)
    place = Path(".orchestra", "w", "nodes", "w-2")
    place.mkdir(parents=True)
    (place / "log").write_bytes(b"".join(b"line %d\n" % number for number in range(30_000)) + b"\x1b]0;title\x07last")
    return place / "log"


def test_logs_are_whole_or_their_last_lines_or_those_with_a_text(log: Path) -> None:
    assert call("logs", "w").stdout_bytes == log.read_bytes()
    assert call("logs", "w", "two", "-c", "main").stdout_bytes == log.read_bytes()
    assert call("logs", "w", "-c", "other").stdout_bytes == b""
    assert call("logs", "w", "--tail", "3").stdout_bytes == b"line 29998\nline 29999\n\x1b]0;title\x07last"
    assert call("logs", "w", "--tail", "0").stdout_bytes == b""
    assert call("logs", "w", "--tail", "40000").stdout_bytes == log.read_bytes()
    assert call("logs", "w", "--tail", "30001").stdout_bytes == log.read_bytes()
    assert call("logs", "w", "--tail", "30000").stdout_bytes == log.read_bytes().partition(b"\n")[2]
    assert call("logs", "w", "--grep", "e 2999").stdout.split() == [
        word for number in (2999, *range(29_990, 30_000)) for word in ("line", str(number))
    ]


class Terminal(io.BytesIO):
    """Standard output that is a terminal."""

    @property
    def buffer(self) -> Terminal:
        return self

    def isatty(self) -> bool:
        return True


def test_a_log_never_moves_the_cursor_of_a_terminal(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_bytes(b"\x1b[31mred\x1b[0m\tcolumn\r\n10%\r100%\n\x1b[2J\x1b]0;title\x07\xff \xc3\xbc\n")
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    from orchestra.workflow.folder import Folder

    logs.show(Folder(path=Path(".orchestra")), "w", logs.Choice(), follow=False)
    assert terminal.getvalue().decode() == "red\tcolumn\n10%\n100%\n�[2J�]0;title�� ü\n"


# --- folders that cannot be used -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Free some room, or use a folder on another disk with --folder."),
        (errno.EDQUOT, "Free some room, or use a folder on another disk with --folder."),
        (errno.EROFS, "Use a folder that can be written with --folder."),
        (errno.EACCES, "Use a folder of your own with --folder."),
    ],
)
def test_a_disk_that_takes_no_more_is_told_and_nothing_is_left(
    here: Path, number: int, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, text: str) -> int:
        raise OSError(number, os.strerror(number), str(self))

    (here / "w.yaml").write_text(GOOD.replace("{name: a}", "{name: a, value: x}"))
    monkeypatch.setattr(Path, "write_text", full)
    result = call("run", "w.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f".orchestra/.gitignore: {os.strerror(number)}. {advice}\n"
    assert not (here / ".orchestra").exists()
