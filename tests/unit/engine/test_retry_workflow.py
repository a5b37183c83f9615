"""A retried workflow keeps what succeeded, runs the rest again, and ends as if nothing had ever failed."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orchestra_engine.manifest import load
from orchestra_engine.operate.context import is_final
from orchestra_engine.operate.retry_workflow import NothingToRetry, retry_workflow
from orchestra_engine.pod import Pod, PodStatus

from tests.unit.engine.simulate import START, Script, Simulation

HEAD = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w, creationTimestamp: "2001-03-28T00:00:00Z"}
spec:
  entrypoint: main
"""
TAIL = """
  - name: t
    inputs: {parameters: [{name: v, default: none}]}
    container: {image: busybox, command: [echo, "{{inputs.parameters.v}}"]}
  - name: twice
    retryStrategy: {limit: "1"}
    container: {image: busybox, command: ["true"]}
  - name: again
    retryStrategy: {limit: "1"}
    steps:
    - - {name: r1, template: t}
    - - {name: r2, template: t}
  - name: set
    containerSet:
      containers:
      - {name: one, image: busybox, command: ["true"]}
      - {name: two, image: busybox, command: ["true"], dependencies: [one]}
  - name: inner
    inputs: {parameters: [{name: p}]}
    steps:
    - - {name: one, template: t, withItems: [x, z], arguments: {parameters: [{name: v, value: "{{item}}"}]}}
      - {name: two, template: twice}
    - - {name: three, template: set}
      - {name: hooked, template: t, hooks: {exit: {template: t}}}
  - name: deep
    dag:
      tasks:
      - {name: i, template: inner, arguments: {parameters: [{name: p, value: "1"}]}}
      - {name: j, template: t, depends: i}
"""
WHOLE = f"""{HEAD}
  onExit: bye
  templates:
  - name: main
    dag:
      tasks:
      - name: a
        template: t
        withSequence: {{count: "3"}}
        arguments: {{parameters: [{{name: v, value: "{{{{item}}}}"}}]}}
      - {{name: b, template: twice, depends: a}}
      - {{name: c, template: deep, depends: a}}
      - {{name: d, template: inner, depends: b && c, arguments: {{parameters: [{{name: p, value: "2"}}]}}}}
      - {{name: f, template: t, depends: d && b, when: "1 == 1"}}
      - {{name: g, template: t, depends: d && b, when: "1 == 2"}}
  - name: bye
    steps:
    - - {{name: end, template: t}}
{TAIL}"""


def manifest(text: str) -> dict[str, Any]:
    return load(text)[0]


def failing(names: Collection[str]) -> Any:
    def script(pod: Pod, _now: float) -> Script:
        bad = any(pod.node_name == name or pod.node_name.startswith(name + "(") for name in names)
        if bad:
            return Script(status=PodStatus(node_id=pod.node_id, phase="Failed", exit_code=1, message="main: bad"))
        return Script(status=PodStatus(node_id=pod.node_id, phase="Succeeded", exit_code=0))

    return script


def ended(
    workflow: dict[str, Any], bad: Collection[str] = (), *, now: float = START
) -> tuple[Simulation, dict[str, Any]]:
    """A simulation that ran a workflow to its end, and the workflow with its status."""
    simulation = Simulation(workflow, failing(bad))
    simulation.now = now
    if workflow.get("status"):
        simulation.status = workflow["status"]
    simulation.run()
    return simulation, {**workflow, "status": simulation.status}


def shape(workflow: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """What has to be the same in a run that was retried and in one that never failed."""
    nodes = workflow["status"]["nodes"]
    return {
        node["name"]: (node["phase"], node["type"], node.get("boundaryID"), frozenset(node.get("children", ())))
        for node in nodes.values()
    }


STEADY = ended(manifest(WHOLE))[1]
PODS = sorted(n["name"] for n in STEADY["status"]["nodes"].values() if n["type"] == "Pod")
BODY = [name for name in PODS if not name.startswith("w.onExit") and not name.endswith(".onExit")]


@settings(max_examples=60)
@given(bad=st.sets(st.sampled_from(BODY), min_size=1, max_size=4))
def test_a_retried_workflow_ends_like_one_that_never_failed(bad: set[str]) -> None:
    first, broken = ended(manifest(WHOLE), {name.removesuffix("(0)") for name in bad})
    assert broken["status"]["phase"] == "Failed"
    before = copy.deepcopy(broken)
    again, removed = retry_workflow(broken, first.now + 5)
    assert broken == before, "what is given is not written to"
    good = {i for i, n in broken["status"]["nodes"].items() if n["type"] == "Pod" and i not in removed}
    second, healed = ended(again, now=first.now + 5)
    assert not good & set(second.started), "what succeeded does not run twice"
    assert healed["status"]["phase"] == "Succeeded"
    assert shape(healed) == shape(STEADY)
    assert healed["status"]["progress"] == STEADY["status"]["progress"]
    assert "orchestra" not in healed["status"]


def test_of_several_attempts_of_steps_the_last_one_goes_on() -> None:
    text = f"""{HEAD}
  templates:
  - name: main
    steps: [[{{name: e, template: again}}]]
{TAIL}"""
    first, broken = ended(manifest(text), ["w[0].e(0)[1].r2", "w[0].e(1)[1].r2"])
    second, healed = ended(retry_workflow(broken, first.now)[0], now=first.now)
    names = [node["name"] for node in healed["status"]["nodes"].values() if node["id"] in second.started]
    assert names == ["w[0].e(1)[1].r2"]
    assert healed["status"]["phase"] == "Succeeded"


def test_what_succeeded_before_keeps_its_times() -> None:
    first, broken = ended(manifest(WHOLE), ["w.b"])
    _, healed = ended(retry_workflow(broken, first.now + 1000)[0], now=first.now + 1000)
    nodes, old = healed["status"]["nodes"], broken["status"]["nodes"]
    by_name = {node["name"]: node for node in nodes.values()}
    kept = by_name["w.a(0:0)"]
    assert kept == old[kept["id"]]
    assert by_name["w.b(0)"]["startedAt"] > kept["finishedAt"]
    assert healed["status"]["startedAt"] > broken["status"]["finishedAt"]


def test_the_exit_handler_runs_again() -> None:
    first, broken = ended(manifest(WHOLE), ["w.b"])
    second, _ = ended(retry_workflow(broken, first.now)[0], now=first.now)
    names = {healed["name"] for healed in second.status["nodes"].values() if healed["id"] in second.started}
    assert "w.onExit[0].end" in names


def test_a_failing_exit_handler_alone_is_run_again() -> None:
    first, broken = ended(manifest(WHOLE), ["w.onExit[0].end"])
    assert broken["status"]["phase"] == "Failed"
    second, healed = ended(retry_workflow(broken, first.now)[0], now=first.now)
    assert healed["status"]["phase"] == "Succeeded"
    assert len(second.started) == 1


def test_a_workflow_can_be_retried_again_and_again() -> None:
    simulation, workflow = ended(manifest(WHOLE), ["w.b", "w.d[0].two"])
    workflow, _ = retry_workflow(workflow, simulation.now)
    simulation, workflow = ended(workflow, ["w.d[0].two"], now=simulation.now)
    assert workflow["status"]["phase"] == "Failed"
    workflow, _ = retry_workflow(workflow, simulation.now)
    assert ended(workflow, now=simulation.now)[1]["status"]["phase"] == "Succeeded"


def test_a_stopped_workflow_goes_on_where_it_was_stopped() -> None:
    workflow = manifest(WHOLE)
    simulation = Simulation(workflow)
    for _ in range(6):
        simulation.step()
        simulation.now += 0.5
        simulation.step([simulation.events.pop(0)[2] for _ in list(simulation.events)])
    workflow["spec"]["shutdown"] = "Stop"
    simulation.run()
    assert simulation.status["phase"] == "Failed"
    again, _ = retry_workflow({**workflow, "status": simulation.status}, simulation.now)
    assert "shutdown" not in again["spec"]
    assert ended(again, now=simulation.now)[1]["status"]["phase"] == "Succeeded"


def test_a_forgiven_failure_that_something_succeeded_after_is_kept() -> None:
    text = f"""{HEAD}
  templates:
  - name: main
    steps:
    - - {{name: a, template: t, continueOn: {{failed: true}}}}
    - - {{name: b, template: t}}
    - - {{name: c, template: t}}
{TAIL}"""
    first, broken = ended(manifest(text), ["w[0].a", "w[2].c"])
    again, removed = retry_workflow(broken, first.now)
    assert [broken["status"]["nodes"][i]["name"] for i in removed] == ["w[2].c"]
    second, healed = ended(again, now=first.now)
    assert len(second.started) == 1
    assert healed["status"]["phase"] == "Succeeded"


def test_a_workflow_without_creation_time_can_be_retried() -> None:
    workflow = manifest(WHOLE)
    del workflow["metadata"]["creationTimestamp"]
    first, broken = ended(workflow, ["w.b"])
    assert ended(retry_workflow(broken, first.now)[0], now=first.now)[1]["status"]["phase"] == "Succeeded"


def test_changed_parameters_make_loops_anew() -> None:
    text = f"""{HEAD}
  arguments: {{parameters: [{{name: many, value: "[1, 2]"}}]}}
  templates:
  - name: main
    dag:
      tasks:
      - name: a
        template: t
        withParam: "{{{{workflow.parameters.many}}}}"
        arguments: {{parameters: [{{name: v, value: "{{{{item}}}}"}}]}}
{TAIL}"""
    first, broken = ended(manifest(text), ["w.a(1:2)"])
    broken["spec"]["arguments"]["parameters"][0]["value"] = "[7, 8, 9]"
    again, _ = retry_workflow(broken, first.now, expand_again=True)
    _, healed = ended(again, now=first.now)
    names = {node["name"] for node in healed["status"]["nodes"].values() if node["type"] == "Pod"}
    assert names == {"w.a(0:7)", "w.a(1:8)", "w.a(2:9)"}


@pytest.mark.parametrize("phase", ["Succeeded", "Running", ""])
def test_only_a_failed_workflow_is_retried(phase: str) -> None:
    with pytest.raises(NothingToRetry, match="only a workflow that has failed"):
        retry_workflow({**manifest(WHOLE), "status": {"phase": phase, "nodes": {}}}, START)


def test_a_workflow_that_never_began_cannot_be_retried() -> None:
    with pytest.raises(NothingToRetry, match="resubmit"):
        retry_workflow({**manifest(WHOLE), "status": {"phase": "Failed", "nodes": {}}}, START)


INSIDE = sorted(
    node["id"]
    for node in STEADY["status"]["nodes"].values()
    if not node["name"].startswith("w.onExit") and not node["name"].endswith(".onExit")
)


@settings(max_examples=60)
@given(chosen=st.sets(st.sampled_from(INSIDE), min_size=1, max_size=3))
def test_named_nodes_of_a_workflow_that_succeeded_run_again_and_all_that_came_after_them(chosen: set[str]) -> None:
    nodes = STEADY["status"]["nodes"]
    before = copy.deepcopy(STEADY)
    again, removed = retry_workflow(STEADY, START + 1000, restarted=chosen)
    assert before == STEADY, "what is given is not written to"
    assert chosen <= set(removed) | {ident for ident, node in again["status"]["nodes"].items() if not is_final(node)}
    second, healed = ended(again, now=START + 1000)
    pods = {ident for ident in removed if nodes[ident]["type"] == "Pod"}
    assert pods <= set(second.started)
    assert {ident for ident in second.started if ident in nodes} <= pods, "what was not named does not run twice"
    assert healed["status"]["phase"] == "Succeeded"
    assert shape(healed) == shape(STEADY)
    assert healed["status"]["progress"] == STEADY["status"]["progress"]


def test_of_a_named_attempt_or_container_the_whole_pod_runs_again() -> None:
    by_name = {node["name"]: node for node in STEADY["status"]["nodes"].values()}
    second, _ = ended(retry_workflow(STEADY, START, restarted=[by_name["w.b(0)"]["id"]])[0])
    assert by_name["w.b(0)"]["id"] in second.started
    (container,) = (name for name in by_name if name.startswith("w.d[1].three.") and name.endswith("two"))
    second, _ = ended(retry_workflow(STEADY, START, restarted=[by_name[container]["id"]])[0])
    assert by_name["w.d[1].three"]["id"] in second.started


def test_a_forgiven_failure_runs_again_if_what_came_after_it_is_named() -> None:
    text = f"""{HEAD}
  templates:
  - name: main
    dag:
      tasks:
      - {{name: a, template: t}}
      - {{name: b, template: t, depends: a || a.Failed}}
{TAIL}"""
    first, forgiven = ended(manifest(text), ["w.a"])
    assert forgiven["status"]["phase"] == "Succeeded"
    named = [i for i, node in forgiven["status"]["nodes"].items() if node["name"] == "w.b"]
    second, healed = ended(retry_workflow(forgiven, first.now, restarted=named)[0], now=first.now)
    assert len(second.started) == 2
    assert {node["phase"] for node in healed["status"]["nodes"].values()} == {"Succeeded"}
