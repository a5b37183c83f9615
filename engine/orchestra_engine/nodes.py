"""The nodes of all workflows on this machine: started, killed and read, each at most once."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .images import ImageTable, UnknownImage
from .loop import Event, Loop
from .pod import Kill, Pod, PodStatus, from_dict
from .removal import remove_tree
from .sandbox import shim
from .sandbox.node import Task
from .store import Record, Store, write_atomically

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Nodes:
    """Carries out what the core decides, and tells what became of it."""

    loop: Loop
    store: Store
    sandbox: str
    repository: Path
    images: ImageTable
    limits: dict[str, int]
    grace: float  # seconds between TERM and KILL
    keep_scratch: bool
    most: int  # nodes at a time
    cgroup: str = ""  # a delegated cgroup v2 that has been divided
    _queue: dict[Path, tuple[Record, Pod]] = field(default_factory=dict, init=False)  # in order
    _unstarted: list[tuple[str, PodStatus]] = field(default_factory=list, init=False)  # what could not be started
    _busy: set[Path] = field(default_factory=set, init=False)

    def bring(self, record: Record, pods: Iterable[Pod]) -> list[PodStatus]:
        """Start the pods that have not been started, watch those that run; returns what is known already.

        Raises LostClaim before anything is started if another engine has the root.
        """
        seen: list[PodStatus] = []
        pods = list(pods)
        if not pods:
            return seen
        name = record.workflow["metadata"]["name"]
        with self.store.fenced():
            for pod in pods:
                folder = self.store.node_dir(name, pod.node_id)
                known = self._known(folder, pod.node_id)
                if known is not None:
                    seen.append(known)
                elif folder not in self._busy:
                    self._queue.setdefault(folder, (record, pod))
            self._start_queued()
        return seen

    def watch(self, record: Record, node_ids: Iterable[str]) -> list[PodStatus]:
        """Watch nodes that were started before by someone; those that were not never will be. What is known already.

        Raises LostClaim if another engine has the root.
        """
        seen: list[PodStatus] = []
        with self.store.fenced():
            for node_id in node_ids:
                folder = self.store.node_dir(record.workflow["metadata"]["name"], node_id)
                known = self._known(folder, node_id)
                if known is None and folder not in self._busy:
                    message = "the node had not been started when its engine was ended, and cannot be any more"
                    known = self._never(folder, PodStatus(node_id=node_id, phase="Error", message=message))
                if known is not None:
                    seen.append(known)
        return seen

    def _known(self, folder: Path, node_id: str) -> PodStatus | None:
        """What is to be told of a node that has been started before; None if it has not."""
        if not (folder / "started").exists():
            return None
        if (folder / "exit.json").exists():
            return self._read(folder, node_id)
        if folder in self._busy:
            return None
        if self.loop.watch(folder):
            self._busy.add(folder)
            return PodStatus(node_id=node_id, phase="Running", started_at=(folder / "started").stat().st_mtime)
        return self._read(folder, node_id)

    def _prepare(self, record: Record, pod: Pod, folder: Path) -> None:
        """Write what the shim has to know. Raises UnknownImage, OSError."""
        _make(folder)
        images = {each.image: self.images.resolve(each.image) for each in pod.containers}
        task = Task(
            pod=vars(pod),
            sandbox=self.sandbox,
            repository=str(self.repository),
            trash=str(self.store.trash),
            images={
                name: {"path": _texts(image.path), "readonly": _texts(image.readonly), "env": image.env}
                for name, image in images.items()
            },
            grant=record.grants.get(pod.grant, {}) if pod.grant else {},
            limits=self.limits,
            grace=self.grace,
            keep_scratch=self.keep_scratch,
            cgroup=self.cgroup,
        )
        # Atomically: a shim that another engine asked for may be reading it.
        write_atomically(folder / "pod.json", json.dumps(task, default=vars).encode(), sync=False)

    def _start_queued(self) -> None:
        while self._queue and len(self._busy) < self.most:
            folder = next(iter(self._queue))
            record, pod = self._queue.pop(folder)
            try:
                self._prepare(record, pod, folder)
            except (UnknownImage, OSError) as error:
                message = f"the node could not be started: {error}" if isinstance(error, OSError) else str(error)
                failed = self._never(folder, PodStatus(node_id=pod.node_id, phase="Error", message=message))
                self._unstarted.append((folder.parent.parent.name, failed))
                self.loop.wake()
                continue
            self._busy.add(folder)
            self.loop.start(folder)

    def kill(self, record: Record, kills: Iterable[Kill]) -> list[PodStatus]:
        """Have nodes ended; returns the status of those that had not been started (and never will be)."""
        seen: list[PodStatus] = []
        for each in kills:
            folder = self.store.node_dir(record.workflow["metadata"]["name"], each.node_id)
            self._queue.pop(folder, None)
            if folder not in self._busy:
                ended = PodStatus(
                    node_id=each.node_id,
                    phase="Failed",
                    message=each.reason,
                    killed=each.reason,
                    finished_at=time.time(),
                )
                # Without its folder nobody can start it, and only who has the root's highest claim makes folders.
                seen.append(self._never(folder, ended) if folder.exists() else ended)
            if folder in self._busy and not (folder / "kill").exists():
                self.loop.kill(folder, reason=each.reason, grace=self.grace)
        return seen

    def abandon(self, workflow: Path) -> None:
        """End whatever runs below a workflow's folder that is not there any more."""
        self._queue = {folder: each for folder, each in self._queue.items() if workflow not in folder.parents}
        for folder in self._busy:
            if workflow in folder.parents:
                self.loop.terminate(folder)

    def _never(self, folder: Path, status: PodStatus) -> PodStatus:
        """End a node that was not started, so that nobody can start it any more; if somebody has, how it stands."""
        status = replace(status, finished_at=time.time())
        try:
            _make(folder)
            if not shim.claim(folder):
                return self._known(folder, status.node_id) or status
            write_atomically(folder / "exit.json", json.dumps(asdict(status)).encode(), sync=False)
        except OSError as error:
            log.warning("the end of %s cannot be written: %s", folder, error)
        return status

    def observe(self, events: Iterable[Event]) -> Iterator[tuple[str, PodStatus]]:
        """What the loop's events mean: (workflow's name, status of a node)."""
        for event in events:
            name, node_id = event.folder.parent.parent.name, event.folder.name
            if event.kind == "up":
                yield name, PodStatus(node_id=node_id, phase="Running", started_at=time.time())
                continue
            if not (event.folder / "exit.json").exists() and self.loop.watch(event.folder):
                continue  # this shim ended because another one has the node
            self._busy.discard(event.folder)
            yield name, self._read(event.folder, node_id)
        with self.store.fenced():
            self._start_queued()
        unstarted, self._unstarted = self._unstarted, []
        yield from unstarted

    def _read(self, folder: Path, node_id: str) -> PodStatus:
        """How a node ended that does not run any more. What its shim, if that was killed, left is removed."""
        status = self._ended(folder, node_id)
        self._discard(folder / "scratch")
        return status

    def _ended(self, folder: Path, node_id: str) -> PodStatus:
        for attempt in range(2):
            try:
                return from_dict(PodStatus, json.loads((folder / "exit.json").read_bytes()))
            except FileNotFoundError:
                if attempt == 0:
                    end_leftovers(folder / "scratch")
            except (ValueError, TypeError) as error:
                return PodStatus(
                    node_id=node_id, phase="Error", message=f"the node's exit.json cannot be read: {error}"
                )
        reason = "the process that watched it was killed, or the machine was restarted"
        with contextlib.suppress(OSError):
            if os.statvfs(folder).f_bavail == 0:
                reason = "the disk is full"
        return PodStatus(
            node_id=node_id,
            phase="Error",
            message=f"the node ended without a result: {reason}",
            finished_at=time.time(),
        )

    def _discard(self, scratch: Path) -> None:
        """Remove what a shim that was killed had to leave, without keeping the engine waiting."""
        if not self.keep_scratch and scratch.exists():
            there = self.store.trash / f"{os.getpid()}-{time.time_ns()}"
            with contextlib.suppress(OSError):
                self.store.trash.mkdir(exist_ok=True)
                os.rename(scratch, there)
                threading.Thread(target=remove_tree, args=(there,), daemon=True).start()


def end_leftovers(scratch: Path) -> None:
    """Kill the processes that a shim which was killed left in the plain sandbox: those whose TMPDIR is in `scratch`."""
    mark = f"\0TMPDIR={scratch}/".encode()
    for entry in os.scandir("/proc") if os.path.isdir("/proc/self") else ():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark in b"\0" + Path(entry.path, "environ").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)


def _make(folder: Path) -> None:
    """Make a node's folder; not that of its workflow, which somebody may have removed. Raises OSError."""
    folder.parent.mkdir(exist_ok=True)
    folder.mkdir(exist_ok=True)


def _texts(paths: Iterable[Any]) -> list[str]:
    return [str(path) for path in paths]
