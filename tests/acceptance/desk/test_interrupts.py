"""Ctrl-C and kill -9 at moments when nothing of the workflow's own runs: a lock is awaited, a gate, an exit handler."""

from __future__ import annotations

import signal

from tests.acceptance.desk.command import HEAD, Desk, manifest, shell

LOCKED = "  synchronization: {mutexes: [{name: m}]}\n"
GATE = "  - name: main\n    suspend: {}\n"


def running(desk: Desk, node: str, name: str = "w") -> bool:
    return desk.phase(name) != "" and desk.phases(name).get(node) == "Running"


def test_a_workflow_that_waits_for_a_lock_ends_at_the_second_ctrl_c(desk: Desk) -> None:
    holder = desk.start("workflow", "run", desk.write(manifest(GATE, HEAD + LOCKED)), "--name", "holder")
    desk.wait(lambda: running(desk, "holder", "holder"), "the lock is held")
    text = manifest(shell("main", "true") + shell("bye", "echo bye"), HEAD + LOCKED + "  onExit: bye\n")
    waiting = desk.start("workflow", "run", desk.write(text))
    desk.wait(lambda: desk.phase() == "Pending", "the lock is awaited")
    waiting.send_signal(signal.SIGINT)
    desk.wait(lambda: desk.workflow()["spec"].get("shutdown") == "Stop", "it was asked to stop")
    waiting.send_signal(signal.SIGINT)
    out = desk.end(waiting)
    assert waiting.returncode == 130
    assert "Terminating w" in out
    assert (desk.phase(), desk.phases()) == ("Failed", {})
    assert running(desk, "holder", "holder")
    assert desk.call("workflow", "resume", "holder").returncode == 0
    assert "holder Succeeded" in desk.end(holder)


def test_an_exit_handler_is_let_run_by_the_first_ctrl_c_and_ended_by_the_second(desk: Desk) -> None:
    text = manifest(shell("main", "true") + shell("bye", "echo begun; sleep 600"), HEAD + "  onExit: bye\n")
    run = desk.start("workflow", "run", desk.write(text))
    desk.wait(lambda: desk.log("w.onExit") == "begun\n", "the exit handler runs")
    run.send_signal(signal.SIGINT)
    desk.wait(lambda: desk.workflow()["spec"].get("shutdown") == "Stop", "it was asked to stop")
    assert running(desk, "w.onExit")
    run.send_signal(signal.SIGINT)
    out = desk.end(run)
    assert run.returncode == 130
    assert "its exit handlers run" in out
    assert desk.phases() == {"w": "Succeeded", "w.onExit": "Failed"}


def test_what_a_killed_command_left_at_a_gate_is_told_and_can_be_resumed(desk: Desk) -> None:
    run = desk.start("workflow", "run", desk.write(manifest(GATE)))
    desk.wait(lambda: running(desk, "w"), "the gate waits")
    run.kill()
    run.wait()
    assert "nobody runs it: `orchestra workflow watch w` goes on" in desk.call("workflow", "list").stdout
    resumed = desk.call("workflow", "resume", "@latest")
    assert (resumed.returncode, desk.phase()) == (0, "Succeeded"), resumed.stderr
    assert "w Succeeded" in resumed.stdout
