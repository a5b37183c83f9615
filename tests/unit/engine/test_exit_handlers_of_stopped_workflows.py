"""Stop and deadlines end what runs, and no exit handler, in whatever shape it comes."""

from __future__ import annotations

from typing import Any

import pytest
from orchestra_engine import workflow
from orchestra_engine.pod import Pod

from tests.unit.engine.simulate import Script, Simulation, succeeds, summary

MANIFEST = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  onExit: bye
  templates:
  - name: main
    dag: {tasks: [{name: a, template: long, onExit: bye, hooks: {onExit: {template: long, expression: "true"}}}]}
  - {name: long, container: {image: busybox, command: [sleep, "100"]}}
  - {name: quick, container: {image: busybox, command: [echo]}}
"""
QUICK = {"container": {"image": "busybox", "command": ["echo"]}}
SHAPES: dict[str, dict[str, Any]] = {
    "plain": QUICK,
    "retried": {**QUICK, "retryStrategy": {"limit": 1}},
    "with a name to be shown": {**QUICK, "annotations": {"workflows.argoproj.io/display-name": "Bye"}},
    "steps": {"steps": [[{"name": "s", "template": "quick"}]]},
    "retried steps": {"steps": [[{"name": "s", "template": "quick"}]], "retryStrategy": {"limit": 1}},
    "dag of a retried task": {
        "dag": {"tasks": [{"name": "t", "inline": {**QUICK, "retryStrategy": {"limit": 1}}, "withItems": [1, 2]}]}
    },
}


def scripted(pod: Pod, now: float) -> Script:
    script = succeeds(pod, now)
    return Script(status=script.status, seconds=None) if pod.template == "long" else script


@pytest.mark.parametrize("how", [{"shutdown": "Stop"}, {"activeDeadlineSeconds": 5}])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_exit_handler_runs_to_its_end(shape: str, how: dict[str, Any]) -> None:
    manifest = workflow.load(MANIFEST)[0]
    manifest["spec"]["templates"].append({"name": "bye", **SHAPES[shape]})

    def stop(simulation: Simulation) -> bool:
        due = any(node["phase"] == "Running" for node in simulation.status["nodes"].values() if node["type"] == "Pod")
        if not due or how.items() <= manifest["spec"].items():
            return False
        manifest["spec"].update(how)
        return True

    simulation = Simulation(manifest, scripted, actions=stop)
    status = simulation.run()
    assert status["phase"] == "Failed"
    handlers = [
        node for node in status["nodes"].values() if ".onExit" in node["name"] and ".hooks." not in node["name"]
    ]
    assert {node["name"] for node in handlers} >= {"w.onExit", "w.a.onExit"}
    assert {node["phase"] for node in handlers} == {"Succeeded"}, summary(status)
