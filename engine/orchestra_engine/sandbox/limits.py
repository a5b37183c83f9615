"""Limits of a container: rlimits of each process, and a watch over the memory and number of the whole tree.

RLIMIT_AS is never set: programs reserve far more than they use. RLIMIT_DATA is above the limit, because it too counts
what is only reserved; it stops what grows faster than the watch looks.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..artifacts import human

WATCH_SECONDS = 0.1
_RESERVED = 256 * 1024 * 1024  # bytes that a program may reserve above its memory limit
_NO_MEMORY = (b"MemoryError", b"Cannot allocate memory", b"bad_alloc", b"ut of memory")  # what programs say then
_PAGE = resource.getpagesize()


def rlimits(limits: Mapping[str, int], memory: int | None) -> dict[int, int]:
    """resource.RLIMIT_… → value, for a container. cpu_seconds in seconds, file_bytes and memory in bytes."""
    result = {}
    if limits.get("cpu_seconds"):
        result[resource.RLIMIT_CPU] = int(limits["cpu_seconds"])
    if limits.get("file_bytes"):
        result[resource.RLIMIT_FSIZE] = int(limits["file_bytes"])
    if memory:
        result[resource.RLIMIT_DATA] = memory + _RESERVED
    return result


def descendants(pid: int, *, most: int | None = None) -> list[int]:
    """The processes below `pid`, children before grandchildren (Linux: /proc; elsewhere nothing).

    With `most` no further ones are looked for once there are that many: what multiplies is not chased.
    """
    found: list[int] = []
    pending = [pid]
    while pending and (most is None or len(found) < most):
        for child in _children(pending.pop()):
            found.append(child)
            pending.append(child)
    return found


def _children(pid: int) -> Iterable[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    result: list[int] = []
    for thread in threads:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", encoding="utf-8") as text:
            result += map(int, text.read().split())
    return result


def memory_of(pids: Iterable[int], *, exact: bool = False) -> int:
    """Bytes of memory of their own that the processes hold; `exact` divides what they share (and costs more)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            if exact:
                with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as lines:
                    fields = {line.split(":")[0]: line.split()[1] for line in lines if ":" in line}
                total += 1024 * (int(fields.get("Pss_Anon", 0)) + int(fields.get("Pss_Shmem", 0)))
            else:
                with open(f"/proc/{pid}/statm", encoding="utf-8") as text:
                    words = text.read().split()
                total += _PAGE * (int(words[1]) - int(words[2])) + _shared_memory(pid)
    return total


def _shared_memory(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("RssShmem:"):
                return 1024 * int(line.split()[1])
    return 0


def exceeded(top: int, *, memory: int | None, processes: int | None, inclusive: bool) -> tuple[str, str] | None:
    """(limit, text for people) if the tree below `top` (`inclusive`: with it) uses more than it may."""
    found = descendants(top, most=processes + 1 if processes else None)
    pids = [top, *found] if inclusive else found
    if processes and len(pids) > processes:
        return "processes", f"limit of {processes} processes exceeded"
    if memory and memory_of(pids) > memory and memory_of(pids, exact=True) > memory:
        return "memory", f"memory limit of {human(memory)} exceeded"
    return None


def reached(code: int, limits: Mapping[str, int], memory: int | None, log: Path) -> tuple[str, str] | None:
    """(limit, text) if a program that ended with `code` did so because of an rlimit, as far as can be told."""
    cpu, size = limits.get("cpu_seconds"), limits.get("file_bytes")
    if cpu and code == 128 + signal.SIGXCPU:
        return "cpu_seconds", f"limit of {cpu} s of CPU time exceeded"
    if size and code == 128 + signal.SIGXFSZ:
        return "file_bytes", f"limit of {human(size)} for a file exceeded"
    if code == 0:
        return None
    last = tail(log, 4096)
    # a log that is full holds no word of it, and programs that ignore SIGXFSZ end with any code
    if size and (b"File too large" in last or _size(log) >= size):
        return "file_bytes", f"limit of {human(size)} for a file exceeded"
    if memory and any(word in last for word in _NO_MEMORY):
        return "memory", f"memory limit of {human(memory)} exceeded"
    return None


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def tail(file: Path, size: int) -> bytes:
    """The last `size` bytes of a file; nothing if it cannot be read."""
    try:
        with open(file, "rb") as content:
            content.seek(max(0, os.fstat(content.fileno()).st_size - size))
            return content.read(size)
    except OSError:
        return b""
