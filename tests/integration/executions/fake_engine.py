"""An engine that walks Workflows through their whole life as a test tells it, with the real protocol and logs."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from app.engines.local import LocalReader
from app.engines.protocol import Fault, Grant, LostClaim, Observation, Refused


class World:
    """What outlives a controller: the Workflows that the engine has, and the highest claim that it has seen."""

    def __init__(self) -> None:
        self.workflows: dict[str, dict[str, Any]] = {}
        self.submitted: list[str] = []
        self.grants: dict[str, Mapping[str, Grant]] = {}
        self.templates: dict[str, Mapping[str, dict[str, Any]]] = {}
        self.cancelled: list[tuple[str, bool]] = []
        self.resumed: list[tuple[str, str, dict[str, str]]] = []
        self.changed: set[str] = set()
        self.refuse: list[Fault] = []
        self.claim = 0
        self.read, self.write = os.pipe()
        os.set_blocking(self.read, False)

    def engine(self, claim: int) -> FakeEngine:
        """What a controller opens under its claim."""
        if claim < self.claim:
            raise LostClaim("a later controller has the root")
        self.claim = claim
        return FakeEngine(self, claim)

    def node(self, name: str, *, template: str = "predict", **values: Any) -> None:
        """Set a program's node, and with it the root's."""
        status = self.workflows[name]["status"]
        node = {
            "id": f"{name}-1",
            "name": f"{name}.{template}",
            "displayName": template,
            "templateName": template,
            "type": "Pod",
            "startedAt": _now(),
            **values,
        }
        status["nodes"][f"{name}-{template}"] = node
        self._touch(name)

    def start(self, name: str, *, log: bytes = b"", template: str = "predict") -> None:
        """Let the program start, and write its log."""
        self.workflows[name]["status"]["phase"] = "Running"
        self.node(name, template=template, phase="Running")
        folder = Path(settings.WORKFLOWS_DIR, name, "nodes", f"{name}-{template}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log").write_bytes(log)

    def end(
        self, name: str, *, phase: str = "Succeeded", message: str = "", code: int = 0, template: str = "predict"
    ) -> None:
        """Let the program end, and the Workflow with it."""
        self.node(
            name, template=template, phase=phase, message=message, finishedAt=_now(), outputs={"exitCode": str(code)}
        )
        status = self.workflows[name]["status"]
        status["nodes"][name] = {"id": name, "name": name, "displayName": name, "type": "DAG", "phase": phase}
        status.update(phase=phase, message=message, finishedAt=_now())
        self._touch(name)

    def stopped(self, name: str) -> None:
        """Let the program die of a Stop, as Argo words it."""
        self.node(name, phase="Failed", message="workflow shutdown with strategy:  Stop", finishedAt=_now())
        self.workflows[name]["status"].update(phase="Failed", message="Stopped with strategy 'Stop'", finishedAt=_now())
        self._touch(name)

    def vanish(self, name: str) -> None:
        """Let somebody delete the Workflow by hand."""
        del self.workflows[name]
        self._touch(name)

    def _touch(self, name: str) -> None:
        self.changed.add(name)
        os.write(self.write, b"c")


class FakeEngine(LocalReader):
    """One controller's hold on a `World`."""

    capacity: int | None = 4

    def __init__(self, world: World, claim: int) -> None:
        self.world = world
        self.claim = claim

    def _check(self) -> None:
        if self.world.claim > self.claim:
            raise LostClaim("a later controller has the root")

    def submit(
        self,
        workflow: dict[str, Any],
        *,
        grants: Mapping[str, Grant] | None = None,
        templates: Mapping[str, dict[str, Any]] | None = None,
    ) -> str:
        self._check()
        if self.world.refuse:
            raise Refused(self.world.refuse)
        name = workflow["metadata"]["name"]
        self.world.submitted.append(name)
        self.world.grants[name] = grants or {}
        self.world.templates[name] = templates or {}
        if name not in self.world.workflows:
            self.world.workflows[name] = {**workflow, "status": {"phase": "", "nodes": {}}}
        return f"uid-{name}"

    def cancel(self, *, name: str, terminate: bool) -> None:
        self._check()
        self.world.cancelled.append((name, terminate))

    def resume(self, *, name: str, node_id: str, parameters: Mapping[str, str]) -> None:
        self._check()
        self.world.resumed.append((name, node_id, dict(parameters)))

    def get(self, *, name: str) -> Observation:
        there = self.world.workflows.get(name)
        return Observation(name=name, uid=f"uid-{name}", status=there["status"] if there else None)

    def delete(self, *, name: str) -> None:
        self._check()
        self.world.workflows.pop(name, None)

    def poll(self, *, timeout: float | None, wake: Sequence[int] = ()) -> list[Observation]:
        self._check()
        if not self.world.changed:
            select.select([self.world.read, *wake], [], [], timeout)
        with contextlib.suppress(BlockingIOError):
            os.read(self.world.read, 4096)
        changed, self.world.changed = self.world.changed, set()
        return [self.get(name=name) for name in sorted(changed)]

    def close(self) -> None:
        """Nothing is held."""


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
