"""The tree of a workflow's nodes, and what is shown of it."""

from __future__ import annotations

import errno
import io
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from orchestra.workflow import tree
from orchestra.workflow.view import LogReader, View, picture, reasons, verdict
from rich.cells import cell_len
from rich.console import Console

NOW = datetime(2001, 3, 28, 12, 0, 0, tzinfo=UTC)


def node(name: str, kind: str, phase: str = "Succeeded", **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-{name}",
        "name": name,
        "displayName": name.rpartition(".")[2],
        "type": kind,
        "phase": phase,
        **more,
    }


def workflow(*nodes: dict[str, Any], **status: Any) -> dict[str, Any]:
    found = {one["id"]: one for one in nodes}
    return {"metadata": {"name": "w"}, "status": {"phase": "Running", "nodes": found, **status}}


NESTED = workflow(
    node("w", "Steps", "Failed"),
    node("w[0]", "StepGroup", boundaryID="id-w"),
    node("w[0].a", "TaskGroup", boundaryID="id-w"),
    node("w[0].a(0:x)", "Retry", "Failed", boundaryID="id-w", children=["id-w[0].a(0:x)(0)", "id-w[0].a(0:x)(1)"]),
    node("w[0].a(0:x)(0)", "Pod", "Failed", boundaryID="id-w", nodeFlag={"retried": True}),
    node("w[0].a(0:x)(1)", "Pod", "Failed", boundaryID="id-w", nodeFlag={"retried": True}, message="main: Error"),
    node("w[0].b", "DAG", boundaryID="id-w"),
    node("w[0].b.c", "Pod", boundaryID="id-w[0].b"),
    node("w.onExit", "Pod"),
)


def lines(found: dict[str, Any]) -> list[str]:
    return [f"{row.indent}{row.node['displayName']}" for row in tree.rows(tree.branches(found))]


def test_nodes_hang_below_their_loop_their_retry_and_their_boundary() -> None:
    assert lines(NESTED) == [
        "w",
        "└─┬─a",
        "  │ └─a(0:x)",
        "  │   ├─a(0:x)(0)",
        "  │   └─a(0:x)(1)",
        "  └─b",
        "    └─c",
        "onExit",
    ]


def test_steps_that_run_side_by_side_fork_and_those_that_follow_do_not() -> None:
    found = workflow(
        node("w", "Steps"),
        *(node(f"w[{group}]", "StepGroup", boundaryID="id-w") for group in range(4)),
        *(node(name, "Pod", boundaryID="id-w") for name in ("w[0].a", "w[1].b", "w[1].c", "w[1].d", "w[3].e")),
    )
    assert lines(found) == ["w", "├───a", "├─┬─b", "│ ├─c", "│ └─d", "└───e"]


def test_a_retry_whose_first_attempt_did_is_that_attempt() -> None:
    once = workflow(node("w", "Retry"), node("w(0)", "Pod", nodeFlag={"retried": True}))
    assert lines(once) == ["w(0)"]
    waiting = workflow(node("w", "Retry", message="Backoff for 1 second"), node("w(0)", "Pod", "Failed"))
    assert lines(waiting) == ["w", "└─w(0)"]


def test_of_the_attempts_only_the_last_one_is_a_failure_and_none_of_what_succeeded() -> None:
    assert [one["name"] for one in tree.failing(NESTED)] == ["w[0].a(0:x)(1)"]
    healed = workflow(
        node("w", "Retry", children=["id-w(0)", "id-w(1)"]),
        node("w(0)", "Pod", "Failed", nodeFlag={"retried": True}),
        node("w(1)", "Pod", nodeFlag={"retried": True}),
    )
    assert tree.failing(healed) == []


def test_what_failed_without_a_program_is_told_once_and_at_its_origin() -> None:
    found = workflow(
        node("w", "Steps", "Failed", message="child 'w[0].x' failed"),
        node("w[0]", "StepGroup", "Failed", boundaryID="id-w", message="child 'w[0].x' failed"),
        node("w[0].x", "Retry", "Failed", boundaryID="id-w", message="No more retries left"),
        *(node(f"w[0].x({n})", "Steps", "Failed", boundaryID="id-w", nodeFlag={"retried": True}, message="no list")
          for n in range(11)),
        *(node(f"w[0].x({n})[0]", "StepGroup", "Error", boundaryID=f"id-w[0].x({n})", message="no list")
          for n in range(11)),
        node("w[0].d", "DAG", "Error", boundaryID="id-w"),
        node("w[0].d.a", "Skipped", "Error", boundaryID="id-w[0].d", message="no condition"),
        node("w[0].s", "Suspend", "Error", boundaryID="id-w", message="no duration"),
        node("w[0].z", "Steps", "Failed", boundaryID="id-w", message="child 'w[0].z[0].p' failed"),
        node("w[0].z[0]", "StepGroup", "Failed", boundaryID="id-w[0].z", message="child 'w[0].z[0].p' failed"),
        node("w[0].z[0].p", "Pod", "Failed", boundaryID="id-w[0].z", message="workflow shutdown with strategy:  Stop"),
    )  # fmt: skip
    assert {one["name"] for one in tree.failing(found)} == {"w[0].x(10)[0]", "w[0].d.a", "w[0].s"}


@pytest.mark.parametrize(
    ("began", "ended", "shown"),
    [
        (None, None, ""),
        ("2001-03-28T11:59:57Z", None, "3s"),
        ("2001-03-28T11:00:00Z", "2001-03-28T11:02:05Z", "2m05s"),
        ("2001-03-28T08:00:00Z", "2001-03-28T11:02:05Z", "3h02m"),
        ("2001-03-28T12:00:05Z", None, "0s"),
    ],
)
def test_durations_are_short_and_never_negative(began: str | None, ended: str | None, shown: str) -> None:
    assert tree.duration({"startedAt": began, "finishedAt": ended}, NOW) == shown


def drawn(found: dict[str, Any], **options: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=options.get("width", 120), highlight=False).print(picture(found, **options))
    return out.getvalue()


def test_a_drawing_of_a_thousand_nodes_fits_and_shows_what_matters() -> None:
    many = [node(f"w.t({n}:{n})", "Pod", boundaryID="id-w") for n in range(1000)]
    many[500]["phase"], many[700]["phase"] = "Failed", "Running"
    text = drawn(workflow(node("w", "DAG", "Running"), *many), height=24)
    assert len(text.splitlines()) <= 24
    assert "t(500:500)" in text
    assert "t(700:700)" in text
    assert "more nodes" in text


def test_a_narrow_screen_keeps_the_steps_whole() -> None:
    assert "TEMPLATE" in drawn(NESTED, width=80)
    assert "TEMPLATE" not in drawn(NESTED, width=40)
    assert "a(0:x)(1)" in drawn(NESTED, width=40)


@pytest.mark.parametrize("height", [None, 24])
@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_long_name_leaves_room_for_durations_and_messages(width: int, height: int | None) -> None:
    times = {"startedAt": "2001-03-28T11:00:00Z", "finishedAt": "2001-03-28T11:02:05Z"}
    found = workflow(
        node("w", "DAG", "Failed"),
        node(f"w.{'日本語' * 30}", "Pod", "Failed", boundaryID="id-w", message="main: Error", **times),
    )
    text = drawn(found, width=width, height=height)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "2m05s" in text
    assert "main" in text
    assert "DURATION" in text


def test_a_long_name_is_whole_where_there_is_no_message() -> None:
    assert "a" * 50 in drawn(workflow(node("a" * 50, "Pod")), width=80)


def test_a_node_that_waits_for_somebody_is_marked() -> None:
    assert "ǁ approve" in drawn(workflow(node("approve", "Suspend", "Running")))
    assert "= approve" in drawn(workflow(node("approve", "Suspend", "Running")), encoding="ascii")


def test_a_terminal_without_the_symbols_gets_plain_ones() -> None:
    assert "✖" in drawn(NESTED)
    plain = drawn(NESTED, encoding="ascii")
    assert plain.isascii()
    assert "x a(0:x)(1)" in plain


def test_control_characters_of_messages_are_not_sent_to_the_terminal(tmp_path: Path) -> None:
    bad = workflow(node("w", "Pod", "Failed", message="\x1b[31mred"), phase="Failed", message="\x1b[0m")
    (tmp_path / "w" / "nodes" / "id-w").mkdir(parents=True)
    (tmp_path / "w" / "nodes" / "id-w" / "log").write_bytes(b"\x1b]0;title\x07\xff\n")
    assert "\x1b" not in drawn(bad)
    assert "\x1b" not in "".join(reasons(bad, LogReader(tmp_path)))


def test_the_verdict_is_one_line() -> None:
    ended = workflow(phase="Failed", message="child failed", startedAt="2001-03-28T11:00:00Z",
                     finishedAt="2001-03-28T11:00:07Z")  # fmt: skip
    assert verdict(ended) == "w Failed after 7s: child failed"


def test_a_message_that_was_told_of_the_node_is_not_told_of_the_workflow_again(tmp_path: Path) -> None:
    ended = workflow(node("w", "Pod", "Failed", message="main: Error (exit code 1)"), phase="Failed",
                     message="main: Error (exit code 1)")  # fmt: skip
    assert [*reasons(ended, LogReader(tmp_path)), verdict(ended)] == [
        "\nw is Failed: main: Error (exit code 1)",
        "w Failed",
    ]


def test_what_a_stop_ended_is_no_reason(tmp_path: Path) -> None:
    stopped = workflow(node("w", "Pod", "Failed", message="workflow shutdown with strategy:  Stop"))
    assert list(reasons(stopped, LogReader(tmp_path))) == []


class Broken(io.StringIO):
    """Something that can no longer be written to."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, text: str) -> int:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("number", [errno.EPIPE, errno.EIO, errno.ENOSPC])
def test_words_that_nobody_hears_end_nothing(tmp_path: Path, live: bool, number: int) -> None:
    view = View(Broken(number), live=live)
    with view:
        view.show(NESTED)
        view.say("a sentence")
        view.end(NESTED, LogReader(tmp_path))


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert View(terminal).live
    monkeypatch.setenv("TERM", "dumb")
    assert not View(terminal).live


SUPPLIED = {"name": "choice", "valueFrom": {"supplied": {}}}
WAYS = [
    (workflow(node("w[0].ask", "Suspend", "Running")), "w waits for somebody: `orchestra workflow resume w`"),
    (workflow(node("w[0].ask", "Suspend")), ""),
    (workflow(node("w[0].ask", "Suspend", "Running", templateName="a-minute")), ""),
    (
        workflow(node("w[0].ask", "Suspend", "Running", outputs={"parameters": [SUPPLIED]})),
        "`orchestra workflow resume w --node 'w[0].ask' -p choice=VALUE`",
    ),
    (
        workflow(node("w[0].ask", "Suspend", "Running", outputs={"parameters": [SUPPLIED | {"value": "yes"}]})),
        "w waits for somebody",
    ),
    ({**workflow(node("w", "Pod", "Running")), "spec": {"suspend": True}}, "w waits for somebody"),
    (workflow(node("w", "Pod", "Running")), ""),
]


@pytest.mark.parametrize(("found", "words"), WAYS)
def test_what_waits_for_somebody_says_how_it_goes_on(found: dict[str, Any], words: str) -> None:
    found = {"spec": {}, **found}
    found["spec"]["templates"] = [{"name": "a-minute", "suspend": {"duration": "60"}}, {"name": "say", "container": {}}]
    way = tree.way_on(found)
    assert words in way
    assert bool(words) == bool(way)


@pytest.mark.parametrize("live", [True, False])
def test_the_way_on_is_told_once(live: bool) -> None:
    out = io.StringIO()
    with View(out, live=live) as view:
        for _ in range(3):
            view.show(WAYS[0][0])
    assert out.getvalue().count("`orchestra workflow resume w`") == 1
