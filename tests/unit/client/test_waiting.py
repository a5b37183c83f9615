"""Ctrl-C while the log of a build is shown: nothing is left behind without a word."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from orchestra import errors, screen, waiting
from orchestra.client import Client, Json

from tests.unit.client.stub import Stub, as_json

LOG = b"resolving\nmaking\n"


class Interrupted:
    """A client whose log is interrupted once, in its middle."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.cancelled: list[int] = []

    def follow(self, execution: int, *, offset: int = 0) -> Iterator[bytes]:
        self.offsets.append(offset)
        if offset == 0:
            yield LOG[:10]
            raise KeyboardInterrupt
        yield LOG[offset:]

    def cancel(self, execution: int) -> None:
        self.cancelled.append(execution)


@pytest.mark.parametrize(("answer", "cancelled"), [(waiting.Answer.GO_ON, []), (waiting.Answer.CANCEL, [7])])
def test_ctrl_c_during_a_builds_log_asks_and_the_log_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], answer: object, cancelled: list[int]
) -> None:
    monkeypatch.setattr(waiting, "_answer", lambda what, number: answer)
    client = Interrupted()
    waiting.show_log_to_end(client, 7, what="Building storms")  # type: ignore[arg-type]
    assert capfdbinary.readouterr().out == LOG
    assert client.offsets == [0, 10]
    assert client.cancelled == cancelled


def test_ctrl_c_without_a_terminal_leaves_the_build_and_says_how_to_end_it() -> None:
    with pytest.raises(errors.Left, match="orchestra kill 7"):
        waiting.show_log_to_end(Interrupted(), 7, what="Building storms")  # type: ignore[arg-type]


def test_a_run_that_is_suspended_says_how_it_goes_on(
    client: Client, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    def seen(state: str, phase: str) -> Json:
        ask = {"display_name": "ask", "type": "Suspend", "phase": phase}
        return {"id": 7, "state": state, "message": "", "nodes": [ask]}

    states = iter([seen("RUNNING", "Running"), seen("RUNNING", "Running"), seen("SUCCEEDED", "Succeeded")])
    stub.answer = lambda _: as_json(next(states))
    waiting.until_end(client, seen("RUNNING", "Pending"), what="Run 7", ask=False)
    assert capsys.readouterr().err.splitlines() == [
        "Run 7: RUNNING",
        "Run 7: RUNNING (ask suspended; `orchestra resume 7` goes on)",
        "Run 7: SUCCEEDED",
    ]


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_a_log_cannot_act_on_the_terminal_that_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    monkeypatch.setattr("sys.stdout", Terminal(out, encoding="utf-8"))
    writer = screen.LogWriter()
    for piece in (b"\x1b]0;title\x07 \x1b[3", b"1mred\x1b[0m\tcaf\xc3", b"\xa9\r", b"\n\x1b[2J\xff 10 %\r20 %\n"):
        writer.write(piece)
    assert out.getvalue().decode() == "\ufffd]0;title\ufffd red\tcafé\n\ufffd[2J\ufffd 10 %\n20 %\n"


def test_a_log_that_goes_to_a_file_stays_byte_for_byte(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    screen.LogWriter().write(b"\x1b[31mred\r\xff\0\n")
    assert capfdbinary.readouterr().out == b"\x1b[31mred\r\xff\0\n"


def test_a_message_cannot_act_on_the_terminal_that_shows_it(
    client: Client, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.answer = lambda _: as_json({"id": 7, "failure": {"last_lines": ["\x1b[2Jlast"]}})
    waiting.explain(client, {"id": 7, "state": "FAILED", "message": "\x1b]0;title\x07"})
    assert capsys.readouterr().err == "Execution 7 is FAILED. \ufffd]0;title\ufffd\n  | \ufffd[2Jlast\n"
