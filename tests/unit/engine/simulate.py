"""A cluster in memory for the pure core: a virtual clock, pods that end as a script says, kills that are obeyed."""

from __future__ import annotations

import copy
import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestra_engine import operate, workflow
from orchestra_engine.pod import Decision, Kill, Pod, PodStatus

START = 1_000_000_000.0
_ENDLESS = 1e9


@dataclass(kw_only=True)
class Script:
    """What becomes of one pod: how long it runs (seconds; None: for ever) and its last status."""

    status: PodStatus
    seconds: float | None = 1.0


Scripted = Callable[[Pod, float], Script]


def succeeds(pod: Pod, _now: float) -> Script:
    """Every program ends with exit code 0 after a second."""
    return Script(status=PodStatus(node_id=pod.node_id, phase="Succeeded", exit_code=0))


@dataclass
class Simulation:
    """Runs one workflow to its end; `history` holds every decision."""

    manifest: dict[str, Any]
    scripted: Scripted = succeeds
    configmaps: dict[str, Any] = field(default_factory=dict)
    actions: Callable[[Simulation], bool] | None = None
    keyword: Mapping[str, Any] = field(default_factory=dict)
    check: Callable[[Decision, dict[str, Any]], None] | None = None

    def __post_init__(self) -> None:
        self.now = START
        self.status = workflow.new_status()
        self.events: list[tuple[float, int, PodStatus]] = []
        self.counter = itertools.count()
        self.started: dict[str, float] = {}
        self.dead: set[str] = set()
        self.kills: list[Kill] = []

    def push(self, moment: float, seen: PodStatus) -> None:
        heapq.heappush(self.events, (moment, next(self.counter), seen))

    def step(self, seen: Iterable[PodStatus] = ()) -> Decision:
        before = copy.deepcopy(self.status) if self.check else None
        decision = operate.operate(
            self.manifest, self.status, self.now, list(seen), configmaps=self.configmaps, **self.keyword
        )
        if self.check and before is not None:
            assert before == self.status, "operate wrote to the status it was given"
            self.check(decision, before)
        self.status = decision.status
        for write in decision.configmap_writes:
            found = self.configmaps.setdefault(write["name"], {"metadata": {"labels": write["labels"]}, "data": {}})
            found["data"][write["key"]] = write["value"]
        for pod in decision.start:
            self.start(pod)
        for kill in decision.kill:
            self.kills.append(kill)
            if kill.node_id not in self.dead:
                last = PodStatus(node_id=kill.node_id, phase="Failed", exit_code=143, killed=kill.reason)
                self.push(self.now + 0.2, last)
        return decision

    def start(self, pod: Pod) -> None:
        assert pod.node_id not in self.started, f"{pod.node_name} was started twice"
        self.started[pod.node_id] = self.now
        self.push(self.now + 0.05, PodStatus(node_id=pod.node_id, phase="Running", started_at=self.now))
        script = self.scripted(pod, self.now)
        if script.seconds is not None:
            self.push(self.now + 0.1 + script.seconds, script.status)

    def run(self, limit: int = 5000) -> dict[str, Any]:
        """The final status."""
        decision = self.step()
        for _ in range(limit):
            if workflow.finished(self.status):
                return self.status
            if self.actions is not None and self.actions(self):
                decision = self.step()
                continue
            due = min(self.events[0][0] if self.events else _ENDLESS * 10, decision.wake_at or _ENDLESS * 10)
            if due >= _ENDLESS * 5:
                raise AssertionError(f"nothing will ever happen: {summary(self.status)}")
            self.now = max(self.now, due)
            seen = []
            while self.events and self.events[0][0] <= self.now:
                _, _, one = heapq.heappop(self.events)
                if one.node_id in self.dead:
                    continue
                if one.phase in workflow.FINAL:
                    self.dead.add(one.node_id)
                seen.append(one)
            decision = self.step(seen)
        raise AssertionError(f"not finished after {limit} steps: {summary(self.status)}")


def summary(status: Mapping[str, Any]) -> str:
    """One line for each node."""
    lines = [f"{status.get('phase')} {status.get('message', '')!r}"]
    lines += [f"  {n['name']} {n['type']} {n['phase']} {n.get('message', '')!r}" for n in status["nodes"].values()]
    return "\n".join(lines)
