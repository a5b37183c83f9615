"""What is said of a JSON body that is not what was asked for."""

from __future__ import annotations

import pytest

from app.wire import bodies
from app.wire.errors import Refusal

RUN = bodies.schema(required=("start", "stop"), start={"type": "string"}, stop={"type": "string"}, priority={})


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({"start": "a", "stop": "b", "strat": 1}, [("strat", "unknown key 'strat', did you mean start?")]),
        ({"start": "a", "stop": "b", "x": 1}, [("x", "unknown key 'x'; there are start, stop, priority")]),
        ({}, [("start", "is missing"), ("stop", "is missing")]),
        ({"start": "a", "stop": 3}, [("stop", "3 is not of type 'string'")]),
        ([], [("", "[] is not of type 'object'")]),
    ],
)
def test_every_fault_is_told_at_the_key_that_it_is_about(body: object, faults: list[tuple[str, str]]) -> None:
    with pytest.raises(Refusal) as raised:
        bodies.checked(body, RUN)
    assert raised.value.status == 422
    assert [(one["path"], one["message"]) for one in raised.value.body["faults"]] == faults


def test_a_body_of_thousands_of_unknown_keys_has_a_short_answer() -> None:
    with pytest.raises(Refusal) as raised:
        bodies.checked({"start": "a", "stop": "b", **{f"{'k' * 500}{n}": n for n in range(3000)}}, RUN)
    assert len(str(raised.value.body)) < 20_000


def test_a_sound_body_is_handed_on() -> None:
    assert bodies.checked({"start": "a", "stop": "b"}, RUN) == {"start": "a", "stop": "b"}
