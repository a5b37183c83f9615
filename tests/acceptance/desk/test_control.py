"""Stopping, taking over, suspending, retrying: what people do to workflows at the desk, with real signals."""

from __future__ import annotations

import json
import os
import signal
import uuid
from pathlib import Path

import pytest

from tests.acceptance.desk.command import HEAD, Desk, manifest, shell

EXIT = HEAD + "  onExit: bye\n"


def long(marker: str, *, text: str = "") -> str:
    """A manifest whose only program runs until it is ended; `marker` is in its command line."""
    line = text or f"echo ready; sleep 600; : {marker}"
    return manifest(shell("main", line) + shell("bye", "echo {{workflow.status}}"), EXIT)


def alive(marker: str) -> list[str]:
    """The command lines of the processes that carry a marker."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if marker in line:
                found.append(line)
    return found


@pytest.fixture
def marker() -> str:
    return f"mark-{uuid.uuid4().hex}"


def test_ctrl_c_stops_the_workflow_and_its_exit_handler_runs(desk: Desk, marker: str, sandbox: str) -> None:
    desk.write(long(marker))
    command = desk.start("workflow", "run", "w.yaml", "--sandbox", sandbox, "--status-out", "out.json")
    desk.wait(lambda: "ready" in desk.log("w"), "the program's first line")
    command.send_signal(signal.SIGINT)
    out = desk.end(command)
    assert command.returncode == 130
    assert "Stopping w; its exit handlers run." in out
    assert desk.phases() == {"w": "Failed", "w.onExit": "Succeeded"}
    assert desk.log("w.onExit") == "Failed\n"
    assert desk.workflow()["status"]["message"] == "Stopped with strategy 'Stop'"
    assert json.loads((desk.folder / "out.json").read_text())["status"]["phase"] == "Failed"
    assert alive(marker) == []


def test_ctrl_c_twice_terminates_without_the_exit_handler(desk: Desk, marker: str) -> None:
    stubborn = f"trap 'echo asked' TERM; echo ready; while :; do sleep 1; done; : {marker}"
    desk.write(long(marker, text=stubborn))
    command = desk.start("workflow", "run", "w.yaml")
    desk.wait(lambda: "ready" in desk.log("w"), "the program's first line")
    command.send_signal(signal.SIGINT)
    desk.wait(lambda: "asked" in desk.log("w"), "the request to end")
    command.send_signal(signal.SIGINT)
    out = desk.end(command)
    assert command.returncode == 130
    assert "Terminating w." in out
    assert desk.phases() == {"w": "Failed"}
    assert alive(marker) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["terminated", "terminal closed"])
def test_a_command_that_is_ended_stops_its_workflow_too(desk: Desk, marker: str, number: signal.Signals) -> None:
    desk.write(long(marker))
    command = desk.start("workflow", "run", "w.yaml")
    desk.wait(lambda: "ready" in desk.log("w"), "the program's first line")
    command.send_signal(number)
    desk.end(command)
    assert desk.phases() == {"w": "Failed", "w.onExit": "Succeeded"}
    assert alive(marker) == []


def test_a_killed_command_is_taken_over_by_the_next_one(desk: Desk, marker: str) -> None:
    steps = "  - name: main\n    steps: [[{name: a, template: a}], [{name: b, template: b}]]\n"
    slow = f"for i in $(seq 100); do test -e /tmp/{marker} && break; sleep 0.1; done; echo one"
    desk.write(manifest(steps + shell("a", slow) + shell("b", "echo two")))
    command = desk.start("workflow", "run", "w.yaml", "--sandbox", "plain")
    desk.wait(lambda: desk.phase() == "Running" and desk.phases().get("w[0].a") == "Running", "the first step")
    command.send_signal(signal.SIGKILL)
    desk.end(command)
    listed = desk.call("workflow", "list").stdout
    assert "nobody runs it: `orchestra workflow watch w` goes on" in listed
    open(f"/tmp/{marker}", "w").close()
    try:
        again = desk.call("workflow", "run", "w.yaml", "--sandbox", "plain")
    finally:
        os.unlink(f"/tmp/{marker}")
    assert again.returncode == 0
    assert "w is running already; going on with it." in again.stdout
    assert (desk.log("w[0].a"), desk.log("w[1].b")) == ("one\n", "two\n")
    assert [one["name"] for one in json.loads(desk.call("workflow", "list", "--json").stdout)] == ["w"]


def test_another_manifest_of_a_running_name_is_refused(desk: Desk, marker: str) -> None:
    desk.write(long(marker))
    command = desk.start("workflow", "run", "w.yaml")
    desk.wait(lambda: "ready" in desk.log("w"), "the program's first line")
    desk.write(manifest(shell("main", "true")), "other.yaml")
    other = desk.call("workflow", "run", "other.yaml")
    assert other.returncode == 2
    assert "another workflow named w is running" in other.stderr
    command.send_signal(signal.SIGINT)
    desk.end(command)


def test_another_command_stops_what_one_runs(desk: Desk, marker: str) -> None:
    desk.write(long(marker))
    command = desk.start("workflow", "run", "w.yaml")
    desk.wait(lambda: "ready" in desk.log("w"), "the program's first line")
    stopped = desk.call("workflow", "stop", "w")
    assert (stopped.returncode, stopped.stderr) == (0, "")
    desk.end(command)
    assert command.returncode == 1
    assert desk.phases() == {"w": "Failed", "w.onExit": "Succeeded"}
    over = desk.call("workflow", "stop", "w")
    assert over.returncode == 2
    assert "w has ended already (Failed)" in over.stderr


def test_terminating_what_nobody_runs_ends_its_processes(desk: Desk, marker: str) -> None:
    desk.write(long(marker))
    command = desk.start("workflow", "run", "w.yaml")
    desk.wait(lambda: "ready" in desk.log("w"), "the program's first line")
    command.send_signal(signal.SIGKILL)
    desk.end(command)
    assert alive(marker)
    assert desk.call("workflow", "terminate", "w").returncode == 0
    assert desk.phases() == {"w": "Failed"}
    assert alive(marker) == []


def test_two_runs_share_a_folder_and_the_second_goes_on_alone(desk: Desk, marker: str) -> None:
    desk.write(long(marker), "first.yaml")
    first = desk.start("workflow", "run", "first.yaml", "--name", "first", "--sandbox", "plain")
    desk.wait(lambda: "ready" in desk.log("first", "first"), "the first program's first line")
    wait = f"echo ready; for i in $(seq 600); do test -e /tmp/{marker} && break; sleep 0.1; done; echo done"
    desk.write(manifest(shell("main", wait)), "second.yaml")
    second = desk.start("workflow", "run", "second.yaml", "--name", "second")
    desk.wait(lambda: "Running" in desk.phases("second").values() if desk.phase("second") else False, "the second")
    other = desk.call("workflow", "run", "second.yaml", "--name", "third", "--sandbox", "private")
    assert other.returncode == 2
    assert "in the sandbox plain" in other.stderr
    first.send_signal(signal.SIGINT)
    desk.end(first)
    assert first.returncode == 130
    open(f"/tmp/{marker}", "w").close()
    try:
        out = desk.end(second)
    finally:
        os.unlink(f"/tmp/{marker}")
    assert "second Succeeded" in out
    assert second.returncode == 0


def test_a_suspended_workflow_starts_nothing_until_it_is_resumed(desk: Desk, marker: str) -> None:
    steps = "  - name: main\n    steps: [[{name: a, template: a}], [{name: b, template: b}]]\n"
    gate = f"echo ready; for i in $(seq 600); do test -e /tmp/{marker} && break; sleep 0.1; done"
    desk.write(manifest(steps + shell("a", gate) + shell("b", "echo two")))
    command = desk.start("workflow", "run", "w.yaml", "--sandbox", "plain")
    desk.wait(lambda: "ready" in desk.log("w[0].a"), "the first step")
    assert desk.call("workflow", "suspend", "w").returncode == 0
    open(f"/tmp/{marker}", "w").close()
    try:
        desk.wait(lambda: desk.phases().get("w[0].a") == "Succeeded", "the end of the first step")
    finally:
        os.unlink(f"/tmp/{marker}")
    assert desk.phases().get("w[1].b") is None
    assert desk.call("workflow", "resume", "w").returncode == 0
    desk.end(command)
    assert command.returncode == 0
    assert desk.log("w[1].b") == "two\n"


def test_resume_supplies_values_to_a_suspended_node(desk: Desk) -> None:
    desk.write(
        manifest("""\
  - name: main
    steps:
    - - {name: ask, template: ask}
    - - name: use
        template: use
        arguments: {parameters: [{name: v, value: "{{steps.ask.outputs.parameters.answer}}"}]}
  - name: ask
    suspend: {}
    outputs: {parameters: [{name: answer, valueFrom: {supplied: {}}}]}
  - name: use
    inputs: {parameters: [{name: v}]}
    container: {image: busybox, command: [echo, "{{inputs.parameters.v}}"]}
""")
    )
    command = desk.start("workflow", "run", "w.yaml")
    desk.wait(lambda: desk.phase() == "Running" and desk.phases().get("w[0].ask") == "Running", "the question")
    wrong = desk.call("workflow", "resume", "w", "--node", "ask", "-p", "reply=no")
    assert wrong.returncode == 2
    assert "answer" in wrong.stderr
    assert desk.call("workflow", "resume", "w", "--node", "ask", "-p", "answer=forty two").returncode == 0
    desk.end(command)
    assert command.returncode == 0
    assert desk.log("w[1].use") == "forty two\n"


def test_a_retry_runs_only_what_failed(desk: Desk, marker: str) -> None:
    steps = "  - name: main\n    steps: [[{name: a, template: a}], [{name: b, template: b}]]\n"
    desk.write(manifest(steps + shell("a", "date +%N") + shell("b", f"test -e /tmp/{marker}; exit $?")))
    assert desk.call("workflow", "run", "w.yaml", "--sandbox", "plain").returncode == 1
    before = desk.log("w[0].a")
    assert desk.call("workflow", "retry", "w", "--sandbox", "plain").returncode == 1
    open(f"/tmp/{marker}", "w").close()
    try:
        retried = desk.call("workflow", "retry", "w", "--sandbox", "plain")
    finally:
        os.unlink(f"/tmp/{marker}")
    assert retried.returncode == 0
    assert desk.log("w[0].a") == before != ""
    assert set(desk.phases().values()) == {"Succeeded"}
    over = desk.call("workflow", "retry", "w")
    assert over.returncode == 2
    assert "only a workflow that has failed" in over.stderr


def test_a_resubmitted_workflow_starts_from_its_beginning(desk: Desk) -> None:
    head = HEAD + "  arguments: {parameters: [{name: a, value: one}]}\n"
    desk.write(manifest(shell("main", "echo {{workflow.parameters.a}}"), head))
    assert desk.call("workflow", "run", "w.yaml").returncode == 0
    assert desk.call("workflow", "resubmit", "w", "-p", "a=two").returncode == 0
    assert (desk.log("w"), desk.log("w-2", "w-2")) == ("one\n", "two\n")
    labels = desk.workflow("w-2")["metadata"]["labels"]
    assert labels == {"workflows.argoproj.io/resubmitted-from-workflow": "w"}


def test_logs_and_show_tell_what_happened(desk: Desk) -> None:
    steps = "  - name: main\n    steps: [[{name: a, template: a}, {name: b, template: b}]]\n"
    desk.write(manifest(steps + shell("a", "echo one") + shell("b", "printf two; exit 3")))
    assert desk.call("workflow", "run", "w.yaml").returncode == 1
    assert sorted(desk.call("workflow", "logs", "w").stdout.splitlines()) == ["a: one", "b: two"]
    assert desk.call("workflow", "logs", "w", "b").stdout == "two"
    missing = desk.call("workflow", "logs", "w", "c")
    assert missing.returncode == 2
    assert "there are: a, b" in missing.stderr
    shown = desk.call("workflow", "show", "w").stdout
    assert "✖ b" in shown
    assert "w[0].b is Failed: main: Error (exit code 3)" in shown
    assert json.loads(desk.call("workflow", "show", "w", "--json").stdout)["status"]["phase"] == "Failed"
    assert "there is no workflow x" in desk.call("workflow", "show", "x").stderr


def test_a_log_is_followed_while_it_grows(desk: Desk, marker: str) -> None:
    desk.write(manifest(shell("main", f"echo ready; sleep 600; : {marker}")))
    command = desk.start("workflow", "run", "w.yaml")
    desk.wait(lambda: "ready" in desk.log("w"), "the program's first line")
    log = desk.start("workflow", "logs", "-f", "w")
    assert log.stdout is not None
    assert log.stdout.readline() == "ready\n"
    command.send_signal(signal.SIGINT)
    desk.end(command)
    assert desk.end(log) == ""
    assert log.returncode == 0


def test_only_what_has_ended_is_deleted(desk: Desk, marker: str) -> None:
    desk.write(manifest(shell("main", "true")), "short.yaml")
    assert desk.call("workflow", "run", "short.yaml", "--name", "short").returncode == 0
    desk.write(long(marker))
    command = desk.start("workflow", "run", "w.yaml")
    desk.wait(lambda: "ready" in desk.log("w"), "the program's first line")
    refused = desk.call("workflow", "delete", "w")
    assert refused.returncode == 2
    assert "terminate w" in refused.stderr
    assert desk.call("workflow", "delete", "--all").stdout == "Deleted short.\n"
    assert not (desk.folder / ".orchestra" / "short").exists()
    command.send_signal(signal.SIGINT)
    desk.end(command)
    assert desk.phases()["w.onExit"] == "Succeeded"


def test_watching_leaves_the_workflow_alone(desk: Desk, marker: str) -> None:
    desk.write(long(marker))
    command = desk.start("workflow", "run", "w.yaml")
    desk.wait(lambda: "ready" in desk.log("w"), "the program's first line")
    watching = desk.start("workflow", "watch", "w")
    assert watching.stdout is not None
    assert "Running" in watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    assert "w is left as it is" in desk.end(watching)
    assert (watching.returncode, desk.phase()) == (130, "Running")
    command.send_signal(signal.SIGINT)
    desk.end(command)
