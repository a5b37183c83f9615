"""What is asked of a workflow that has not ended, and which of its nodes are meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestra.desk import DeskError
from orchestra.workflow.tree import Json, is_suspended


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be done: stop, terminate, suspend, resume or set.

    `node` or `selector` say to which suspended nodes; the rest is what they get.
    """

    what: str
    node: str = ""
    selector: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    phase: str = ""
    message: str = ""

    def of(self, workflow: Json) -> dict[str, Any]:
        """The request as the engine's process gets it. Raises DeskError if it means no suspended node."""
        more: dict[str, Any] = {}
        if self.node or self.selector:
            more["nodes"] = self._waiting(workflow)
        for key in ("parameters", "phase", "message"):
            if getattr(self, key):
                more[key] = getattr(self, key)
        return more

    def _waiting(self, workflow: Json) -> list[str]:
        nodes = (workflow.get("status") or {}).get("nodes") or {}
        waiting = {i: n for i, n in nodes.items() if is_suspended(n)}
        if self.selector:
            meant = select(waiting, self.selector)
        else:
            meant = [i for i, n in waiting.items() if self.node in (i, n.get("name"), n.get("displayName"))]
        if not meant:
            there = ", ".join(str(node.get("displayName")) for node in waiting.values()) or "none"
            name = workflow["metadata"]["name"]
            wanted = f"--node-field-selector {self.selector}" if self.selector else self.node
            raise DeskError(f"no suspended node of {name} is meant by {wanted} (there is: {there})")
        return meant


def select(nodes: Mapping[str, Json], selector: str) -> list[str]:
    """The ids of the nodes that a field selector means. Raises DeskError if it cannot be read."""
    from orchestra_engine.operate.selectors import BadSelector, selected

    try:
        return selected(nodes, selector)
    except BadSelector as error:
        raise DeskError(f"--node-field-selector: {error}") from None
