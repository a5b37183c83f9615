"""A bench for the runtime alone: pods are started as the core would start them, with real processes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestra_engine.images import Image, ImageTable, environment
from orchestra_engine.loop import Loop
from orchestra_engine.nodes import Nodes
from orchestra_engine.pod import Container, Kill, Pod, PodStatus
from orchestra_engine.store import Record, Store

PATIENCE = 60.0  # seconds until a test gives up


def table() -> ImageTable:
    """The interpreter that runs the tests as `python:3.11` and as `me`."""
    venv = Path(sys.prefix)
    here = environment(venv) if (venv / "pyvenv.cfg").exists() else Image(path=[Path(sys.executable).parent])
    return ImageTable(entries={"me": here, "python:3.11": here})


def pod(node_id: str = "w-1", *, code: str = "", args: list[str] | None = None, **fields: Any) -> Pod:
    """A pod of one container: Python `code`, or `args` given to sh -c."""
    container: dict[str, Any] = {"name": "main", "image": "me", **fields.pop("container", {})}
    if code:
        container |= {"command": ["python3", "-c"], "args": [code]}
    elif args is not None:
        container |= {"command": ["sh", "-c"], "args": args}
    if "containers" not in fields:
        fields["containers"] = [Container(**container)]
    return Pod(node_id=node_id, node_name=node_id, pod_name=node_id, template="t", **fields)


class Bench:
    """One root with one loop."""

    def __init__(self, root: Path, sandbox: str, *, claim: int = 1, **settings: Any) -> None:
        self.store = Store(root / "root", claim=claim)
        self.store.take()
        self.store.folder("w").mkdir(exist_ok=True)
        self.loop = Loop()
        self.repository = root / "repository"
        self.record = Record(workflow={"metadata": {"name": "w"}})
        self.record.grants = settings.pop("grants", {})
        options: dict[str, Any] = {"limits": {}, "grace": 1.0, "keep_scratch": False, "most": 50, **settings}
        images = options.pop("images", None) or table()
        images.links = root / "links"
        self.nodes = Nodes(
            loop=self.loop, store=self.store, sandbox=sandbox, repository=self.repository, images=images, **options
        )
        self.seen: dict[str, PodStatus] = {}

    def folder(self, node_id: str = "w-1") -> Path:
        return self.store.node_dir("w", node_id)

    def log(self, node_id: str = "w-1") -> str:
        return (self.folder(node_id) / "log").read_text(encoding="utf-8", errors="replace")

    def start(self, *pods: Pod) -> None:
        self._note(self.nodes.bring(self.record, list(pods)))

    def kill(self, node_id: str = "w-1", *, reason: str = "enough", grace: float = 1.0) -> None:
        self.nodes.grace = grace
        order = Kill(node_id=node_id, reason=reason)
        self._note(self.nodes.kill(self.record, [order]))

    def _note(self, found: list[PodStatus]) -> None:
        for each in found:
            self.seen[each.node_id] = each

    def until(self, done: Callable[[], bool]) -> None:
        """Run the loop until `done`."""
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, f"waited too long; seen: {self.seen}"
            events, _ = self.loop.wait(0.05)
            self._note([status for _, status in self.nodes.observe(events)])

    def result(self, node_id: str = "w-1") -> PodStatus:
        """Run the loop until the node has ended."""
        self.until(lambda: node_id in self.seen and self.seen[node_id].phase not in ("Pending", "Running"))
        return self.seen[node_id]

    def run(self, one: Pod) -> PodStatus:
        self.start(one)
        return self.result(one.node_id)

    def until_logged(self, text: str, node_id: str = "w-1") -> None:
        path = self.folder(node_id) / "log"
        self.until(lambda: path.exists() and text in path.read_text(errors="replace"))

    def close(self) -> None:
        self.loop.close()
        self.store.close()


def alive(mark: str) -> list[int]:
    """The processes that have `mark` in their command line."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = Path(entry.path, "cmdline").read_bytes()
                state = Path(entry.path, "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if mark.encode() in line and state != "Z":
                found.append(int(entry.name))
    return found
