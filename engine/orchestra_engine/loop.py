"""The loop's ears and hands: shims to start and to kill, pidfds, timers, wake-up descriptors. It polls nothing.

One epoll waits for everything; only one thread may use a Loop, but any may call `wake`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .sandbox import SPAWNER
from .sandbox.shim import boot_id, start_time
from .sandbox.spawner import MESSAGE_BYTES
from .store import write_atomically

log = logging.getLogger(__name__)

_IN_FLIGHT = 32  # starts that may wait for the spawner's answer at a time


@dataclass(frozen=True)
class Event:
    """`up`: a shim runs for the node of `folder`; `ended`: it has ended."""

    kind: str
    folder: Path


class Loop:
    """Starts, watches and kills shims."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._self_read, self._self_write = os.pipe()
        for fd in (self._self_read, self._self_write):
            os.set_blocking(fd, False)
        self._epoll.register(self._self_read, select.EPOLLIN)
        self._spawner: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._queued: deque[Path] = deque()
        self._asked: deque[Path] = deque()
        self._pidfds: dict[int, Path] = {}
        self._folders: dict[Path, int] = {}

    def close(self) -> None:
        """Let go of everything; shims go on."""
        for fd in self._pidfds:
            os.close(fd)
        self._pidfds.clear()
        self._folders.clear()
        self._drop_spawner()
        if not self._epoll.closed:
            self._epoll.close()
            os.close(self._self_read)
            os.close(self._self_write)

    def wake(self) -> None:
        """Make `wait` return; any thread may call this."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._self_write, b"w")

    def warm_up(self) -> None:
        """Have the spawner ready before the first node is."""
        if self._connection is None:
            self._start_spawner()

    def start(self, folder: Path) -> None:
        """Have a shim started for the node of `folder`; an `up` event follows, later `ended`."""
        self._queued.append(folder)
        self._ask()

    def watch(self, folder: Path) -> bool:
        """Watch a shim that is already there, by what `started` says; False if it does not run any more."""
        if folder in self._folders:
            return True
        try:
            said: dict[str, Any] = json.loads((folder / "started").read_bytes())
        except (OSError, ValueError):
            return False
        if said.get("boot") != boot_id():
            return False
        try:
            pidfd = os.pidfd_open(int(said["pid"]))
        except (OSError, KeyError, ValueError):
            return False
        if start_time(int(said["pid"])) != said.get("start"):
            os.close(pidfd)
            return False
        self._add(folder, pidfd)
        return True

    def kill(self, folder: Path, *, reason: str, grace: float) -> None:
        """Ask the shim of `folder` to end its node: SIGTERM, and after `grace` seconds SIGKILL, for the whole tree."""
        order = {"reason": reason, "grace": grace}
        try:
            write_atomically(folder / "kill", json.dumps(order).encode(), sync=False)
        except OSError as error:
            log.warning("the reason why %s is ended cannot be written: %s", folder, error)
        self.terminate(folder)

    def terminate(self, folder: Path) -> None:
        """Send SIGTERM to the shim of `folder`, if it runs."""
        pidfd = self._folders.get(folder)
        if pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGTERM)
                signal.pidfd_send_signal(pidfd, signal.SIGCONT)  # a program in the plain sandbox may have stopped it

    def wait(self, timeout: float | None, wake: Sequence[int] = ()) -> tuple[list[Event], bool]:
        """Sleep until something happens or `timeout` seconds went by: (events, a descriptor of `wake` is readable).

        Neither reads from nor closes the descriptors of `wake`.
        """
        foreign = set(wake)
        for fd in foreign:
            self._epoll.register(fd, select.EPOLLIN)
        try:
            ready = self._epoll.poll(None if timeout is None else max(0.0, timeout), 256)
        finally:
            for fd in foreign:
                self._epoll.unregister(fd)
        events: list[Event] = []
        woken = False
        for fd, _ in ready:
            if fd in self._pidfds:
                events.append(Event("ended", self._remove(fd)))
            elif fd == self._self_read:
                woken = True
                with contextlib.suppress(BlockingIOError):
                    os.read(fd, 4096)
            elif self._connection is not None and fd == self._connection.fileno():
                events += self._answers()
            elif fd in foreign:
                woken = True
        return events, woken

    def _add(self, folder: Path, pidfd: int) -> None:
        self._pidfds[pidfd] = folder
        self._folders[folder] = pidfd
        self._epoll.register(pidfd, select.EPOLLIN)

    def _remove(self, pidfd: int) -> Path:
        folder = self._pidfds.pop(pidfd)
        del self._folders[folder]
        self._epoll.unregister(pidfd)
        os.close(pidfd)
        return folder

    def _ask(self) -> None:
        while self._queued and len(self._asked) < _IN_FLIGHT:
            if self._connection is None:
                self._start_spawner()
            assert self._connection is not None
            try:
                self._connection.send(os.fsencode(self._queued[0]))
            except BlockingIOError:
                return
            except OSError:
                self._restart_spawner()
                continue
            self._asked.append(self._queued.popleft())

    def _start_spawner(self) -> None:
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._spawner = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SPAWNER), str(its.fileno())],
                pass_fds=[its.fileno()],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                cwd="/",
            )
        mine.setblocking(False)
        self._connection = mine
        self._epoll.register(mine.fileno(), select.EPOLLIN)

    def _drop_spawner(self) -> None:
        if self._connection is not None:
            self._epoll.unregister(self._connection.fileno())
            self._connection.close()
            self._connection = None
        if self._spawner is not None:
            try:
                self._spawner.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._spawner.kill()
                self._spawner.wait()
            self._spawner = None

    def _restart_spawner(self) -> None:
        """The spawner is gone: ask a new one. What it had been asked may run already; `started` lets none run twice."""
        self._drop_spawner()
        self._queued.extendleft(reversed(self._asked))
        self._asked.clear()

    def _answers(self) -> list[Event]:
        events: list[Event] = []
        while self._connection is not None:
            try:
                message, fds, _, _ = socket.recv_fds(self._connection, MESSAGE_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                break
            except OSError:
                message, fds = b"", []
            if not message:
                self._restart_spawner()
                break
            folder = Path(os.fsdecode(message))
            with contextlib.suppress(ValueError):
                self._asked.remove(folder)
            if fds and folder not in self._folders:
                self._add(folder, fds[0])
                events.append(Event("up", folder))
                if (folder / "kill").exists():
                    with contextlib.suppress(ProcessLookupError):
                        signal.pidfd_send_signal(fds[0], signal.SIGTERM)
            else:
                for fd in fds:
                    os.close(fd)
        self._ask()
        return events
