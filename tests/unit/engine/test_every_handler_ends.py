"""Exit handlers and hooks of every shape come to an end, whoever has them and whenever somebody ends the workflow."""

from __future__ import annotations

from typing import Any

import pytest
from orchestra_engine import workflow
from orchestra_engine.pod import Pod, PodStatus

from tests.unit.engine.simulate import Script, Simulation, summary

MANIFEST = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  templates:
  - {name: t, container: {image: busybox, command: [echo]}}
"""
HANDLERS: dict[str, dict[str, Any]] = {
    "pod": {"container": {"image": "busybox", "command": ["echo"]}},
    "retry": {"container": {"image": "busybox", "command": ["echo"]}, "retryStrategy": {"limit": 1}},
    "steps": {"steps": [[{"name": "s", "template": "t"}]]},
    "dag": {"dag": {"tasks": [{"name": "s", "template": "t", "withItems": [1, 2], "onExit": "t"}]}},
}
HOOK = {"hooks": {"x": {"template": "bye", "expression": "true"}}}
OWNERS: dict[str, dict[str, Any]] = {
    "task": {"dag": {"tasks": [{"name": "a", "template": "t", "onExit": "bye"}]}},
    "loop of tasks": {"dag": {"tasks": [{"name": "a", "template": "t", "onExit": "bye", "withItems": [1, 2, 3]}]}},
    "step": {"steps": [[{"name": "a", "template": "t", "onExit": "bye"}]]},
    "loop of steps": {"steps": [[{"name": "a", "template": "t", "onExit": "bye", "withItems": [1, 2, 3]}]]},
    "task with a hook": {"dag": {"tasks": [{"name": "a", "template": "t", **HOOK}]}},
    "step with a hook": {"steps": [[{"name": "a", "template": "t", **HOOK}]]},
}


def made(handler: str, owner: str) -> dict[str, Any]:
    manifest = workflow.load(MANIFEST)[0]
    manifest["spec"]["templates"] += [{"name": "bye", **HANDLERS[handler]}, {"name": "main", **OWNERS[owner]}]
    return manifest


@pytest.mark.parametrize("slow", ["w.a", "w.a(0:1)", "w.a(1:2)", "w.a(0:1).onExit(0)", "w.a(1:2).onExit(0)"])
@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_ends_whichever_pod_is_the_last(handler: str, owner: str, failing: bool, slow: str) -> None:
    def scripted(pod: Pod, now: float) -> Script:
        bad = failing and ".onExit" in pod.node_name
        status = PodStatus(node_id=pod.node_id, phase="Failed" if bad else "Succeeded", exit_code=int(bad))
        return Script(status=status, seconds=7.0 if pod.node_name.replace("[0]", "") == slow else 1.0)

    status = Simulation(made(handler, owner), scripted).run()
    handlers = {node["phase"] for node in status["nodes"].values() if (node.get("nodeFlag") or {}).get("hooked")}
    assert handlers <= {"Succeeded", "Failed"}, summary(status)


@pytest.mark.parametrize("how", ["Stop", "Terminate"])
@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("handler", HANDLERS)
def test_a_workflow_ends_whenever_it_is_stopped_or_terminated(handler: str, owner: str, how: str) -> None:
    for number in range(1, 6):
        manifest = made(handler, owner)

        def stop(simulation: Simulation, spec: dict[str, Any] = manifest["spec"], number: int = number) -> bool:
            if len(simulation.started) < number or spec.get("shutdown"):
                return False
            spec["shutdown"] = how
            return True

        simulation = Simulation(manifest, actions=stop)
        assert simulation.run()["phase"] in ("Succeeded", "Failed")
        assert simulation.started.keys() == simulation.dead
