"""Numbers and durations of a retryStrategy: what Go reads as one counts, what it does not is told."""

from __future__ import annotations

from typing import Any

import pytest
from orchestra_engine import workflow
from orchestra_engine.pod import Pod, PodStatus

from tests.unit.engine.simulate import START, Script, Simulation

MANIFEST = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  templates:
  - {name: main, container: {image: busybox, command: ["false"]}}
"""


def run(strategy: dict[str, Any]) -> tuple[dict[str, Any], list[float]]:
    """The status of a workflow whose program fails at once, and when its attempts began, in seconds."""

    def scripted(pod: Pod, now: float) -> Script:
        return Script(status=PodStatus(node_id=pod.node_id, phase="Failed", exit_code=1), seconds=0.0)

    manifest = workflow.load(MANIFEST)[0]
    manifest["spec"]["templates"][0]["retryStrategy"] = strategy
    simulation = Simulation(manifest, scripted)
    status = simulation.run()
    return status, [round(moment - START) for moment in simulation.started.values()]


@pytest.mark.parametrize(
    ("backoff", "starts"),
    [
        ({"duration": "10"}, [0, 10, 20, 30]),
        ({"duration": "10s", "factor": 2}, [0, 10, 30, 70]),
        ({"duration": "10s", "factor": "2"}, [0, 10, 30, 70]),
        ({"duration": "10s", "factor": "+2", "cap": "15"}, [0, 10, 25, 40]),
        ({"duration": "10s", "factor": 0}, [0, 10, 20, 30]),
        ({"duration": "10s", "factor": -3}, [0, 10, 20, 30]),
        ({"duration": "1m", "factor": 2, "maxDuration": "2m"}, [0, 60]),
    ],
)
def test_attempts_wait_as_their_backoff_says(backoff: dict[str, Any], starts: list[int]) -> None:
    assert run({"limit": "3", "backoff": backoff})[1] == starts


@pytest.mark.parametrize("text", ["1.5", "two", "", " 2", "1_0", "²"])
@pytest.mark.parametrize("where", ["limit", "factor"])
def test_what_is_no_number_is_told(where: str, text: str) -> None:
    strategy: dict[str, Any] = {"limit": "3", "backoff": {"duration": "1"}}
    (strategy if where == "limit" else strategy["backoff"])[where] = text
    status, _ = run(strategy)
    assert status["phase"] in ("Failed", "Error")
    told = status["message"] + status.get("nodes", {}).get("w", {}).get("message", "")
    assert text in told and ("cannot be resolved to an int" in told or "invalid limit" in told)


@pytest.mark.parametrize("backoff", [{}, {"duration": "ten"}, {"duration": "1", "maxDuration": "x"}])
def test_a_backoff_that_is_none_is_told(backoff: dict[str, Any]) -> None:
    backoff = backoff or {"factor": 2}
    status, starts = run({"limit": 3, "backoff": backoff})
    assert (status["nodes"]["w"]["phase"], starts) == ("Error", [0])
    assert "duration" in status["nodes"]["w"]["message"]
