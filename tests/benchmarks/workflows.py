"""The engine alone, without a server: workflows of many small containers, and how long their nodes took.

`python -m tests.benchmarks.workflows SANDBOX COUNT` runs one fan-out and prints its Run as JSON.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestra_engine.engine import Config, Engine
from orchestra_engine.images import ImageTable
from orchestra_engine.workflow import finished

PARALLEL = 2  # containers at a time
BARE = ("-I", "-S", "-c", "pass")  # the smallest Python program
PATIENCE = 1200.0  # s
_TRUE = {"name": "true", "container": {"image": "busybox", "command": ["true"]}}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One workflow: seconds from its submission to its end, of the clock and of processors, and the engine's memory.

    The processors' time is without that of the process that removes scratch folders, which outlives the engine.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True, kw_only=True)
class NodeTimes:
    """When a node's shim had claimed it, and when all that was left to it was to write this; seconds since 1970."""

    started: float
    ended: float

    @property
    def milliseconds(self) -> float:
        """How long the node took."""
        return (self.ended - self.started) * 1e3


def fan_out(name: str, count: int) -> dict[str, Any]:
    """`count` containers that do nothing, as the items of one step's loop."""
    step = {"name": "each", "template": "true", "withSequence": {"count": str(count)}}
    return _workflow(name, {"name": "main", "steps": [[step]]})


def chain(name: str, count: int) -> dict[str, Any]:
    """`count` containers that do nothing, one after the other."""
    steps = [[{"name": f"step-{number}", "template": "true"}] for number in range(count)]
    return _workflow(name, {"name": "main", "steps": steps})


def _workflow(name: str, main: dict[str, Any]) -> dict[str, Any]:
    spec = {"entrypoint": "main", "parallelism": PARALLEL, "templates": [main, _TRUE]}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": name}, "spec": spec}


def run(workflow: dict[str, Any], sandbox: str, folder: Path) -> Run:
    """Run a workflow to its end with an engine below `folder`. Raises SystemExit if it does not succeed."""
    table = ImageTable()
    config = Config(root=folder / "root", repository=folder / "repository", images=table, sandbox=sandbox)
    before, cpu = time.monotonic(), _cpu_seconds()
    engine = Engine(config)
    try:
        name = workflow["metadata"]["name"]
        engine.submit(workflow)
        while not finished((engine.get(name) or {})["status"]):
            engine.poll(timeout=PATIENCE)
            if time.monotonic() > before + PATIENCE:
                raise SystemExit(f"script/benchmark: the workflow {name} took more than {PATIENCE:.0f} s")
        took = time.monotonic() - before
        status = (engine.get(name) or {})["status"]
        if status["phase"] != "Succeeded":
            raise SystemExit(f"script/benchmark: the workflow {name} is {status['phase']}: {status['message']}")
    finally:
        engine.close()
    return Run(seconds=took, cpu_seconds=_cpu_seconds() - cpu, peak_bytes=_peak_bytes())


def node_times(workflow: dict[str, Any], sandbox: str) -> list[NodeTimes]:
    """Run a workflow and say of each of its pods when it started and ended, in order of their starts."""
    with _folder() as folder:
        run(workflow, sandbox, folder)
        return read_times(folder.glob("root/*/nodes/*/exit.json"))


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder for an engine, removed once the shims' copies have emptied its trash."""
    with tempfile.TemporaryDirectory(prefix="orchestra-benchmark-") as name:
        yield Path(name)
        trash, until = Path(name, "root", ".trash"), time.monotonic() + PATIENCE
        while trash.exists() and any(trash.iterdir()) and time.monotonic() < until:
            time.sleep(0.05)


def read_times(files: Iterable[Path]) -> list[NodeTimes]:
    """The times that exit files tell, in order of their starts.

    Both are of the shim's own clock: the time that a file system gives a file may be a timer's tick, 4 ms, too early.
    """
    said = [json.loads(file.read_bytes()) for file in files]
    times = [NodeTimes(started=each["started_at"], ended=each["finished_at"]) for each in said]
    return sorted(times, key=lambda each: each.started)


def gaps(nodes: list[NodeTimes]) -> list[float]:
    """Milliseconds from the end of each node, its exit file still to be written, to the start of the next one."""
    return [(later.started - earlier.ended) * 1e3 for earlier, later in itertools.pairwise(nodes)]


def run_alone(sandbox: str, count: int) -> Run:
    """A fan-out in a process of its own, so that its memory can be told."""
    argv = [sys.executable, "-m", "tests.benchmarks.workflows", sandbox, str(count)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
    return Run(**json.loads(done.stdout))


def bare(count: int) -> Run:
    """As many of the smallest Python programs, PARALLEL at a time, started by `subprocess`."""
    before, cpu = time.monotonic(), _cpu_seconds()
    running: dict[int, subprocess.Popen[bytes]] = {}
    for _ in range(count):
        while len(running) >= PARALLEL:
            _forget_one(running)
        process = subprocess.Popen([sys.executable, *BARE])
        running[process.pid] = process
    while running:
        _forget_one(running)
    return Run(seconds=time.monotonic() - before, cpu_seconds=_cpu_seconds() - cpu, peak_bytes=0)


def _forget_one(running: dict[int, subprocess.Popen[bytes]]) -> None:
    pid, status = os.wait()
    if (process := running.pop(pid, None)) is not None:
        process.returncode = os.waitstatus_to_exitcode(status)


def _cpu_seconds() -> float:
    """Of this process and of all its children that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _peak_bytes() -> int:
    """The most memory that this process has had; getrusage would count what it had before its exec, its parent's."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def main(sandbox: str, count: str) -> None:
    """Run one fan-out and print what it took."""
    with _folder() as folder:
        print(json.dumps(asdict(run(fan_out("fan-out", int(count)), sandbox, folder))))


if __name__ == "__main__":
    main(*sys.argv[1:])
