"""The shim: one small detached process for each node.

It claims the node (`started`), lays its inputs, runs its containers in a sandbox, takes their outputs and says how it
ended in `exit.json`, atomically. It needs nobody: it outlives the loop that asked for it.

Files of a node's folder: `pod.json` (a Task, from the loop), `started` ({boot, pid, start}), `log` or `log.CONTAINER`,
`kill` ({reason, grace}, written before SIGTERM is sent), `exit.json` (a PodStatus), `scratch/`.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import time
import traceback
from dataclasses import asdict
from pathlib import Path

from ..pod import PodStatus
from ..removal import remove_tree
from . import linux, sweeper
from .node import Node
from .supervise import end_everything

_RESERVE = 4096  # bytes kept free for exit.json, so that a full disk can still be told of


@functools.cache
def boot_id() -> str:
    """Which boot of the machine this is; empty where the kernel does not say."""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as text:
        return text.read().strip()
    return ""


def start_time(pid: int) -> str:
    """When process `pid` started, in the kernel's ticks since boot; empty if there is no such process."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as text:
        return text.read().rpartition(")")[2].split()[19]
    return ""


@functools.lru_cache(maxsize=1)
def _stamp(pid: int) -> bytes:
    return json.dumps({"boot": boot_id(), "pid": pid, "start": start_time(pid)}).encode()


def claim(folder: Path) -> bool:
    """Create `started`, whole, if nobody has: the right to run this node. False if somebody has."""
    mine = f"{folder}/started.{os.getpid()}"
    try:
        fd = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        os.write(fd, _stamp(os.getpid()))
        os.close(fd)
        os.link(mine, f"{folder}/started")
    except FileExistsError:
        return False
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(mine)
    return True


def get_ready() -> None:
    """What a shim can do before it knows its node: leave its maker's session and keys, know who it is."""
    os.setsid()
    linux.become_subreaper()
    linux.leave_keyring()
    _stamp(os.getpid())


def run(folder: Path, *, orders: int) -> None:
    """Run the node of `folder` in this process, which is ready, has one thread and SIGTERM blocked.

    `orders` is the sweeper's pipe.
    """
    if not claim(folder):
        return
    reserve = os.open(folder / "exit.json.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    with contextlib.suppress(OSError, AttributeError):
        os.posix_fallocate(reserve, 0, _RESERVE)
    node = None
    try:
        node = Node(folder)
        status = node.run()
    except Exception:
        end_everything()
        node_id = folder.name if node is None else node.pod.node_id
        text = f"the shim failed: {traceback.format_exc(limit=-3)}"
        status = PodStatus(node_id=node_id, phase="Error", message=text, finished_at=time.time())
    if node is not None:
        node.leave_group()
    _write_exit(folder, reserve, status, orders)
    if node is not None and not node.task.keep_scratch:
        _discard(node.scratch, Path(node.task.trash), orders)


def _write_exit(folder: Path, fd: int, status: PodStatus, orders: int) -> None:
    """Say how the node ended, whole or not at all. The sweeper has it brought to the disk."""
    try:
        _write_padded(fd, status)
    except OSError as error:
        os.ftruncate(fd, _RESERVE)
        small = PodStatus(
            node_id=status.node_id,
            phase="Error",
            message=f"no room for the node's result on the disk of {folder}: {error}"[: _RESERVE // 4],
            exit_code=status.exit_code,
            started_at=status.started_at,
            finished_at=status.finished_at,
            killed=status.killed[: _RESERVE // 4],
        )
        _write_padded(fd, small)
    os.rename(folder / "exit.json.new", folder / "exit.json")
    if not sweeper.order(orders, sweeper.SYNC, folder / "exit.json"):
        os.fsync(fd)
    os.close(fd)


def _write_padded(fd: int, status: PodStatus) -> None:
    """Write a status as JSON, with blanks after it up to what was reserved: to cut a file costs more than they do."""
    data = json.dumps(asdict(status)).encode().ljust(_RESERVE)
    if os.pwrite(fd, data, 0) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _discard(scratch: Path, trash: Path, orders: int) -> None:
    """Have a scratch folder removed without keeping anyone waiting; here, if the sweeper is gone or cannot keep up."""
    there = trash / f"{os.getpid()}-{time.time_ns()}"
    try:
        trash.mkdir(exist_ok=True)
        os.rename(scratch, there)
    except OSError:  # no room for another name, or an engine that starts is emptying the trash
        there = scratch
    if not sweeper.order(orders, sweeper.REMOVE, there):
        remove_tree(there)
