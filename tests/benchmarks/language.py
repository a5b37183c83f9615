"""What the engine adds to the programs of a workflow, and whether it stays in proportion when there are many."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestra_engine import operate
from orchestra_engine.pod import Decision, Pod, PodStatus
from orchestra_engine.sandbox import choose
from orchestra_engine.workflow import new_status

from tests.benchmarks import workflows
from tests.benchmarks.figures import MEDIAN, Figure, above, pairwise

HOP_MS, ROOT_MS, OPERATE_MS = 20.0, 20.0, 50.0
FAN_OUT_RATIO = 4.0
TENFOLD_TIME, TENFOLD_MEMORY = 20.0, 11.0  # ten times as many nodes: twice ten times the time, and memory linear
NODES = 1000  # of the workflow that `operate` looks at
_BATCH = 100  # observations that have waited for one look


def measure(*, quick: bool) -> Iterator[Figure]:
    """All figures of the language, each as soon as it is known."""
    sandboxes = sandboxes_here()
    yield from between_steps(sandboxes, length=15 if quick else 40, times=1 if quick else 3)
    yield from fan_outs(sandboxes, count=50 if quick else 200, times=1 if quick else 5)
    yield from looks(times=3 if quick else 20)
    yield from tenfold("plain", 100 if quick else 1000)


def sandboxes_here() -> list[str]:
    """The sandboxes that this machine has, the best one first."""
    best = choose("auto", Path("/tmp"))
    return ["private", "plain"] if best == "private" else ["plain"]


def between_steps(sandboxes: list[str], *, length: int, times: int) -> Iterator[Figure]:
    """The hop from a step's exit file to the next step's shim, and what the private root costs a node.

    A shim says that it has started once it has claimed its node, and that the node has ended before it writes the exit
    file, so the hop contains that claim and that writing.
    """
    hops: dict[str, list[float]] = {sandbox: [] for sandbox in sandboxes}
    took: dict[str, list[float]] = {sandbox: [] for sandbox in sandboxes}
    for _ in range(times):
        for sandbox in sandboxes:
            nodes = workflows.node_times(workflows.chain("chain", length), sandbox)
            hops[sandbox] += workflows.gaps(nodes)
            took[sandbox] += [each.milliseconds for each in nodes]
    for sandbox in sandboxes:
        yield Figure(name=f"exit file of a step → shim of the next, {sandbox}", values=hops[sandbox], target=HOP_MS)
    for sandbox in sandboxes:
        yield Figure(name=f"a node that runs `true`, shim to its end, {sandbox}", values=took[sandbox])
    if "private" in took:
        cost = above(took["private"], took["plain"])
        yield Figure(name="… of which the private root's", values=cost, target=ROOT_MS, judged=MEDIAN)


def fan_outs(sandboxes: list[str], *, count: int, times: int) -> Iterator[Figure]:
    """A fan-out beside as many bare processes, by the clock and by the processors' time."""
    bare: list[workflows.Run] = []
    ours: dict[str, list[workflows.Run]] = {sandbox: [] for sandbox in sandboxes}
    for _ in range(times):
        bare.append(workflows.bare(count))
        for sandbox in sandboxes:
            ours[sandbox].append(workflows.run_alone(sandbox, count))
    seconds = [run.seconds for run in bare]
    yield Figure(name=f"{count} × python -I -S -c pass, {workflows.PARALLEL} at a time", values=seconds, unit="s")
    for sandbox, runs in ours.items():
        ratio = pairwise([run.seconds for run in runs], seconds)
        name = f"{count} × `true` in a workflow, {sandbox}, beside these"
        yield Figure(name=name, values=ratio, unit="×", target=FAN_OUT_RATIO, judged=MEDIAN)
        cpu = pairwise([run.cpu_seconds for run in runs], [run.cpu_seconds for run in bare])
        yield Figure(name="… in processors' time", values=cpu, unit="×")


def looks(*, times: int) -> Iterator[Figure]:
    """One call of `operate` over NODES nodes: the one that makes them, and those that follow."""
    first, one, batch, again = [], [], [], []
    for number in range(times):
        look = _Look(workflows.fan_out(f"looked-at-{number}", NODES))
        first.append(look.take())
        pods = [pod.node_id for pod in look.started]
        again.append(look.take())
        for ident in pods[:20]:
            one.append(look.take(_running(ident)))
            one.append(look.take(_succeeded(ident)))
        for begin in range(20, NODES, _BATCH):
            batch.append(look.take(*[_succeeded(ident) for ident in pods[begin : begin + _BATCH]]))
    yield Figure(name=f"operate, {NODES} nodes: the call that makes them", values=first, target=OPERATE_MS)
    yield Figure(name="… when nothing has happened", values=again, target=OPERATE_MS)
    yield Figure(name="… when one node has changed", values=one, target=OPERATE_MS)
    yield Figure(name=f"… when {_BATCH} nodes have ended", values=batch, target=OPERATE_MS)


class _Look:
    """A workflow that is looked at again and again, its programs only pretended."""

    def __init__(self, workflow: dict[str, Any]) -> None:
        # a copy of its own, so that nothing is remembered of the one before
        self.workflow: dict[str, Any] = json.loads(json.dumps(workflow))
        del self.workflow["spec"]["parallelism"]
        self.status = new_status()
        self.started: list[Pod] = []

    def take(self, *seen: PodStatus) -> float:
        """Milliseconds of one call."""
        began = time.perf_counter()
        decision: Decision = operate.operate(self.workflow, self.status, time.time(), seen)
        took = time.perf_counter() - began
        self.status = decision.status
        self.started += decision.start
        return took * 1e3


def _running(ident: str) -> PodStatus:
    return PodStatus(node_id=ident, phase="Running", started_at=time.time())


def _succeeded(ident: str) -> PodStatus:
    return PodStatus(node_id=ident, phase="Succeeded", exit_code=0, outputs={"exitCode": "0"}, finished_at=time.time())


def tenfold(sandbox: str, count: int) -> Iterator[Figure]:
    """The time of a workflow ten times as large as another one, and what memory its nodes take beside one node's."""
    least, small, large = (workflows.run_alone(sandbox, number) for number in (1, count, 10 * count))
    for run, number in ((small, count), (large, 10 * count)):
        name = f"{number} × `true` in a workflow, {sandbox}"
        yield Figure(name=name, values=[run.seconds], unit="s")
        yield Figure(name="… the engine's memory at its most", values=[run.peak_bytes / 2**20], unit="MiB")
    ratio = large.seconds / small.seconds
    yield Figure(name="ten times as many nodes: time", values=[ratio], unit="×", target=TENFOLD_TIME)
    memory = (large.peak_bytes - least.peak_bytes) / (small.peak_bytes - least.peak_bytes)
    yield Figure(name="ten times as many nodes: memory", values=[memory], unit="×", target=TENFOLD_MEMORY)
