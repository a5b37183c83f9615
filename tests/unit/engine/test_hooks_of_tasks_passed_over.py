"""Hooks of tasks that do not run: those of a dag's targets are looked at, those of others only if the dag goes on."""

from __future__ import annotations

from typing import Any

from orchestra_engine.pod import Pod, PodStatus

from tests.unit.engine.simulate import Script, Simulation, succeeds

HOOKED = {"hooks": {"told": {"template": "program", "expression": "1 == 1"}}}


def _nodes(tasks: list[dict[str, Any]]) -> dict[str, str]:
    program = {"name": "program", "container": {"image": "busybox", "command": ["true"]}}
    templates = [program, {"name": "main", "dag": {"tasks": [{"template": "program", **task} for task in tasks]}}]
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {"entrypoint": "main", "templates": templates},
    }
    status = Simulation(manifest, scripted=_bad_fails).run()
    return {node["name"]: node["phase"] for node in status["nodes"].values()}


def _bad_fails(pod: Pod, now: float) -> Script:
    if not pod.node_name.endswith(".bad"):
        return succeeds(pod, now)
    return Script(status=PodStatus(node_id=pod.node_id, phase="Failed", exit_code=1))


def test_the_hook_of_an_omitted_target_runs() -> None:
    nodes = _nodes([{"name": "bad"}, {"name": "b", "depends": "bad", **HOOKED}])
    assert nodes == {"w": "Failed", "w.bad": "Failed", "w.b": "Omitted", "w.b.hooks.told": "Succeeded"}


def test_the_hook_of_a_skipped_target_runs() -> None:
    nodes = _nodes([{"name": "a", "when": "1 == 2", **HOOKED}])
    assert nodes == {"w": "Succeeded", "w.a": "Skipped", "w.a.hooks.told": "Succeeded"}


def test_the_hook_of_a_skipped_task_does_not_run_in_a_dag_that_is_over_with_it() -> None:
    nodes = _nodes([{"name": "a", "when": "1 == 2", **HOOKED}, {"name": "b", "depends": "a", "when": "1 == 2"}])
    assert nodes == {"w": "Succeeded", "w.a": "Skipped", "w.b": "Skipped"}


def test_the_hook_of_a_skipped_task_runs_in_a_dag_that_goes_on() -> None:
    nodes = _nodes([{"name": "a", "when": "1 == 2", **HOOKED}, {"name": "b", "depends": "a"}])
    assert nodes == {"w": "Succeeded", "w.a": "Skipped", "w.a.hooks.told": "Succeeded", "w.b": "Succeeded"}
