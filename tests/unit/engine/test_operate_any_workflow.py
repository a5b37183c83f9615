"""Workflows that nobody thought of, operated in any order: what must always hold.

Each example is a random workflow (steps, dags, loops, conditions, retries with backoff, hooks, exit handlers, locks,
suspended nodes, caches, deadlines, bounds of parallelism) whose pods say something in a random order, late and doubled,
while people suspend, resume, stop and terminate it.
"""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Mapping
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from orchestra_engine import operate, workflow
from orchestra_engine.operate import queues
from orchestra_engine.operate.context import Board
from orchestra_engine.pod import Pod, PodStatus

from tests.unit.engine.simulate import START, summary

Json = dict[str, Any]
ORDER = {"Pending": 0, "Running": 1}
CONFIGMAPS = {"sizes": {"data": {"one": "1", "two": "2"}}}
LEAVES = ("good", "bad", "odd", "retried", "patient", "locked", "shared", "both", "kept", "asleep", "late", "slow")
ORDERLY = ("good", "bad", "odd", "retried", "locked", "shared", "both")
MOST_STEPS = 3000


def _container(**fields: Any) -> Json:
    inputs = {"parameters": [{"name": "v", "default": "none"}]}
    return {
        "inputs": inputs,
        "container": {"image": "busybox", "command": ["echo", "{{inputs.parameters.v}}"]},
        **fields,
    }


def _leaf(name: str) -> Json:
    size = {"configMapKeyRef": {"name": "sizes", "key": "two"}}
    return {
        "name": name,
        **{
            "good": _container(
                outputs={"parameters": [{"name": "o", "valueFrom": {"path": "/tmp/o", "default": "x"}}]}
            ),
            "bad": _container(),
            "odd": _container(),
            "retried": _container(retryStrategy={"limit": "2", "retryPolicy": "Always"}),
            "patient": _container(
                retryStrategy={
                    "limit": 3,
                    "expression": "asInt(lastRetry.exitCode) > 1",
                    "backoff": {"duration": "2", "factor": "2", "cap": "5s", "maxDuration": "1m"},
                }
            ),
            "locked": _container(synchronization={"mutexes": [{"name": "m"}]}),
            "shared": _container(synchronization={"semaphores": [size]}),
            "both": _container(
                synchronization={"mutexes": [{"name": "m"}], "semaphores": [size]}, retryStrategy={"limit": "1"}
            ),
            "kept": _container(
                memoize={"key": "k-{{inputs.parameters.v}}", "maxAge": "1h", "cache": {"configMap": {"name": "cache"}}}
            ),
            "asleep": {"suspend": {}, "synchronization": {"mutexes": [{"name": "s"}]}},
            "late": _container(activeDeadlineSeconds=3),
            "slow": {"suspend": {"duration": "4"}},
        }[name],
    }


def _call(draw: st.DrawFn, name: str, templates: list[str], before: list[str]) -> Json:
    # What depends on the order in Argo too: hooks that look at a phase which may pass unseen, those of a dag's items.
    sensitive = "slow" in templates
    call: Json = {"name": name, "template": draw(st.sampled_from(templates))}
    loop = draw(st.sampled_from(["", "", "", "items", "sequence", "none"]))
    if loop == "items":
        call["withItems"] = ["a", "b", "a"]
        call["arguments"] = {"parameters": [{"name": "v", "value": "{{item}}"}]}
    elif loop == "sequence":
        call["withSequence"] = {"count": "2"}
    elif loop == "none":
        call["withParam"] = "[]"
    if draw(st.integers(0, 5)) == 0:
        call["when"] = draw(st.sampled_from(["1 == 1", "1 == 2"]))
    if draw(st.integers(0, 4)) == 0 and (sensitive or loop in ("", "none")):
        hooks = {"exit": {"template": draw(st.sampled_from(["good", "bad"]))}}
        if sensitive and draw(st.booleans()):
            kind = "tasks" if before is not _NO_TASKS else "steps"
            hooks["running"] = {"expression": f'{kind}["{name}"].status == "Running"', "template": "good"}
        call["hooks"] = hooks
    if draw(st.integers(0, 3)) == 0:
        call["continueOn"] = {"failed": True, "error": True}
    return call


_NO_TASKS: list[str] = []


def _tasks(draw: st.DrawFn, templates: list[str]) -> list[Json]:
    tasks: list[Json] = []
    for number in range(draw(st.integers(1, 4))):
        before = [task["name"] for task in tasks]
        task = _call(draw, f"t{number}", templates, before)
        if before and draw(st.booleans()):
            first = draw(st.sampled_from(before))
            if task.pop("continueOn", None) is None and draw(st.booleans()):
                end = draw(st.sampled_from(["Succeeded", "Failed", "Skipped", "Errored", "Omitted"]))
                task["depends"] = f"{first}.{end} || {before[-1]}"
            else:
                task["dependencies"] = sorted({first, before[-1]})
        tasks.append(task)
    if any("depends" in task for task in tasks):
        for task in tasks:
            names = task.pop("dependencies", None)
            task.pop("continueOn", None)
            if names:
                task["depends"] = " && ".join(names)
    return tasks


def _flow(draw: st.DrawFn, name: str, templates: list[str]) -> Json:
    flow: Json = {"name": name, "inputs": {"parameters": [{"name": "v", "default": "none"}]}}
    if draw(st.booleans()):
        flow["dag"] = {"tasks": _tasks(draw, templates)}
        if draw(st.integers(0, 3)) == 0:
            flow["dag"]["failFast"] = False
    else:
        groups = range(draw(st.integers(1, 3)))
        flow["steps"] = [
            [_call(draw, f"s{group}{n}", templates, _NO_TASKS) for n in range(draw(st.integers(1, 2)))]
            for group in groups
        ]
    if draw(st.integers(0, 4)) == 0:
        flow["retryStrategy"] = {"limit": "1"}
    return flow


@st.composite
def workflows(draw: st.DrawFn, leaves: tuple[str, ...] = LEAVES) -> Json:
    """A workflow with up to three flows, each of which may use those before it."""
    flows: list[Json] = []
    for number in range(draw(st.integers(1, 3))):
        flow = _flow(draw, f"f{number}", [*leaves, *(each["name"] for each in flows)])
        if leaves is LEAVES and draw(st.integers(0, 3)) == 0:
            flow |= draw(st.sampled_from([{"parallelism": 1}, {"parallelism": 2}, {"failFast": True}]))
        flows.append(flow)
    spec: Json = {"entrypoint": flows[-1]["name"]}
    if draw(st.booleans()):
        spec["onExit"] = draw(st.sampled_from(["good", "bad", "locked", flows[0]["name"]]))
    if leaves is LEAVES:
        for extra in draw(st.lists(st.sampled_from(EXTRAS), max_size=2)):
            spec |= extra
    calls = json.dumps([flows, {key: value for key, value in spec.items() if key != "templates"}])
    used = [name for name in LEAVES if f': "{name}"' in calls]
    spec["templates"] = [*map(_leaf, used), *flows]
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}, "spec": spec}


EXTRAS: list[Json] = [
    {"activeDeadlineSeconds": 20},
    {"parallelism": 2},
    {"synchronization": {"mutexes": [{"name": "whole"}]}},
    {"templateDefaults": {"retryStrategy": {"limit": "1"}}},
    {"hooks": {"ends": {"expression": 'workflow.status == "Failed"', "template": "good"}}},
]


class Run:
    """One workflow in hands that may do anything to it."""

    def __init__(self, manifest: Json, random: Random) -> None:
        self.manifest, self.random, self.now = manifest, random, START
        self.status: Json = workflow.new_status()
        self.alive: dict[str, Pod] = {}
        self.killed: dict[str, str] = {}
        self.started: set[str] = set()
        self.past: list[PodStatus] = []
        self.configmaps: Json = copy.deepcopy(CONFIGMAPS)
        self.wake: float | None = None

    def operate(self, seen: list[PodStatus]) -> Any:
        return operate.operate(self.manifest, self.status, self.now, seen, configmaps=self.configmaps)

    def step(self, seen: list[PodStatus]) -> None:
        """One call of operate, and what must hold of it."""
        before = copy.deepcopy(self.status)
        decision = self.operate(seen)
        assert self.status == before, "operate wrote to the status that it was given"
        forward(before, decision.status)
        self.status, self.wake = json.loads(json.dumps(decision.status)), decision.wake_at
        for write in decision.configmap_writes:
            found = self.configmaps.setdefault(write["name"], {"metadata": {"labels": write["labels"]}, "data": {}})
            found["data"][write["key"]] = write["value"]
        for pod in decision.start:
            assert pod.node_id not in self.started, f"{pod.node_name} was started twice"
            self.started.add(pod.node_id)
            self.alive[pod.node_id] = pod
        for kill in decision.kill:
            assert kill.node_id in self.alive, "a pod that does not run was killed"
            self.killed.setdefault(kill.node_id, kill.reason)
        again = self.operate(seen)
        assert (again.start, again.kill, again.changed) == ([], [], []), "the same call again did something"
        assert _settled(again.status) == _settled(self.status), "the same call again changed the status"
        if workflow.finished(self.status):
            assert not self.alive, "the workflow ended while a pod ran"
            assert not {"orchestra", "synchronization"} & self.status.keys()
            assert all(self.status["nodes"][ident]["phase"] not in ORDER for ident in self.started)
        else:
            self.check_kept()

    def check_kept(self) -> None:
        """What is kept beside the nodes says the same as the nodes."""
        asked = operate.pods(self.manifest, self.status, configmaps=self.configmaps)
        assert all(self.alive[pod.node_id] == pod for pod in asked), "a pod would be started as another one"
        assert set(operate.live(self.status)) == self.alive.keys()
        fresh = Board("w", {**self.status, "orchestra": {}, "nodes": {}}, self.now)
        for node in self.status["nodes"].values():
            fresh._weigh(node, None)
        kept = self.status["orchestra"].get("counts", {})
        counted = fresh.private.get("counts", {})
        for boundary in kept.keys() | counted.keys():
            node = self.status["nodes"].get(boundary)
            if node is None or node["phase"] in ORDER:
                assert kept.get(boundary, [0] * 4) == counted.get(boundary, [0] * 4), boundary
        held = queues.stance(self.manifest, self.status).holders
        assert len(held.get("default/Mutex/m", ())) <= 1
        assert len(held.get("default/ConfigMap/sizes/two", ())) <= 2

    def last(self, ident: str) -> PodStatus:
        pod = self.alive.pop(ident)
        if ident in self.killed:
            return PodStatus(node_id=ident, phase="Failed", exit_code=143, killed=self.killed[ident])
        code = result(pod)
        outputs = {"parameters": [{"name": "o", "value": pod.node_name}]} if pod.output_parameters else {}
        phase, message = ("Failed", f"main: Error (exit code {code})") if code else ("Succeeded", "")
        return PodStatus(node_id=ident, phase=phase, message=message, exit_code=code, outputs=outputs)

    def some(self) -> list[PodStatus]:
        """What some of the pods say, with what was said before and what concerns nobody."""
        seen = self.random.sample(self.past, min(len(self.past), self.random.randint(0, 3)))
        seen.append(PodStatus(node_id="nobody", phase="Succeeded"))
        least = min(1, len(self.alive))
        for ident in self.random.sample(sorted(self.alive), self.random.randint(least, len(self.alive))):
            if self.random.random() < 0.4:
                seen.append(PodStatus(node_id=ident, phase="Running"))
            if self.random.random() < 0.7:
                seen.append(self.last(ident))
                self.past.append(PodStatus(node_id=ident, phase="Running"))
                self.past.append(PodStatus(node_id=ident, phase="Error", message="late"))
        self.random.shuffle(seen)
        return seen

    def waits(self) -> bool:
        return any(n["type"] == "Suspend" and n["phase"] == "Running" for n in self.status["nodes"].values())

    def meddle(self) -> None:
        """What people do to a workflow."""
        what = self.random.choice(["suspend", "resume", "resume", "Stop", "Terminate"])
        spec = {k: v for k, v in self.manifest["spec"].items() if k != "suspend"}
        if what == "resume":
            before = self.status
            self.status = operate.resume(self.manifest, self.status, self.now)
            forward(before, self.status)
        elif what == "suspend":
            spec["suspend"] = True
        elif spec.get("shutdown") != "Terminate":
            spec["shutdown"] = what
        self.manifest = {**self.manifest, "spec": spec}

    def to_the_end(self, *, meddling: float) -> Json:
        self.step([])
        for _ in range(MOST_STEPS):
            if workflow.finished(self.status):
                return self.status
            if self.random.random() < meddling:
                self.meddle()
            elif not self.alive and (self.wake is None or self.manifest["spec"].get("suspend")):
                self.wake_up()
            if not self.alive and self.wake is not None:
                self.now = max(self.now, self.wake)
            else:
                self.now += self.random.choice([0.25, 1.0])
            self.step(self.some())
        raise AssertionError(f"it does not end: {summary(self.status)}")

    def wake_up(self) -> None:
        """Have a workflow go on that waits for people; any other one would never go on."""
        spec = dict(self.manifest["spec"])
        assert spec.pop("suspend", False) or self.waits(), f"nothing will ever happen: {summary(self.status)}"
        self.manifest = {**self.manifest, "spec": spec}
        self.status = operate.resume(self.manifest, self.status, self.now)


def _settled(status: Json) -> Json:
    """A status without the note that somebody was held back in the last look at it."""
    return {**status, "orchestra": {k: v for k, v in status.get("orchestra", {}).items() if k != "held_back"}}


def result(pod: Pod) -> int:
    """The exit code of a program: of its node's name, so that it is the same in every order."""
    if pod.template == "bad":
        return 3
    if pod.template in ("odd", "retried", "patient", "both", "late"):
        return zlib.crc32(pod.node_name.encode()) % 3
    return 0


def forward(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    for ident, node in before["nodes"].items():
        old, new = node["phase"], after["nodes"][ident]["phase"]
        assert ORDER.get(old, 2) <= ORDER.get(new, 2), f"{node['name']} went back from {old} to {new}"
        assert old in ORDER or old == new, f"{node['name']} was {old} and became {new}"
        known = node.get("children", [])
        assert set(known) <= set(after["nodes"][ident].get("children", [])), f"{node['name']} lost a child"


def ended(status: Mapping[str, Any]) -> Json:
    """A status without times, without the order of children, and without what depends on who came first."""
    nodes = {}
    for ident, node in status["nodes"].items():
        kept = {key: value for key, value in node.items() if key not in ("startedAt", "finishedAt", "outboundNodes")}
        kept["children"] = sorted(kept.get("children", []))
        nodes[ident] = kept
    return {**{key: status.get(key) for key in ("phase", "message", "progress")}, "nodes": nodes}


@given(workflows(), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_whatever_it_is_and_whatever_happens_it_goes_forward_to_one_end(manifest: Json, random: Random) -> None:
    Run(manifest, random).to_the_end(meddling=random.choice([0.0, 0.0, 0.1]))


@given(workflows(ORDERLY), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_whatever_it_is_any_order_comes_to_the_same_end(manifest: Json, random: Random) -> None:
    first = Run(manifest, Random(0)).to_the_end(meddling=0)
    assert ended(Run(manifest, random).to_the_end(meddling=0)) == ended(first)
