"""The processes of the testbed: started apart, known by their pid files, ended in order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from script.lib.testbed import CONTAINERD, CTR, RUN, output, say

_ORDER = [
    "argo",
    "kubelet",
    "kube-proxy",
    "coredns",
    "scheduler",
    "controller-manager",
    "apiserver",
    "etcd",
    "buildkitd",
    "s3",
    "registry",
]
_GRACE_SECONDS = 15.0


def start(label: str, *argv: object, env: dict[str, str] | None = None) -> None:
    """Start a process that outlives this one; its log and pid files are named after `label`."""
    with (RUN / f"{label}.log").open("ab") as log:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **(env or {})},
        )
    (RUN / f"{label}.pid").write_text(str(process.pid))


def wait(what: str, ready: Callable[[], bool], *, seconds: float = 90.0) -> None:
    """Wait until something is ready. Raises SystemExit if it never is."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if ready():
            say(f"{what} ready after {time.monotonic() - began:.1f} s")
            return
        time.sleep(0.25)
    raise SystemExit(f"testbed: {what} not ready after {seconds} s; see {RUN}/*.log")


def all_started() -> Iterator[tuple[str, int, bool]]:
    """(label, pid, whether it runs) of everything that was started."""
    for file in sorted(RUN.glob("*.pid")):
        pid = int(file.read_text())
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            state = "Z"
        yield file.stem, pid, state != "Z"


def tell() -> None:
    """Print what runs."""
    for label, pid, alive in all_started():
        print(f"{label:20} {pid:8} {'running' if alive else 'stopped'}")


def down() -> None:
    """End everything that was started, pods included, and unmount what they mounted."""
    alive = {label: pid for label, pid, runs in all_started() if runs}
    for label in _ORDER:
        if label in alive:
            os.kill(alive[label], signal.SIGTERM)
    if "containerd" in alive:
        for task in output(*CTR, "tasks", "ls", "-q").split():
            output(*CTR, "tasks", "rm", "-f", task)
        os.kill(alive["containerd"], signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < deadline and any(runs for *_, runs in all_started()):
        time.sleep(0.2)
    for label, pid, runs in all_started():
        if runs:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        (RUN / f"{label}.pid").unlink(missing_ok=True)
    for line in Path("/proc/self/mounts").read_text().splitlines():
        point = line.split()[1]
        if point.startswith((str(RUN), str(CONTAINERD))):
            output("umount", "-l", point)
