"""Several controllers of one queue, as real processes: standing by, freezing, dying at random."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.serving import ROOT, Orchestra, until

INTERVAL = {"start": "2001-03-28T00:00:00", "stop": "2001-03-29T00:00:00"}

Start = Callable[[], "Another"]


class Another:
    """A further controller of a running Orchestra."""

    def __init__(self, orchestra: Orchestra, log: Path) -> None:
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "controller"],
                env={**os.environ, **orchestra.env},
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def until_said(self, text: str) -> None:
        until(lambda: text in self.log.read_text() or self.process.poll() is not None, what=f"{text!r} in the log")
        assert text in self.log.read_text(), self.log.read_text()

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()


@pytest.fixture
def another(orchestra: Orchestra, tmp_path: Path) -> Iterator[Start]:
    """Starts further controllers; afterwards the server has its own one again."""
    made: list[Another] = []

    def start() -> Another:
        made.append(Another(orchestra, tmp_path / f"controller-{len(made)}.log"))
        return made[-1]

    yield start
    for each in made:
        each.end()
    own = orchestra.server.controller
    assert own is not None
    if own.poll() is None:
        own.send_signal(signal.SIGCONT)
        orchestra.kill_controller()
    orchestra.start_controller()


def test_a_frozen_controller_is_replaced_and_as_a_zombie_ends_and_writes_nothing(
    orchestra: Orchestra, another: Start
) -> None:
    frozen = orchestra.server.controller
    assert frozen is not None
    execution = orchestra.start("slow", arguments={"seconds": 8}, **INTERVAL)["id"]
    orchestra.until_log(execution, b"started")
    frozen.send_signal(signal.SIGSTOP)
    second = another()
    second.until_said("standing by")
    second.until_said("working queue")
    frozen.send_signal(signal.SIGCONT)
    assert frozen.wait(timeout=60) != 0
    assert orchestra.ended(execution)["state"] == "SUCCEEDED", orchestra.why(execution)
    assert orchestra.text_of(execution).count(b"started") == 1
    assert second.process.poll() is None


def test_a_controller_that_is_told_to_end_leaves_what_runs_and_the_next_one_takes_over_at_once(
    orchestra: Orchestra, another: Start
) -> None:
    first = orchestra.server.controller
    assert first is not None
    execution = orchestra.start("slow", arguments={"seconds": 4}, **INTERVAL)["id"]
    orchestra.until_log(execution, b"started")
    second = another()
    second.until_said("standing by")
    first.terminate()
    assert first.wait(timeout=60) == 0
    second.until_said("working queue")
    assert orchestra.ended(execution)["state"] == "SUCCEEDED", orchestra.why(execution)
    assert orchestra.text_of(execution).count(b"started") == 1
    second.process.terminate()
    assert second.process.wait(timeout=60) == 0


def test_controllers_that_die_at_random_lose_nothing_and_run_nothing_twice(
    orchestra: Orchestra, another: Start
) -> None:
    module = orchestra.module("slow")["id"]
    runs = [orchestra.client.run(module, arguments={"seconds": 1}, **INTERVAL)["id"] for _ in range(12)]
    chance = random.Random(7)
    own = orchestra.server.controller
    assert own is not None
    victim = own
    for _ in range(6):
        next_one = another()
        with contextlib.suppress(subprocess.TimeoutExpired):
            victim.wait(timeout=chance.uniform(0.2, 2.0))
        victim.kill()
        victim.wait()
        next_one.until_said("working queue")
        victim = next_one.process
    for execution in runs:
        ended = orchestra.ended(execution)
        assert (ended["state"], ended["attempt"]) == ("SUCCEEDED", 1), orchestra.why(execution)
        assert orchestra.text_of(execution).count(b"started") == 1
        assert len(ended["outputs"]) == 1
