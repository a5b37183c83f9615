"""Whatever order observations come in, doubled or late, the core comes to the same end, and only ever goes forward."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from orchestra_engine import operate, workflow
from orchestra_engine.pod import Pod, PodStatus

from tests.unit.engine.simulate import START

MANIFEST = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  onExit: bye
  arguments: {parameters: [{name: many, value: "3"}]}
  templates:
  - name: main
    outputs: {parameters: [{name: all, valueFrom: {expression: "tasks.last.outputs.parameters.o"}}]}
    dag:
      tasks:
      - {name: a, template: t, withItems: [x, "y z", 3], arguments: {parameters: [{name: v, value: "{{item}}"}]}}
      - {name: b, template: flaky, dependencies: [a]}
      - {name: c, template: bad, continueOn: {failed: true}, hooks: {exit: {template: t}}}
      - name: d
        template: inner
        dependencies: [b, c]
        arguments: {parameters: [{name: p, value: "{{workflow.parameters.many}}"}]}
      - {name: skip, template: t, when: "{{workflow.parameters.many}} > 5", dependencies: [d]}
      - name: last
        template: t
        dependencies: [skip, d]
        arguments: {parameters: [{name: v, value: "{{tasks.d.outputs.parameters.q}}"}]}
  - name: inner
    inputs: {parameters: [{name: p}]}
    outputs: {parameters: [{name: q, valueFrom: {parameter: "{{steps.two.outputs.parameters.o}}"}}]}
    parallelism: 2
    steps:
    - - name: one
        template: t
        withSequence: {count: "{{inputs.parameters.p}}"}
        arguments: {parameters: [{name: v, value: "{{item}}"}]}
      - {name: locked, template: locked}
      - {name: too, template: locked}
    - - {name: two, template: t, arguments: {parameters: [{name: v, value: "{{steps.one.outputs.parameters.o}}"}]}}
  - name: t
    inputs: {parameters: [{name: v, default: none}]}
    outputs: {parameters: [{name: o, valueFrom: {path: /tmp/o}}]}
    container: {image: busybox, command: [sh, -c], args: ["echo '{{inputs.parameters.v}}' > /tmp/o"]}
  - name: flaky
    retryStrategy: {limit: "2"}
    container: {image: busybox, command: [sh, -c], args: ["test {{retries}} = 2"]}
  - name: bad
    container: {image: busybox, command: [sh, -c], args: ["exit 3"]}
  - name: locked
    synchronization: {mutexes: [{name: m}]}
    container: {image: busybox, command: ["true"]}
  - name: bye
    container: {image: busybox, command: [echo], args: ["{{workflow.status}}"]}
"""
_ORDER = {"Pending": 0, "Running": 1}


def _last(pod: Pod) -> PodStatus:
    failing = pod.node_name.endswith((".c", "b(0)", "b(1)"))
    outputs: dict[str, Any] = {}
    if pod.output_parameters:
        outputs["parameters"] = [{"name": "o", "value": pod.containers[0].args[0].split("'")[1]}]
    return PodStatus(
        node_id=pod.node_id,
        phase="Failed" if failing else "Succeeded",
        message="main: Error (exit code 3)" if failing else "",
        exit_code=3 if failing else 0,
        outputs=outputs,
    )


def test_the_manifest_of_these_tests_succeeds() -> None:
    assert REFERENCE["phase"] == "Succeeded"
    assert REFERENCE["nodes"]["w"]["outputs"]["parameters"] == [{"name": "all", "value": '["0","1","2"]'}]


def _end(status: dict[str, Any]) -> dict[str, Any]:
    """A status without times and without the order of children."""
    nodes = {}
    for ident, node in status["nodes"].items():
        kept = {k: v for k, v in node.items() if k not in ("startedAt", "finishedAt")}
        for name in ("children", "outboundNodes"):
            kept[name] = sorted(kept.get(name, []))
        nodes[ident] = kept
    return {k: status.get(k) for k in ("phase", "message", "progress", "outputs")} | {"nodes": nodes}


def _forward(before: dict[str, Any], after: dict[str, Any]) -> None:
    for ident, node in before["nodes"].items():
        old, new = node["phase"], after["nodes"][ident]["phase"]
        assert _ORDER.get(old, 2) <= _ORDER.get(new, 2), f"{node['name']} went back from {old} to {new}"
        if old not in _ORDER:
            assert old == new, f"{node['name']} was final"


class _Run:
    """Runs the manifest; `pick` decides which of the pods that run say something next, and what."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        self.manifest, self.status, self.now = manifest, workflow.new_status(), START
        self.alive: dict[str, Pod] = {}
        self.started: dict[str, Pod] = {}

    def step(self, seen: list[PodStatus]) -> None:
        self.now += 1
        given_status = copy.deepcopy(self.status)
        decision = operate.operate(self.manifest, self.status, self.now, seen)
        assert self.status == given_status
        _forward(self.status, decision.status)
        self.status = decision.status
        for pod in decision.start:
            assert pod.node_id not in self.started
            self.started[pod.node_id] = self.alive[pod.node_id] = pod
        again = operate.operate(self.manifest, self.status, self.now, seen)
        assert (again.start, again.kill, again.changed) == ([], [], [])
        assert again.status == self.status

    def check_replay(self) -> None:
        if not workflow.finished(self.status):
            asked = operate.pods(self.manifest, json.loads(json.dumps(self.status)))
            assert {p.node_id: p for p in asked} == self.alive


def _reference() -> dict[str, Any]:
    run = _Run(workflow.load(MANIFEST)[0])
    run.step([])
    while not workflow.finished(run.status):
        ident = next(iter(run.alive))
        run.step([_last(run.alive.pop(ident))])
    return _end(run.status)


@given(st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_any_order_of_observations_comes_to_the_same_end(random: Random) -> None:
    run = _Run(workflow.load(MANIFEST)[0])
    run.step([])
    past: list[PodStatus] = []
    while not workflow.finished(run.status):
        run.check_replay()
        idents = random.sample(sorted(run.alive), random.randint(1, len(run.alive)))
        seen, ended = [], []
        for ident in idents:
            if random.random() < 0.5:
                seen.append(PodStatus(node_id=ident, phase="Running"))
            if random.random() < 0.7:
                seen.append(_last(run.alive.pop(ident)))
                ended.append(ident)
        seen += random.sample(past, min(len(past), random.randint(0, 3)))
        seen.append(PodStatus(node_id="nobody", phase="Succeeded"))
        random.shuffle(seen)
        run.step(seen)
        past += [PodStatus(node_id=ident, phase="Running") for ident in ended]
        past += [PodStatus(node_id=ident, phase="Failed", message="late", exit_code=9) for ident in ended]
    assert _end(run.status) == REFERENCE


@given(st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_a_stopped_workflow_ends_only_when_every_pod_is_dead(random: Random) -> None:
    manifest = workflow.load(MANIFEST)[0]
    run = _Run(manifest)
    run.step([])
    for _ in range(random.randint(0, 6)):
        if workflow.finished(run.status) or not run.alive:
            break
        ident = random.choice(sorted(run.alive))
        run.step([_last(run.alive.pop(ident))])
    if workflow.finished(run.status):
        return
    run.manifest = {**manifest, "spec": {**manifest["spec"], "shutdown": "Terminate"}}
    decision = operate.operate(run.manifest, run.status, run.now)
    assert {kill.node_id for kill in decision.kill} == set(run.alive)
    run.status = decision.status
    assert {kill.node_id for kill in operate.kills(run.status)} == set(run.alive)
    while run.alive:
        assert not workflow.finished(run.status)
        ident = random.choice(sorted(run.alive))
        reason = next(kill.reason for kill in decision.kill if kill.node_id == ident)
        del run.alive[ident]
        run.step([PodStatus(node_id=ident, phase="Failed", exit_code=137, killed=reason)])
    assert run.status["phase"] == "Failed"
    assert run.status["message"] == "Stopped with strategy 'Terminate'"
    assert all(node["phase"] not in _ORDER for node in run.status["nodes"].values() if node["type"] == "Pod")


REFERENCE = _reference()
