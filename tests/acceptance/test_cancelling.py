"""Cancelling kills everything of a run, and says so only when it is true."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from orchestra import errors

from tests.acceptance.serving import Orchestra, until

INTERVAL = {"start": "2001-03-28T00:00:00", "stop": "2001-03-29T00:00:00"}


def processes_with(marker: str) -> list[str]:
    """Processes of this machine that have the marker in their command line, those that have ended left out."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes()
            state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if marker.encode() in command and state != "Z":
            found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.mark.main_job
@pytest.mark.parametrize(("name", "count"), [("ignores_sigterm", 1), ("forks", 3)])
def test_nothing_of_a_cancelled_run_is_left(orchestra: Orchestra, name: str, count: int) -> None:
    marker = f"marker-{uuid.uuid4().hex}"
    execution = orchestra.start(name, arguments={"marker": marker}, **INTERVAL)
    orchestra.until_log(execution["id"], b"started")
    until(lambda: len(processes_with(marker)) >= count, what="the processes of the run")
    orchestra.client.cancel(execution["id"])
    ended = orchestra.ended(execution["id"])
    assert processes_with(marker) == []
    assert ended["state"] == "CANCELLED"
    assert orchestra.http.get(f"/tasks/{execution['id']}").json()["status"] == "terminated"


@pytest.mark.main_job
def test_nothing_that_a_run_left_behind_outlives_it(orchestra: Orchestra) -> None:
    marker = f"marker-{uuid.uuid4().hex}"
    execution = orchestra.run("forks", arguments={"marker": marker, "leave": "true"}, **INTERVAL)
    assert execution["state"] == "SUCCEEDED", orchestra.why(execution["id"])
    assert processes_with(marker) == []


def test_a_run_that_obeys_ends_at_once(orchestra: Orchestra) -> None:
    execution = orchestra.start("slow", **INTERVAL)
    orchestra.until_log(execution["id"], b"started")
    answer = orchestra.http.get(f"/tasks/{execution['id']}/kill")
    assert answer.status_code == 200
    assert orchestra.ended(execution["id"])["state"] == "CANCELLED"
    assert orchestra.http.get(f"/tasks/{execution['id']}/output").status_code == 409


def test_a_cancel_after_the_end_changes_nothing(orchestra: Orchestra) -> None:
    execution = orchestra.run("tt", **INTERVAL)
    orchestra.client.cancel(execution["id"])
    assert orchestra.client.execution(execution["id"])["state"] == "SUCCEEDED"


def test_a_retry_is_a_new_attempt_and_keeps_the_old_ones_log(orchestra: Orchestra) -> None:
    execution = orchestra.run("failing", **INTERVAL)
    orchestra.client.retry(execution["id"])
    again = orchestra.ended(execution["id"])
    assert (again["attempt"], [attempt["state"] for attempt in again["attempts"]]) == (2, ["FAILED", "FAILED"])
    first = b"".join(orchestra.client.whole_log(execution["id"], attempt=1))
    assert b"no solar wind today" in first


def test_a_run_that_succeeded_is_not_retried(orchestra: Orchestra) -> None:
    execution = orchestra.run("tt", **INTERVAL)
    with pytest.raises(errors.Conflict):
        orchestra.client.retry(execution["id"])


def test_a_module_with_a_live_run_is_not_removed(orchestra: Orchestra) -> None:
    execution = orchestra.start("slow", **INTERVAL)
    with pytest.raises(errors.Conflict, match=str(execution["id"])):
        orchestra.client.remove("slow")
    orchestra.client.cancel(execution["id"])
    orchestra.ended(execution["id"])
    orchestra.client.remove("slow")
    assert orchestra.client.execution(execution["id"])["state"] == "CANCELLED"
    orchestra.module("slow")
