"""Ctrl-C while the log of a build is shown: nothing is left behind without a word."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from orchestra import errors, waiting
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
