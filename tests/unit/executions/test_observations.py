from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.executions.observations import outcome_of, started_at, storable

ROOT = "prediction-7-1"


def status(phase: str, *, root: str = "") -> dict[str, Any]:
    return {"phase": phase, "nodes": {ROOT: {"phase": root}} if root else {}}


def spec(**values: Any) -> dict[str, Any]:
    return {"spec": values}


@pytest.mark.parametrize(
    ("workflow", "seen", "outcome"),
    [
        (spec(), status("Running", root="Succeeded"), ""),
        (spec(), status("Succeeded", root="Succeeded"), "Succeeded"),
        (spec(), status("Error"), "Error"),
        (spec(onExit="orchestra-exit"), status("Running", root="Running"), ""),
        (spec(onExit="orchestra-exit"), status("Running", root="Succeeded"), "Succeeded"),
        (spec(onExit="orchestra-exit"), status("Failed", root="Succeeded"), "Succeeded"),
        (spec(onExit="tell-me"), status("Running", root="Succeeded"), ""),
        (spec(onExit="tell-me"), status("Failed", root="Succeeded"), "Failed"),
    ],
)
def test_a_schemas_own_exit_handler_is_part_of_its_result_and_ours_is_not(
    workflow: dict[str, Any], seen: dict[str, Any], outcome: str
) -> None:
    assert outcome_of(workflow, name=ROOT, status=seen) == outcome


def nodes(*given: dict[str, Any]) -> dict[str, Any]:
    return {"nodes": dict(enumerate(given))}


def test_nothing_has_started_while_only_steps_and_pending_programs_are_there() -> None:
    assert started_at(nodes({"type": "DAG", "phase": "Running"}, {"type": "Pod", "phase": "Pending"})) is None
    assert started_at(nodes({"type": "Pod", "phase": "Skipped"})) is None


def test_what_started_long_before_it_was_seen_started_then() -> None:
    then = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    pod = {"type": "Pod", "phase": "Succeeded", "startedAt": then.strftime("%Y-%m-%dT%H:%M:%SZ")}
    assert started_at(nodes(pod)) == then


def test_characters_that_no_database_holds_are_replaced_in_a_status() -> None:
    seen = {"nodes": {"a\udcff": {"message": "\udcff and \0", "outputs": [{"value": "x\ud83d"}], "exitCode": 3}}}
    replaced = {"message": "\ufffd and \ufffd", "outputs": [{"value": "x\ufffd"}], "exitCode": 3}
    assert storable(seen) == {"nodes": {"a\ufffd": replaced}}


def test_a_status_that_can_be_stored_stays_as_it_is() -> None:
    seen = {"nodes": {"a": {"message": "\U0001f600 é \\u0000 \x1b"}}}
    assert storable(seen) == seen
