"""Programs of a set that are started again, as `containerSet.retryStrategy` wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from engine_bench import pod

Make = Callable[..., Any]

# Counts its attempts in its working folder, which stays the same.
COUNT = "n=$(cat n 2>/dev/null || echo 0); n=$((n+1)); echo $n > n; echo attempt $n;"


def test_a_program_is_started_again_where_it_was_until_it_succeeds(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    status = bench.run(pod(args=[COUNT + "[ $n -ge 3 ]"], container={"attempts": 5}, capture_result=True))
    assert (status.phase, status.exit_code) == ("Succeeded", 0)
    assert status.outputs["result"] == "attempt 1\nattempt 2\nattempt 3"
    assert bench.log() == "attempt 1\nattempt 2\nattempt 3\n"


def test_after_its_last_attempt_it_has_failed_as_that_did(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    status = bench.run(pod(args=[COUNT + "exit $((n+2))"], container={"attempts": 2, "retry_seconds": 0.01}))
    assert (status.phase, status.message) == ("Failed", "main: Error (exit code 4)")
    assert bench.log() == "attempt 1\nattempt 2\n"


@pytest.mark.parametrize("pause", [0.0, 600.0])
def test_a_kill_is_not_answered_by_another_attempt(make: Make, sandbox: str, pause: float) -> None:
    bench = make(sandbox)
    wait = "exit 1" if pause else "sleep 600"
    bench.start(pod(args=[COUNT + wait], container={"attempts": 9, "retry_seconds": pause}))
    bench.until_logged("attempt 1")
    bench.kill(reason="because", grace=0.3)
    status = bench.result()
    assert (status.phase, status.killed) == ("Failed", "because")
    assert bench.log() == "attempt 1\n"


def test_a_program_that_is_not_there_is_looked_for_once(make: Make, sandbox: str) -> None:
    status = make(sandbox).run(pod(container={"command": ["no-such-program"], "attempts": 3, "retry_seconds": 600.0}))
    assert status.message.startswith("main: Error (exit code 64): failed to find name in PATH")
