"""What lint says of a containerSet's retryStrategy, whose `retries` Argo takes for the number of attempts."""

from __future__ import annotations

from typing import Any

import pytest
from orchestra_engine.validate.doubts import doubts


def said(strategy: dict[str, Any]) -> dict[str, str]:
    container = {"name": "main", "image": "busybox", "command": ["true"]}
    template = {"name": "main", "containerSet": {"containers": [container], "retryStrategy": strategy}}
    return {fault.path: fault.message for fault in doubts({"entrypoint": "main", "templates": [template]})}


WHERE = "spec.templates[0].containerSet.retryStrategy"


@pytest.mark.parametrize("retries", [0, "0", "many", -1])
def test_a_set_that_never_starts_a_program_is_told(retries: object) -> None:
    found = said({"retries": retries})
    assert set(found) == {f"{WHERE}.retries"}
    assert "starts no program" in found[f"{WHERE}.retries"]


def test_a_pause_that_is_no_duration_is_told() -> None:
    assert "unknown unit" in said({"retries": 2, "duration": "5x"})[f"{WHERE}.duration"]


@pytest.mark.parametrize(
    "strategy", [{}, {"retries": 1}, {"retries": "3", "duration": "1s"}, {"retries": "{{n}}", "duration": "{{d}}"}]
)
def test_what_may_be_right_is_left_alone(strategy: dict[str, Any]) -> None:
    assert said(strategy) == {}
