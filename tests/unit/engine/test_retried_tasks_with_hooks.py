"""Tasks that are tried again and have hooks: the dag still ends, and ends as its tasks did."""

from __future__ import annotations

from typing import Any

import pytest
from orchestra_engine.pod import Pod, PodStatus

from tests.unit.engine.simulate import Script, Simulation, succeeds

STRATEGY = {"retryStrategy": {"limit": "1"}}
WHENS = ["Running", "Succeeded"]


def _workflow(when: str) -> dict[str, Any]:
    """Task a with a hook, then task b; every template, the hook's too, has a retryStrategy."""
    hook = {"template": "program", "expression": f'tasks["a"].status == "{when}"'}
    tasks = [
        {"name": "a", "template": "program", "hooks": {"told": hook}},
        {"name": "b", "template": "program", "depends": "a"},
    ]
    program = {"name": "program", "container": {"image": "busybox", "command": ["true"]}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {
            "entrypoint": "main",
            "templateDefaults": STRATEGY,
            "templates": [program, {"name": "main", "dag": {"tasks": tasks}}],
        },
    }


def _b_fails(pod: Pod, now: float) -> Script:
    if ".b(" not in pod.node_name:
        return succeeds(pod, now)
    return Script(status=PodStatus(node_id=pod.node_id, phase="Failed", exit_code=1))


@pytest.mark.parametrize("when", WHENS)
def test_a_dag_ends_when_a_task_follows_one_whose_hook_is_tried_again(when: str) -> None:
    status = Simulation(_workflow(when)).run()
    ended = {node["name"]: node["phase"] for node in status["nodes"].values()}
    assert status["phase"] == "Succeeded"
    assert ended["w(0).a.hooks.told"] == ended["w(0).b"] == "Succeeded"


@pytest.mark.parametrize("when", WHENS)
def test_a_dag_fails_with_the_task_that_follows_one_whose_hook_is_tried_again(when: str) -> None:
    status = Simulation(_workflow(when), scripted=_b_fails).run()
    ended = {node["name"]: node["phase"] for node in status["nodes"].values()}
    assert status["phase"] == "Failed"
    assert ended["w(0)"] == ended["w(1)"] == ended["w(1).b"] == "Failed"
