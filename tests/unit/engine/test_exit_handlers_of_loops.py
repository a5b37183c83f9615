"""Exit handlers of a dag's loops, hooks beside a task that goes on, and dags whose outputs fail."""

from __future__ import annotations

from typing import Any

from orchestra_engine import operate
from orchestra_engine.pod import Pod, PodStatus

from tests.unit.engine.simulate import Script, Simulation

SECONDS = {"slow": 9.0, "hook": 4.0}


def _takes_its_time(pod: Pod, now: float) -> Script:
    word = pod.containers[0].args[0]
    failed = word == "bad"
    status = PodStatus(node_id=pod.node_id, phase="Failed" if failed else "Succeeded", exit_code=int(failed))
    return Script(status=status, seconds=SECONDS.get(word, 1.0))


def _program(name: str, word: str = "{{inputs.parameters.word}}") -> dict[str, Any]:
    inputs = {"inputs": {"parameters": [{"name": "word", "default": "quick"}]}} if "{{" in word else {}
    return {"name": name, **inputs, "container": {"image": "busybox", "command": ["sh"], "args": [word]}}


def _simulation(tasks: list[dict[str, Any]], *templates: dict[str, Any]) -> Simulation:
    main = {"name": "main", "dag": {"tasks": tasks}}
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {
            "entrypoint": "main",
            "templates": [*templates, _program("program"), _program("hook", "hook"), main],
        },
    }
    return Simulation(manifest, scripted=_takes_its_time)


def _phases(simulation: Simulation) -> dict[str, str]:
    return {node["name"]: node["phase"] for node in simulation.run()["nodes"].values()}


def _loop(*words: str) -> dict[str, Any]:
    arguments = {"parameters": [{"name": "word", "value": "{{item}}"}]}
    return {"name": "a", "template": "program", "onExit": "hook", "withItems": list(words), "arguments": arguments}


def test_an_item_that_ends_while_the_handler_of_another_runs_has_none() -> None:
    phases = _phases(_simulation([_loop("quick", "quick")]))
    assert sorted(name for name in phases if name.endswith(".onExit")) == ["w.a(0:quick).onExit", "w.a.onExit"]


def test_an_item_that_ends_after_the_handler_of_another_has_its_own() -> None:
    phases = _phases(_simulation([_loop("quick", "slow")]))
    handlers = sorted(name for name in phases if name.endswith(".onExit"))
    assert handlers == ["w.a(0:quick).onExit", "w.a(1:slow).onExit", "w.a.onExit"]


def test_a_task_goes_on_with_what_happened_while_its_hook_ran() -> None:
    hooks = {"begun": {"template": "hook", "expression": 'tasks.a.status == "Running"'}}
    inner = {
        "name": "inner",
        "dag": {"tasks": [{"name": "x", "template": "program"}, {"name": "z", "template": "program", "depends": "x"}]},
    }
    phases = _phases(_simulation([{"name": "a", "template": "inner", "hooks": hooks}], inner))
    assert phases["w.a.hooks.begun"] == phases["w.a.z"] == phases["w"] == "Succeeded"


def test_items_go_on_with_what_happened_while_the_handler_of_another_ran() -> None:
    steps: dict[str, Any] = {"name": "inner", "inputs": {"parameters": [{"name": "word"}]}}
    steps["steps"] = [
        [{"name": name, "template": "program", "arguments": {"parameters": [{"name": "word", "value": word}]}}]
        for name, word in (("x", "{{inputs.parameters.word}}"), ("z", "bad"))
    ]
    phases = _phases(_simulation([{**_loop("quick", "slow"), "template": "inner"}], steps))
    assert phases["w.a(1:slow)"] == phases["w.a"] == phases["w"] == "Failed"


def test_what_follows_a_dag_whose_outputs_fail_is_reached_and_ended() -> None:
    failing = {
        "name": "failing",
        "outputs": {"parameters": [{"name": "o", "valueFrom": {"expression": "tasks.x.outputs.parameters.no"}}]},
        "dag": {"tasks": [{"name": "x", "template": "program"}]},
    }
    tasks = [{"name": "a", "template": "failing"}, {"name": "b", "template": "program", "depends": "a.Errored"}]
    simulation = _simulation(tasks, failing)
    phases = _phases(simulation)
    assert (phases["w.a"], phases["w.b"], phases["w"]) == ("Error", "Succeeded", "Succeeded")
    node = next(node for node in simulation.status["nodes"].values() if node["name"] == "w.a")
    assert "outboundNodes" not in node


def test_a_suspended_task_that_comes_after_a_stop_ends_at_once() -> None:
    wait = {"name": "wait", "suspend": {}}
    tasks = [{"name": "a", "template": "wait"}, {"name": "b", "template": "wait", "depends": "a.Failed"}]
    simulation = _simulation(tasks, wait)
    status = operate.operate(simulation.manifest, simulation.status, simulation.now).status
    stopped = {**simulation.manifest, "spec": {**simulation.manifest["spec"], "shutdown": "Stop"}}
    status = operate.operate(stopped, status, simulation.now + 1).status
    assert {node["name"]: node["phase"] for node in status["nodes"].values()} == dict.fromkeys(
        ("w", "w.a", "w.b"), "Failed"
    )
