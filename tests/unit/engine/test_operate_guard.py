"""A fault of the core itself ends one workflow and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from orchestra_engine import operate, workflow
from orchestra_engine.operate import guard
from orchestra_engine.pod import PodStatus

from tests.unit.engine.simulate import START

MANIFEST: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "w"},
    "spec": {
        "entrypoint": "main",
        "templates": [{"name": "main", "container": {"image": "busybox", "command": ["true"]}}],
    },
}


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any, **known: Any) -> Any:
        raise KeyError("something")

    monkeypatch.setattr(guard, "operate", fail)
    monkeypatch.setattr(guard, "pods", fail)


@pytest.mark.usefixtures("broken")
def test_a_workflow_that_the_core_cannot_handle_is_an_error_that_says_so() -> None:
    decision, error = operate.guarded(MANIFEST, workflow.new_status(), START, [])
    assert isinstance(error, KeyError)
    assert decision.status["phase"] == "Error"
    assert decision.status["message"] == "the engine failed: KeyError: 'something'"
    assert workflow.finished(decision.status)


def test_its_end_is_only_said_when_its_pods_are_dead(request: pytest.FixtureRequest) -> None:
    started = operate.operate(MANIFEST, workflow.new_status(), START)
    assert [pod.node_id for pod in started.start] == ["w"]
    request.getfixturevalue("broken")
    first, _ = operate.guarded(MANIFEST, started.status, START + 1, [])
    assert [kill.node_id for kill in first.kill] == ["w"]
    assert first.status["phase"] == "Running"
    again, _ = operate.guarded(MANIFEST, first.status, START + 2, [PodStatus(node_id="w", phase="Running")])
    assert (again.kill, again.status) == ([], first.status)
    dead = PodStatus(node_id="w", phase="Failed", exit_code=137, killed="the workflow has ended")
    last, _ = operate.guarded(MANIFEST, again.status, START + 3, [dead])
    assert last.status["phase"] == "Error"
    assert last.status["nodes"]["w"]["phase"] == "Failed"


@pytest.mark.usefixtures("broken")
def test_an_engine_can_start_with_a_workflow_that_it_cannot_handle() -> None:
    assert operate.known_pods(MANIFEST, workflow.new_status()) == []
