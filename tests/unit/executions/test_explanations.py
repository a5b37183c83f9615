from __future__ import annotations

from typing import Any

import pytest

from app.executions import explanations


def status(*nodes: dict[str, Any], message: str = "") -> dict[str, Any]:
    return {"message": message, "nodes": {node["id"]: {"name": node["id"], **node} for node in nodes}}


def pod(id_: str, *, phase: str = "Failed", ended: str = "2001-03-28T00:00:00Z", **values: Any) -> dict[str, Any]:
    return {"id": id_, "type": "Pod", "phase": phase, "displayName": id_, "finishedAt": ended, **values}


def chosen(*nodes: dict[str, Any]) -> str | None:
    node = explanations.failed_node(status(*nodes))
    return node["id"] if node else None


def test_the_failure_begins_with_the_program_that_failed_first() -> None:
    root = {"id": "w", "type": "DAG", "phase": "Failed", "finishedAt": "2001-03-27T00:00:00Z"}
    late = pod("late", ended="2001-03-28T00:00:09Z")
    assert chosen(root, late, pod("first"), pod("good", phase="Succeeded")) == "first"


def test_of_a_retried_step_the_last_try_counts() -> None:
    retry = {"id": "r", "type": "Retry", "phase": "Failed", "children": ["r-0", "r-1"]}
    assert chosen(retry, pod("r-0"), pod("r-1", ended="2001-03-28T00:00:09Z")) == "r-1"


def test_a_failure_without_a_program_is_that_of_its_step() -> None:
    assert chosen({"id": "w", "type": "DAG", "phase": "Error", "message": "no such template"}) == "w"


def test_of_steps_that_failed_together_the_one_that_says_why_is_named() -> None:
    silent = {"id": "w", "type": "DAG", "phase": "Error", "finishedAt": "2001-03-28T00:00:00Z"}
    telling = {
        "id": "b",
        "type": "Skipped",
        "phase": "Error",
        "message": "bad depends",
        "finishedAt": "2001-03-28T00:00:09Z",
    }
    assert chosen(silent, telling) == "b"


@pytest.mark.parametrize(
    ("code", "name"),
    [(137, "SIGKILL"), (139, "SIGSEGV"), (143, "SIGTERM"), (3, None), (128, None), (255, None), (None, None)],
)
def test_a_signal_is_named_as_shells_count(code: int | None, name: str | None) -> None:
    assert explanations.signal_name(code) == name


@pytest.mark.parametrize(
    "message",
    ["Pod was active on the node longer than the specified deadline", "Step exceeded its deadline"],
)
def test_both_of_argos_words_for_a_deadline_are_known(message: str) -> None:
    assert explanations.hit_deadline(status(pod("a", message=message)))
    assert explanations.hit_deadline(status(message=message))
    assert not explanations.hit_deadline(status(pod("a", message="main: Error (exit code 1)")))


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ("Stopped with strategy 'Stop'", True),
        ("Stopped with strategy 'Terminate'", True),
        ("workflow shutdown with strategy:  Stop", True),
        ("main: Error (exit code 1)", False),
    ],
)
def test_a_shutdown_is_told_from_a_failure(message: str, asked: bool) -> None:
    assert explanations.was_shut_down(status(pod("a", message=message))) is asked


def test_the_last_lines_are_text_that_any_database_takes() -> None:
    lines = explanations.last_lines(b"\xff\xfe\0\n" + b"x" * 10_000 + b"\nlast")
    assert lines[-1] == "last"
    assert max(map(len, lines)) <= 500
    assert not any("\0" in line for line in lines)
    "".join(lines).encode()


def failure(**values: Any) -> dict[str, Any]:
    empty = {"node": "predict", "exit_code": None, "signal": None, "limit": None, "message": "", "last_lines": []}
    return {**empty, **values}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (failure(exit_code=3), "exit code 3"),
        (failure(exit_code=137, signal="SIGKILL"), "SIGKILL"),
        (failure(limit="memory limit of 200 MiB exceeded", exit_code=137, signal="SIGKILL"), "memory limit of 200 MiB"),
        (failure(limit="timeout of 2 s exceeded", exit_code=143, signal="SIGTERM"), "timeout of 2 s exceeded"),
        (failure(exit_code=1, last_lines=["a", "ValueError: no", " "]), "ValueError: no"),
        (failure(node=None, message="no such template"), "no such template"),
    ],
)
def test_the_sentence_says_what_matters(given: dict[str, Any], said: str) -> None:
    assert said in explanations.sentence(given)


@pytest.mark.parametrize(
    ("last", "hint"),
    [
        ("orchestra-run: pre_process[0]: nope cannot be started: No such file", "pre_process[0]: nope cannot"),
        ("orchestra-run: the module (python a.py) ended with exit code 3", "sorry"),
        ("orchestra-run: the module (python a.py) was ended by SIGSEGV", "sorry"),
    ],
)
def test_the_hint_is_the_modules_last_line_or_why_it_could_not_start(last: str, hint: str) -> None:
    failure = {"node": "predict", "limit": None, "signal": None, "exit_code": 3, "last_lines": ["sorry", last]}
    assert explanations.sentence(failure).startswith("predict ended with exit code 3; its last line: ")
    assert hint in explanations.sentence(failure)
