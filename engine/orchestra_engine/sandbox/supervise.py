"""The containers of one pod while they run: order, logs, results, limits, and the end of every process."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..pod import Container, ContainerStatus
from . import limits, plain, private_root

RESULT_BYTES = 262144  # Argo keeps this much of a result, its end


@dataclass(kw_only=True)
class Tree:
    """One container and its processes."""

    container: Container
    log: Path
    capture: bool = False
    pid: int = 0
    control: int = -1
    report: int = -1
    stdout: int = -1
    said: bytes = b""
    result: bytes = b""
    code: int | None = None
    message: str = ""  # what follows "(exit code N)"
    limit: str = ""
    phase: str = "Pending"
    started_at: float | None = None
    finished_at: float | None = None
    status: int | None = None  # of its first process, from waitpid
    attempt: int = 0
    again_at: float | None = None  # on the monotonic clock, between two attempts

    def as_status(self) -> ContainerStatus:
        """What the core is told of it."""
        text = f"{self.container.name}: Error (exit code {self.code}): {self.message}" if self.code else ""
        return ContainerStatus(
            name=self.container.name,
            phase=self.phase,
            exit_code=self.code,
            message=text,
            started_at=self.started_at,
            finished_at=self.finished_at,
        )


Launch = Callable[[Tree, int, int, int], plain.Running | private_root.Running]  # tree, stdin, stdout, stderr


@dataclass(kw_only=True)
class Supervisor:
    """Runs a pod's containers to their end. Needs: a child subreaper with one thread, SIGCHLD and SIGTERM handled."""

    trees: Sequence[Tree]
    launch: Launch
    rules: Mapping[str, int]  # cpu_seconds, file_bytes, processes
    wakeup: int  # readable when a signal came
    kill_wanted: Callable[[], float | None]  # the grace in seconds once the pod is to be killed
    kill_at: float | None = field(default=None, init=False)

    def run(self) -> None:
        """Start what can start, watch, and return when nothing is left of any container."""
        self._start_ready()
        while any(tree.phase == "Running" for tree in self.trees):
            self._wait()
            self._reap()
            self._kill_if_wanted()
            self._watch_limits()
            self._finish_ended()
            self._start_again()
            self._start_ready()

    def _start_ready(self) -> None:
        ended = {tree.container.name: tree for tree in self.trees if tree.phase not in ("Pending", "Running")}
        waiting = True
        while waiting:
            waiting = False
            for tree in self.trees:
                if tree.phase != "Pending" or not all(name in ended for name in tree.container.dependencies):
                    continue
                bad = next((name for name in tree.container.dependencies if ended[name].code), None)
                if bad is not None:
                    tree.phase, tree.code = "Error", 64
                    tree.message = f'dependency "{bad}" exited with non-zero code: {ended[bad].code}'
                    tree.log.touch()
                elif self.kill_wanted() is not None:
                    tree.phase = "Failed"
                elif tree.container.retry_fault:
                    tree.phase, tree.code, tree.message = "Failed", 64, tree.container.retry_fault
                    tree.log.touch()
                elif not tree.container.attempts:
                    tree.phase, tree.code = "Succeeded", 0  # Argo never starts it, and sees no error
                    tree.started_at = tree.finished_at = time.time()
                    tree.log.touch()
                else:
                    self._start(tree)
                if tree.phase != "Running":
                    ended[tree.container.name] = tree
                    waiting = True

    def _start(self, tree: Tree) -> None:
        stdin = os.open(os.devnull, os.O_RDONLY)
        log = os.open(tree.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        out = log
        if tree.capture:
            tree.stdout, out = os.pipe()
            os.set_blocking(tree.stdout, False)
        tree.started_at, tree.phase = tree.started_at or time.time(), "Running"
        tree.attempt, tree.again_at, tree.status, tree.said = tree.attempt + 1, None, None, b""
        try:
            running = self.launch(tree, stdin, out, log)
        except OSError as error:
            tree.phase, tree.code, tree.message, tree.finished_at = "Error", 64, str(error), time.time()
            if tree.stdout >= 0:
                os.close(tree.stdout)
            return
        finally:
            for fd in {stdin, out, log}:
                os.close(fd)
        tree.pid, tree.report = running.pid, running.report
        if isinstance(running, private_root.Running):
            tree.control = running.control
        os.set_blocking(tree.report, False)

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self.wakeup, select.POLLIN)
        watch = False
        for tree in self.trees:
            if tree.phase == "Running":
                watch = watch or bool(tree.container.memory_bytes or self.rules.get("processes"))
                for fd in (tree.report, tree.stdout):
                    if fd >= 0:
                        poll.register(fd, select.POLLIN)
        timeout = limits.WATCH_SECONDS if watch else None
        for again_at in [tree.again_at for tree in self.trees if tree.again_at is not None]:
            left = max(0.0, again_at - time.monotonic())
            timeout = left if timeout is None else min(timeout, left)
        if self.kill_at is not None:
            left = max(0.0, self.kill_at - time.monotonic())
            timeout = left if timeout is None else min(timeout, left)
        ready = {fd for fd, _ in poll.poll(None if timeout is None else timeout * 1000 + 1)}
        if self.wakeup in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self.wakeup, 512)
        for tree in self.trees:
            if tree.stdout in ready:
                self._drain(tree, once=True)
            if tree.report in ready:
                self._listen(tree)

    def _drain(self, tree: Tree, *, once: bool = False) -> None:
        """Take what the program wrote: into its log, and its end into the result."""
        with open(tree.log, "ab", buffering=0) as log, contextlib.suppress(BlockingIOError):
            while tree.stdout >= 0:
                piece = os.read(tree.stdout, 1 << 16)
                if not piece:
                    os.close(tree.stdout)
                    tree.stdout = -1
                    break
                log.write(piece)
                tree.result = (tree.result + piece)[-(RESULT_BYTES + 1) :]
                if once:
                    break

    def _listen(self, tree: Tree) -> None:
        with contextlib.suppress(BlockingIOError):
            while tree.report >= 0:
                piece = os.read(tree.report, 4096)
                tree.said += piece
                if not piece:
                    os.close(tree.report)
                    tree.report = -1

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                for tree in self.trees:
                    if tree.pid == pid:
                        tree.status = status

    def _kill_if_wanted(self) -> None:
        grace = self.kill_wanted()
        if grace is None:
            return
        for tree in self.trees:
            if tree.again_at is not None:
                tree.phase, tree.again_at = "Failed", None
        if self.kill_at is None:
            self.kill_at = time.monotonic() + grace
            for tree in self._running():
                self._terminate(tree)
        elif time.monotonic() >= self.kill_at:
            for tree in self._running():
                self._kill(tree)

    def _running(self) -> list[Tree]:
        waiting = (tree for tree in self.trees if tree.phase == "Running" and tree.again_at is None)
        return [tree for tree in waiting if tree.status is None]

    def _terminate(self, tree: Tree) -> None:
        if tree.control >= 0:
            with contextlib.suppress(OSError):
                os.write(tree.control, b"T")
            return
        for pid in [tree.pid, *limits.descendants(tree.pid), *self._orphans()]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)

    def _kill(self, tree: Tree) -> None:
        pids = [tree.pid] if tree.control >= 0 else [*limits.descendants(tree.pid), tree.pid]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def _orphans(self) -> list[int]:
        """In the plain sandbox: descendants that belong to no container's first process any more."""
        if any(tree.control >= 0 for tree in self.trees):
            return []
        mine = {tree.pid for tree in self._running()}
        for tree in self._running():
            mine.update(limits.descendants(tree.pid))
        return [pid for pid in limits.descendants(os.getpid()) if pid not in mine]

    def _watch_limits(self) -> None:
        for tree in self._running():
            memory, processes = tree.container.memory_bytes, self.rules.get("processes")
            if tree.limit or not (memory or processes):
                continue
            hit = limits.exceeded(tree.pid, memory=memory, processes=processes, inclusive=tree.control < 0)
            if hit:
                tree.limit, tree.message = hit
                self._kill(tree)

    def _finish_ended(self) -> None:
        for tree in self.trees:
            if tree.phase == "Running" and tree.status is not None and tree.again_at is None:
                if len(self._running()) == 0 and tree.control < 0:
                    end_everything()
                self._listen(tree)
                if tree.stdout >= 0:
                    self._drain(tree)
                self._conclude(tree)

    def _conclude(self, tree: Tree) -> None:
        for fd in (tree.control, tree.report, tree.stdout):
            if fd >= 0:
                os.close(fd)
        tree.report = tree.stdout = -1
        tree.finished_at = time.time()
        status = tree.status or 0
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        said = {}
        for line in tree.said.splitlines():
            said.update(json.loads(line))
        if tree.control >= 0:
            code = said.get("exit", 137 if code == 0 else code)
        tree.phase = "Failed"
        if "unrunnable" in said:
            code, tree.message = 64, said["unrunnable"]
        elif "error" in said:
            code, tree.message, tree.phase = 64, said["error"], "Error"
        elif not tree.limit:
            hit = limits.reached(code, self.rules, tree.container.memory_bytes, tree.log)
            if hit:
                tree.limit, tree.message = hit
        tree.code = code
        if code == 0:
            tree.phase = "Succeeded"
        elif tree.attempt < tree.container.attempts and self._may_again(tree, said):
            tree.phase, tree.message = "Running", ""
            tree.again_at = time.monotonic() + tree.container.retry_seconds

    def _may_again(self, tree: Tree, said: Mapping[str, object]) -> bool:
        """Whether another attempt makes sense: not of what cannot be run, nor when time or a limit ended it."""
        return not {"unrunnable", "error"} & said.keys() and not tree.limit and self.kill_wanted() is None

    def _start_again(self) -> None:
        for tree in self.trees:
            if tree.again_at is not None and time.monotonic() >= tree.again_at:
                self._start(tree)


def end_everything() -> None:
    """Kill every descendant of this subreaper until none is left; also what forks while it is killed."""
    while _have_children():
        pids = limits.descendants(os.getpid())
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        time.sleep(0.002)


def _have_children() -> bool:
    """Whether this process has children, those that have ended taken away."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
