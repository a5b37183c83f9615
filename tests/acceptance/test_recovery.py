"""What happens when many ask at once, and when the controller dies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.serving import Orchestra

INTERVAL = {"start": "2001-03-28T00:00:00", "stop": "2001-03-29T00:00:00"}


@pytest.mark.main_job
def test_a_run_outlives_the_controllers_crash_and_is_not_run_twice(orchestra: Orchestra) -> None:
    execution = orchestra.start("slow", arguments={"seconds": 6}, **INTERVAL)
    orchestra.until_log(execution["id"], b"started")
    orchestra.kill_controller()
    orchestra.start_controller()
    ended = orchestra.ended(execution["id"])
    assert ended["state"] == "SUCCEEDED", orchestra.why(execution["id"])
    assert ended["attempt"] == 1
    assert orchestra.text_of(execution["id"]).count(b"started") == 1


@pytest.mark.main_job
def test_a_run_that_ended_while_no_controller_lived_is_collected(orchestra: Orchestra) -> None:
    execution = orchestra.start("slow", arguments={"seconds": 1}, **INTERVAL)
    orchestra.until_log(execution["id"], b"started")
    orchestra.kill_controller()
    orchestra.until_log(execution["id"], b"\n0 s left")
    orchestra.start_controller()
    assert orchestra.ended(execution["id"])["state"] == "SUCCEEDED"
    assert orchestra.text_of(execution["id"]).count(b"started") == 1


@pytest.mark.main_job
def test_what_is_asked_while_no_controller_lives_is_run_later(orchestra: Orchestra) -> None:
    orchestra.module("tt")
    orchestra.kill_controller()
    asked = [orchestra.start("tt", **INTERVAL)["id"] for _ in range(3)]
    orchestra.client.cancel(asked[0])
    orchestra.start_controller()
    assert [orchestra.ended(execution)["state"] for execution in asked] == ["CANCELLED", "SUCCEEDED", "SUCCEEDED"]


def test_a_cancel_that_was_asked_before_the_crash_is_carried_out_after_it(orchestra: Orchestra) -> None:
    execution = orchestra.start("slow", **INTERVAL)
    orchestra.until_log(execution["id"], b"started")
    orchestra.kill_controller()
    orchestra.client.cancel(execution["id"])
    orchestra.start_controller()
    assert orchestra.ended(execution["id"])["state"] == "CANCELLED"


def test_a_hundred_requests_at_once_are_a_hundred_runs(orchestra: Orchestra) -> None:
    module = orchestra.module("tt")["id"]

    def ask(number: int) -> int:
        stop = f"2001-03-29T00:{number // 60:02d}:{number % 60:02d}"
        answer = orchestra.http.get(f"/modules/{module}/run", params={"start": INTERVAL["start"], "stop": stop})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["task"])

    with ThreadPoolExecutor(max_workers=20) as pool:
        tasks = list(pool.map(ask, range(100)))
    assert len(set(tasks)) == 100
    for number, task in enumerate(tasks):
        ended = orchestra.ended(task)
        assert ended["state"] == "SUCCEEDED", orchestra.why(task)
        line = b"".join(orchestra.client.read_output(task, original=True))
        assert line.split()[1] == f"2001-03-29T00:{number // 60:02d}:{number % 60:02d}".encode()


def test_one_key_is_one_run_however_often_it_is_sent(orchestra: Orchestra) -> None:
    module = orchestra.module("tt")["id"]
    with ThreadPoolExecutor(max_workers=10) as pool:
        asked = list(pool.map(lambda _: orchestra.client.run(module, idempotency_key="once", **INTERVAL), range(20)))
    assert len({execution["id"] for execution in asked}) == 1


def test_builds_at_once_do_not_disturb_each_other(orchestra: Orchestra) -> None:
    names = ["tt", "ts", "cat", "two_files", "empty_list", "module0"]
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        modules = list(pool.map(orchestra.module, names))
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        builds = list(pool.map(lambda module: orchestra.client.rebuild(module["id"])["build"], modules))
    assert {orchestra.ended(build["execution"])["state"] for build in builds} == {"SUCCEEDED"}
    assert len({orchestra.client.module(name)["default"]["environment"] for name in names}) == 1
