"""Suspended workflows and nodes: they can always be ended, and take only what they were to be given."""

from __future__ import annotations

from typing import Any

import pytest
from orchestra_engine import operate, workflow
from orchestra_engine.pod import PodStatus

from tests.unit.engine.simulate import START

POD = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  onExit: bye
  templates:
  - {name: main, container: {image: busybox, command: ["true"]}}
  - {name: bye, container: {image: busybox, command: [echo, bye]}}
"""
ASKING = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  templates:
  - name: main
    steps: [[{name: x, template: ask}], [{name: after, template: t}]]
  - {name: ask, suspend: {}, outputs: {parameters: [{name: ok, globalName: g, valueFrom: {supplied: {}, default: d}}]}}
  - {name: t, container: {image: busybox, command: [echo, "{{workflow.outputs.parameters.g}}"]}}
"""


def patched(manifest: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {**manifest, "spec": {**manifest["spec"], **spec}}


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize(("how", "handled"), [("Stop", True), ("Terminate", False)])
def test_a_suspended_workflow_can_be_stopped_and_terminated(ended: bool, how: str, handled: bool) -> None:
    manifest = workflow.load(POD)[0]
    status = operate.operate(manifest, workflow.new_status(), START).status
    manifest = patched(manifest, suspend=True)
    if ended:
        last = PodStatus(node_id="w", phase="Succeeded", exit_code=0)
        status = operate.operate(manifest, status, START + 1, [last]).status
        assert status["phase"] == "Running"
    manifest = patched(manifest, shutdown=how)
    decision = operate.operate(manifest, status, START + 2)
    if not ended:
        assert [kill.node_id for kill in decision.kill] == ["w"]
        killed = PodStatus(node_id="w", phase="Failed", killed=decision.kill[0].reason)
        decision = operate.operate(manifest, decision.status, START + 3, [killed])
    assert [pod.node_name for pod in decision.start] == (["w.onExit"] if handled else [])
    if handled:
        last = PodStatus(node_id=decision.start[0].node_id, phase="Succeeded", exit_code=0)
        decision = operate.operate(manifest, decision.status, START + 4, [last])
    assert workflow.finished(decision.status)


def test_a_suspended_workflow_meets_its_deadline() -> None:
    manifest = patched(workflow.load(POD)[0], activeDeadlineSeconds=10, suspend=True)
    decision = operate.operate(manifest, workflow.new_status(), START)
    assert (decision.start, decision.wake_at) == ([], START + 10)
    decision = operate.operate(manifest, decision.status, START + 11)
    assert [pod.node_name for pod in decision.start] == ["w.onExit"]


def test_a_supplied_value_with_a_global_name_is_there_for_all() -> None:
    manifest = workflow.load(ASKING)[0]
    status = operate.operate(manifest, workflow.new_status(), START).status
    status = operate.set_outputs(manifest, status, START + 1, "x", {"ok": "yes"})
    assert status["outputs"] == {"parameters": [{"name": "g", "value": "yes"}]}
    status = operate.resume(manifest, status, START + 2)
    decision = operate.operate(manifest, status, START + 3)
    assert [pod.containers[0].command for pod in decision.start] == [["echo", "yes"]]


@pytest.mark.parametrize(
    ("parameters", "phase", "words"),
    [
        ({"other": "1"}, None, "has no parameter 'other' to supply (it has: ok)"),
        ({"ok": "no"}, None, "is not to be supplied, or has been already"),
        ({}, "Bogus", "'Bogus' is no phase that a node can be given; it is one of Succeeded"),
        ({}, "Running", "'Running' is no phase"),
    ],
)
def test_what_cannot_be_given_changes_nothing_and_is_told(
    parameters: dict[str, str], phase: str | None, words: str
) -> None:
    manifest = workflow.load(ASKING)[0]
    status = operate.operate(manifest, workflow.new_status(), START).status
    status = operate.set_outputs(manifest, status, START + 1, "x", {"ok": "yes"})
    with pytest.raises(ValueError) as raised:
        operate.set_outputs(manifest, status, START + 2, "x", parameters, phase=phase)
    assert words in str(raised.value)
