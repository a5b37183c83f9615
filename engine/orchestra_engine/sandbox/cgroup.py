"""Limits by cgroup v2, where systemd (or whoever rules the machine) has delegated one to this process.

Files and their formats: Linux's Documentation/admin-guide/cgroup-v2.rst; the mark `user.delegate`:
systemd.resource-control(5).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from ..pod import Container

OURS = "orchestra-engine"  # the leaf for the engine's own processes: only leaves may hold any
_CONTROLLERS = ("cpu", "memory", "pids")
_OVERHEAD = 3  # processes of a node that are not the manifest's: the shim, the root's init, one while it starts
_PERIOD = 100_000  # microseconds


def own(mounts: Path = Path("/proc/self/mountinfo"), mine: Path = Path("/proc/self/cgroup")) -> Path | None:
    """The cgroup v2 of this process as a folder; None if the machine has none."""
    try:
        inside = next(line[3:] for line in mine.read_text().splitlines() if line.startswith("0::"))
        for line in mounts.read_text().splitlines():
            fields, _, kind = line.partition(" - ")
            if kind.startswith("cgroup2 "):
                return Path(fields.split()[4] + inside.rstrip("/"))
    except (OSError, StopIteration):
        pass
    return None


def delegated(folder: Path | None) -> Path | None:
    """The cgroup at `folder`, or the one around it if it is `OURS`, if it was given to us to divide."""
    if folder is None:
        return None
    base = folder.parent if folder.name == OURS else folder
    try:
        if os.getxattr(base, "user.delegate") != b"1":
            return None
        available = (base / "cgroup.controllers").read_text().split()
    except (OSError, AttributeError):
        return None
    return base if {"memory", "pids"} <= set(available) else None


def divide(base: Path) -> bool:
    """Move what runs in `base` to the leaf `OURS` and let the children have controllers; False if that is refused."""
    try:
        (base / OURS).mkdir(exist_ok=True)
        for pid in (base / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                (base / OURS / "cgroup.procs").write_text(pid)
        available = (base / "cgroup.controllers").read_text().split()
        (base / "cgroup.subtree_control").write_text(" ".join(f"+{each}" for each in _CONTROLLERS if each in available))
    except OSError:
        return False
    return True


class Group:
    """The cgroup of one node."""

    def __init__(self, base: Path, name: str) -> None:
        self.base, self.folder = base, base / name

    def enter(self, containers: Sequence[Container], processes: int | None) -> None:
        """Make the group with the sums of its containers' limits and put this process into it. Raises OSError."""
        self.folder.mkdir(exist_ok=True)
        memory = [each.memory_bytes for each in containers]
        if all(memory):
            self._write("memory.max", str(sum(each or 0 for each in memory)))
            self._write("memory.swap.max", "0")
        cpus = [each.cpu for each in containers]
        if all(cpus):
            self._write("cpu.max", f"{max(1000, int(sum(each or 0 for each in cpus) * _PERIOD))} {_PERIOD}")
        if processes:
            self._write("pids.max", str(processes + _OVERHEAD * len(containers)))
        (self.folder / "cgroup.procs").write_text("0")

    def _write(self, name: str, value: str) -> None:
        if (self.folder / name).exists():
            (self.folder / name).write_text(value)

    def out_of_memory(self) -> bool:
        """Has the kernel killed a process of the group for want of memory?"""
        with contextlib.suppress(OSError, ValueError):
            for line in (self.folder / "memory.events").read_text().splitlines():
                name, value = line.split()
                if name == "oom_kill":
                    return int(value) > 0
        return False

    def leave(self) -> None:
        """Go back to the engine's leaf and remove the group."""
        with contextlib.suppress(OSError):
            (self.base / OURS / "cgroup.procs").write_text("0")
            self.folder.rmdir()
