"""The transition table: what the promises of an execution's life rest on."""

from __future__ import annotations

import itertools

import pytest

from app.executions.states import FINAL, HELD, LIVE, TRANSITIONS, State, sources


def test_every_state_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(State.values)
    assert set(State.values) == LIVE | FINAL
    assert not LIVE & FINAL


@pytest.mark.parametrize("state", sorted(FINAL))
def test_a_retry_is_the_only_way_out_of_a_final_state(state: str) -> None:
    assert TRANSITIONS[state] <= {State.QUEUED}


def test_a_success_is_never_left() -> None:
    assert not TRANSITIONS[State.SUCCEEDED]


def test_every_live_state_can_end_well_or_badly() -> None:
    for state in HELD:
        assert TRANSITIONS[state] & FINAL == FINAL


def test_no_live_state_can_be_entered_twice_without_a_retry() -> None:
    live = {state: targets & LIVE for state, targets in TRANSITIONS.items() if state in LIVE}
    order = [State.QUEUED, State.SUBMITTED, State.RUNNING]
    for state, targets in live.items():
        assert all(order.index(target) > order.index(state) for target in targets)


def test_sources_are_the_table_read_backwards() -> None:
    for source, target in itertools.product(State.values, repeat=2):
        assert (source in sources(target)) == (target in TRANSITIONS[source])
