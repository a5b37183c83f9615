"""The `orchestra` command against a real server."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.serving import MODULES, ROOT, Orchestra, until

INTERVAL = ("--start", "2001-03-28T00:00:00", "--stop", "2001-03-29T00:00:00")


def test_from_registering_to_the_output(orchestra: Orchestra, tmp_path: Path) -> None:
    registered = orchestra.command("register", MODULES / "hyperparameters")
    assert registered.returncode == 0, registered.stderr
    listed = json.loads(orchestra.command("list", "--json").stdout)
    assert "hyperparameters" in {module["name"] for module in listed}
    shown = orchestra.command("show", "hyperparameters")
    assert "--a" in shown.stdout
    assert re.search(r"--a +int\b", shown.stdout), shown.stdout
    run = orchestra.command("run", "hyperparameters", *INTERVAL, "--a", "2", "--arg", "c=it's", "--wait", "--json")
    assert run.returncode == 0, run.stderr
    execution = json.loads(run.stdout)
    assert execution["state"] == "SUCCEEDED"
    target = tmp_path / "values.txt"
    fetched = orchestra.command("output", execution["id"], "-o", target)
    assert (fetched.returncode, fetched.stdout) == (0, f"{target}\n")
    assert target.read_text().startswith('2 0.5 "it\'s"') or target.read_text().startswith("2 ")
    assert orchestra.command("output", execution["id"], "-o", "-").stdout == target.read_text()


def test_a_run_that_waits_shows_its_catalog(orchestra: Orchestra) -> None:
    orchestra.module("cat")
    result = orchestra.command("run", "cat", *INTERVAL, "--wait")
    assert result.returncode == 0, result.stderr
    assert "412.5" in result.stdout
    assert "2001-03-31T05:00:00" in result.stdout


def test_a_failed_run_says_why_and_ends_with_1(orchestra: Orchestra) -> None:
    orchestra.module("failing")
    result = orchestra.command("run", "failing", *INTERVAL, "--wait")
    assert result.returncode == 1
    assert "no solar wind today" in result.stderr


def test_logs_are_followed_to_their_end(orchestra: Orchestra) -> None:
    execution = orchestra.start("slow", arguments={"seconds": 1})
    result = orchestra.command("logs", "-f", execution["id"])
    assert result.returncode == 0
    assert result.stdout.startswith("started\n")
    assert "0 s left" in result.stdout
    assert orchestra.command("logs", execution["id"]).stdout == result.stdout


def test_kill_waits_until_everything_is_dead(orchestra: Orchestra) -> None:
    execution = orchestra.start("slow")
    orchestra.until_log(execution["id"], b"started")
    result = orchestra.command("kill", execution["id"])
    assert result.stdout == f"Execution {execution['id']} is CANCELLED.\n"


def test_a_rebuild_shows_its_log(orchestra: Orchestra) -> None:
    orchestra.module("tt")
    result = orchestra.command("build", "tt")
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_a_build_that_fails_shows_why(orchestra: Orchestra, tmp_path: Path) -> None:
    folder = tmp_path / "module"
    shutil.copytree(MODULES / "bad_requirement", folder)
    metadata = json.loads((folder / "metadata.json").read_text()) | {"name": "never_built"}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    result = orchestra.command("register", folder)
    assert result.returncode == 1
    assert "FAILED" in result.stderr


def test_every_fault_of_a_module_is_shown(orchestra: Orchestra) -> None:
    result = orchestra.command("register", MODULES / "empty_annex")
    assert result.returncode == 2
    assert "annexes_outputs[1]" in result.stderr


def test_a_removed_module_is_gone(orchestra: Orchestra) -> None:
    orchestra.module("classes")
    assert orchestra.command("remove", "classes").returncode == 0
    assert orchestra.command("show", "classes").returncode == 2
    orchestra.module("classes")


def test_the_older_command_line_registers_lists_and_removes(orchestra: Orchestra) -> None:
    def old(*words: str | Path) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "ORCHESTRA_SERVER": orchestra.url}
        argv = [sys.executable, "-m", "orchestra", *map(str, words)]
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)

    made = old("--register", MODULES / "two_files", MODULES / "ts")
    assert made.returncode == 0, made.stderr
    numbers = dict(line.split("\t")[::-1] for line in old("--list").stdout.splitlines())
    assert {"two_files", "ts"} <= set(numbers)
    assert old("--remove", numbers["two_files"]).returncode == 0
    assert "two_files" not in old("--list-modules").stdout


def waiting(orchestra: Orchestra, **options: object) -> subprocess.Popen[bytes]:
    """The command while it waits for a run of the slow module."""
    orchestra.module("slow")
    env = {**os.environ, "ORCHESTRA_SERVER": orchestra.url, "TERM": "xterm"}
    argv = [str(ROOT / ".venv" / "bin" / "orchestra"), "run", "slow", *INTERVAL, "--wait"]
    return subprocess.Popen(argv, env=env, **options)  # type: ignore[call-overload, no-any-return]


def newest_running(orchestra: Orchestra) -> int:
    def look() -> int | None:
        found = orchestra.client.executions(module="slow", state="RUNNING", limit=1)
        return int(found[0]["id"]) if found else None

    found = until(look, what="the run of the command")
    time.sleep(1)  # the command has to read the answer to its request too
    return found


def test_ctrl_c_without_a_terminal_leaves_the_run_and_says_so(orchestra: Orchestra) -> None:
    process = waiting(orchestra, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    execution = newest_running(orchestra)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"orchestra kill {execution}" in told.decode()
    assert orchestra.client.execution(execution)["state"] == "RUNNING"
    orchestra.client.cancel(execution)
    orchestra.ended(execution)


@pytest.mark.parametrize(("answer", "code", "state"), [("c", 1, "CANCELLED"), ("l", 130, "RUNNING")])
def test_ctrl_c_at_a_terminal_asks_first(orchestra: Orchestra, answer: str, code: int, state: str) -> None:
    master, slave = pty.openpty()
    try:
        process = waiting(orchestra, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        execution = newest_running(orchestra)
        process.send_signal(signal.SIGINT)
        read = b""
        while b"[c]ancel" not in read:
            assert select.select([master], [], [], 60)[0], read
            read += os.read(master, 4096)
        os.write(master, f"{answer}\n".encode())
        process.wait(timeout=60)
        assert process.returncode == code
        assert orchestra.client.execution(execution)["state"] == state
    finally:
        os.close(master)
        os.close(slave)
        orchestra.client.cancel(execution)
    orchestra.ended(execution)
