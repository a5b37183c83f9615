from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.engines.protocol import Fault
from app.executions import times


def parse(value: object) -> tuple[datetime | None, list[Fault]]:
    faults: list[Fault] = []
    return times.parse(value, path="start", faults=faults), faults


@pytest.mark.parametrize(
    "given",
    [
        "2001-03-28T00:00:00",
        "2001-03-28T00:00:00Z",
        " 2001-03-28 00:00:00 ",
        "2001-03-28",
        "2001-03-28T02:00:00+02:00",
        datetime(2001, 3, 28),
        datetime(2001, 3, 28, 2, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_times_are_utc_whatever_way_they_are_written(given: object) -> None:
    assert parse(given) == (datetime(2001, 3, 28, tzinfo=UTC), [])


@pytest.mark.parametrize(
    "given", ["", None, "yesterday", "2001-13-01", 5, "2001-03-28T00:00:00.5", "9999-12-31T23:59:59-23:00", "\0"]
)
def test_what_is_no_time_is_a_fault_with_its_path(given: object) -> None:
    time, faults = parse(given)
    assert time is None
    assert [fault.path for fault in faults] == ["start"]


@pytest.mark.parametrize("stop", ["2001-03-28T00:00:00", "2001-03-27"])
def test_stop_that_is_not_after_start_is_a_fault_of_stop(stop: str) -> None:
    faults: list[Fault] = []
    times.interval(start="2001-03-28", stop=stop, faults=faults)
    assert [fault.path for fault in faults] == ["stop"]


def test_years_before_1000_keep_their_zeros() -> None:
    assert times.text(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00"
