"""Where workflows are kept: a folder for each, as the cluster is Argo's.

```
<root>/claim                          the highest claim that was ever made on this root
<root>/<workflow>/workflow.json       {claim, version, grants, workflow: object and status}, replaced atomically
<root>/<workflow>/nodes/<id>/         a node's log, exit file and scratch folder (see sandbox/shim.py)
<root>/configmaps, <root>/secrets     *.yaml, *.yml or *.json that stand for the cluster's objects
```
A writer whose claim is lower than the root's cannot write: every write happens under a shared lock of `claim`, and
raising the claim takes the exclusive one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .removal import remove_tree
from .workflow import bad_name

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_RESERVED = ("artifacts", "claim", "configmaps", "images.json", "secrets", "workflowtemplates")


class LostClaim(Exception):
    """Someone with a higher claim has taken over the root; this process must write and start nothing more."""


class Gone(LookupError):
    """Somebody has removed the workflow's folder."""


class BadName(ValueError):
    """A workflow's or node's name that is no RFC 1123 subdomain, or one that the folder needs itself."""


@dataclass(kw_only=True)
class Record:
    """A workflow as it is kept. `version` grows with each change of its status."""

    workflow: dict[str, Any]
    version: int = 0
    claim: int = 0
    grants: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        """The workflow's uid; empty if it has none."""
        return str(self.workflow["metadata"].get("uid", ""))


def write_atomically(path: Path, data: bytes, *, sync: bool) -> None:
    """Replace `path` whole or not at all; `sync` waits until it is on the disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as out:
            out.write(data)
            out.flush()
            if sync:
                os.fsync(fd)
        os.rename(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Store:
    """The folder of all workflows, under one claim. Reading needs no claim."""

    def __init__(self, root: Path, *, claim: int = 0) -> None:
        self.root = root
        self.claim = claim
        self._fence = -1

    def take(self) -> None:
        """Make the claim known. Raises LostClaim if the root has a higher one."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._fence < 0:
            self._fence = os.open(self.root / "claim", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fence, fcntl.LOCK_EX)
        try:
            if self._highest() > self.claim:
                raise LostClaim(self._lost())
            os.pwrite(self._fence, f"{self.claim:20d}\n".encode(), 0)
            os.fsync(self._fence)
        finally:
            fcntl.flock(self._fence, fcntl.LOCK_UN)

    def _highest(self) -> int:
        return int(os.pread(self._fence, 64, 0).strip() or 0)

    def _lost(self) -> str:
        return f"{self.root} was taken over with claim {self._highest()}; this process has claim {self.claim}"

    @contextlib.contextmanager
    def fenced(self) -> Iterator[None]:
        """While this holds nobody can raise the claim. Raises LostClaim if somebody has."""
        if self._fence < 0:
            self.take()
        fcntl.flock(self._fence, fcntl.LOCK_SH)
        try:
            if self._highest() > self.claim:
                raise LostClaim(self._lost())
            yield
        finally:
            fcntl.flock(self._fence, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the root."""
        if self._fence >= 0:
            os.close(self._fence)
            self._fence = -1

    def folder(self, name: str) -> Path:
        """A workflow's folder. Raises BadName."""
        if wrong := bad_name(name):
            raise BadName(f'metadata.name: Invalid value: "{name[:100]}": {wrong}')
        if name in _RESERVED:
            raise BadName(f"metadata.name: {name!r} is a name that the folder of workflows needs itself")
        return self.root / name

    def node_dir(self, name: str, node_id: str) -> Path:
        """A node's folder. Raises BadName."""
        if bad_name(node_id):
            raise BadName(f"{node_id!r} is no node's id")
        return self.folder(name) / "nodes" / node_id

    def log_path(self, name: str, node_id: str, container: str = "") -> Path:
        """A node's log; of a containerSet's node that of `container`. Raises BadName."""
        if container and not _LABEL.fullmatch(container):
            raise BadName(f"{container!r} is no container's name")
        return self.node_dir(name, node_id) / (f"log.{container}" if container else "log")

    def names(self) -> list[str]:
        """The workflows that are there, sorted."""
        try:
            entries = sorted(entry.name for entry in os.scandir(self.root))
        except FileNotFoundError:
            return []
        return [name for name in entries if not bad_name(name) and (self.root / name / "workflow.json").exists()]

    def load(self, name: str) -> Record | None:
        """A workflow as it was last written; None if there is none. Raises BadName."""
        try:
            data = json.loads((self.folder(name) / "workflow.json").read_bytes())
        except FileNotFoundError:
            return None
        return Record(**data)

    def create(self, record: Record) -> None:
        """Write a workflow that is new, and wait until it is on the disk. Raises LostClaim, BadName, OSError."""
        folder = self.folder(record.workflow["metadata"]["name"])
        with self.fenced():
            folder.mkdir(exist_ok=True)
            self._write(folder, record, sync=True)
            sync_folder(self.root)

    def save(self, record: Record, *, sync: bool) -> None:
        """Write a workflow again.

        Raises LostClaim, BadName, Gone if somebody has removed its folder, OSError (the old file is then still there).
        """
        folder = self.folder(record.workflow["metadata"]["name"])
        with self.fenced():
            if not (folder / "workflow.json").exists():
                raise Gone(f"{folder} is gone")
            self._write(folder, record, sync=sync)

    def _write(self, folder: Path, record: Record, *, sync: bool) -> None:
        record.claim = self.claim
        data = json.dumps(record.__dict__, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        write_atomically(folder / "workflow.json", data, sync=sync)

    def delete(self, name: str) -> None:
        """Remove a workflow and all its nodes' files. Raises LostClaim, BadName."""
        folder = self.folder(name)
        with self.fenced(), contextlib.suppress(FileNotFoundError):
            doomed = folder.with_name(f".deleted-{name}-{os.getpid()}")
            os.rename(folder, doomed)
        remove_tree(self.root / f".deleted-{name}-{os.getpid()}")

    @property
    def trash(self) -> Path:
        """Where scratch folders go to be removed."""
        return self.root / ".trash"

    def empty_trash(self) -> None:
        """Remove what a crash left half removed."""
        for left in [self.trash, *self.root.glob(".deleted-*")]:
            remove_tree(left)
