"""Workflows that share locks, in a simulation: each is looked at only when it may go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from orchestra_engine import operate, workflow
from orchestra_engine.operate import queues
from orchestra_engine.pod import PodStatus

from tests.unit.engine.simulate import START

CONFIGMAPS = {"sizes": {"data": {"one": "1", "two": "2"}}}


def mutex(*names: str) -> dict[str, Any]:
    return {"mutexes": [{"name": name} for name in names]}


def semaphore(key: str) -> dict[str, Any]:
    return {"semaphores": [{"configMapKeyRef": {"name": "sizes", "key": key}}]}


def made(name: str, *locks: dict[str, Any], own: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A workflow with a task for each of the locks, all at once; `own` are the workflow's locks."""
    tasks = [{"name": f"t{number}", "template": f"t{number}"} for number in range(len(locks))]
    templates = [
        {"name": f"t{number}", "synchronization": each, "container": {"image": "busybox", "command": ["true"]}}
        for number, each in enumerate(locks)
    ]
    if own is not None:
        spec["synchronization"] = own
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name, "creationTimestamp": spec.pop("created", "2001-03-28T00:00:00Z")},
        "spec": {"entrypoint": "main", "templates": [{"name": "main", "dag": {"tasks": tasks}}, *templates], **spec},
    }


class Cluster:
    """Workflows that share locks; each is only looked at when it is new, its pod ended or `awoken` says so."""

    def __init__(self) -> None:
        self.manifests: dict[str, dict[str, Any]] = {}
        self.statuses: dict[str, dict[str, Any]] = {}
        self.stances: dict[str, queues.Stance] = {}
        self.dirty: dict[str, None] = {}
        self.running: dict[str, str] = {}  # node id → workflow
        self.started: list[str] = []  # names of nodes, in order
        self.configmaps: dict[str, Any] = CONFIGMAPS
        self.now = START

    def submit(self, manifest: dict[str, Any]) -> None:
        name = manifest["metadata"]["name"]
        self.manifests[name], self.statuses[name] = manifest, workflow.new_status()
        self.stances[name] = queues.stance(manifest, self.statuses[name])
        self.settle(name)

    def patch(self, name: str, **spec: Any) -> None:
        self.manifests[name] = {**self.manifests[name], "spec": {**self.manifests[name]["spec"], **spec}}
        self.settle(name)

    def end(self, ident: str) -> None:
        name = self.running.pop(ident)
        self.settle(name, PodStatus(node_id=ident, phase="Succeeded", exit_code=0))

    def settle(self, name: str, *seen: PodStatus) -> None:
        self.look(name, seen)
        while self.dirty:
            first = next(iter(self.dirty))
            del self.dirty[first]
            self.look(first)

    def look(self, name: str, seen: Sequence[PodStatus] = ()) -> None:
        self.now += 1
        manifest = self.manifests[name]
        known = {
            "configmaps": self.configmaps,
            "locks": queues.view(self.stances[name], [s for n, s in self.stances.items() if n != name]),
        }
        decision = operate.operate(manifest, self.statuses[name], self.now, seen, **known)
        again = operate.operate(manifest, decision.status, self.now, seen, **known)
        assert (again.status, again.start) == (decision.status, [])
        self.statuses[name] = decision.status
        for pod in decision.start:
            self.running[pod.node_id] = name
            self.started.append(pod.node_name)
        before = self.stances[name]
        self.stances[name] = queues.stance(manifest, decision.status)
        others = [s for n, s in self.stances.items() if n != name]
        self.dirty.update(dict.fromkeys(sorted(queues.awoken(before, self.stances[name], others))))
        self.check()
        for kill in decision.kill:
            self.end(kill.node_id)

    def check(self) -> None:
        held = Counter(
            lock for one in self.stances.values() for lock, keys in one.holders.items() for _ in range(len(keys))
        )
        for lock, count in held.items():
            assert count <= (2 if lock.endswith("/two") else 1), f"{lock} is held {count} times"

    def phase(self, name: str) -> str:
        return str(self.statuses[name]["phase"])

    def run(self, choose: Callable[[list[str]], str] = lambda idents: idents[0]) -> None:
        while self.running:
            self.end(choose(list(self.running)))


def view_of(cluster: Cluster, name: str) -> operate.LockView:
    return queues.view(cluster.stances[name], [s for n, s in cluster.stances.items() if n != name])
