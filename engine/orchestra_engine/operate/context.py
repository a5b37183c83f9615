"""One call of operate: the new status while it is made, and the commands it will give.

The status given is never changed: a node is copied when it is first written. What has to be known besides Argo's own
fields lives under `status.orchestra`:

live       node id of a pod → {s: when it started, k: why it was killed, o: declared outputs}
due        node id of a pod → when its time is over
waits      node id of a suspended node → {until: when it goes on by itself}
queue      node id ("" is the workflow) → the lock it waits for
backoff    id of a Retry node → when its next attempt may start
counts     boundary id → [active children, unsuccessful children, active pods, nodes not final]
sum        [done, total] of the progress
said       what shutdown, suspend and the deadline were at the last call
groups     id of a step group, task group or dag → {n: next item to make (None: all are made), open: what has not ended}
held       holder ("" is the workflow) → locks it holds
ends       attempt id → when it ended
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from orchestra_engine.pod import Kill, Pod
from orchestra_engine.workflow import FINAL, node_id

STEP_DEADLINE = "Step exceeded its deadline"
WORKFLOW_ENDED = "the workflow has ended"
_CHILDREN = ("Pod", "Steps", "DAG")
_COUNTED = ("Pod", "Container", "Suspend")
MAX_NODES = 50_000
_DONE = ("Succeeded", "Skipped", "Omitted")


class NodeError(Exception):
    """A node could not be made or run; `node` is the node that says so, if there is one."""

    def __init__(self, message: str, node: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message, self.node = message, node


class AttemptError(NodeError):
    """An attempt is wrong in itself, and its Retry node makes no other."""


class Hopeless(Exception):
    """The workflow as a whole cannot go on: templates that refer to each other without end, or too many nodes."""


class Blocked(Exception):
    """A limit of parallelism holds the node back; it is tried again when something ends."""


def rfc3339(seconds: float) -> str:
    """A time as Argo writes it: UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str | None) -> float:
    """The seconds since 1970 of an RFC 3339 time; 0 of none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def is_final(node: Mapping[str, Any] | None) -> bool:
    """Whether a node has come to an end."""
    return node is not None and node["phase"] in FINAL


def failed(node: Mapping[str, Any]) -> bool:
    """Failed or Error."""
    return node["phase"] in ("Failed", "Error")


def completed(node: Mapping[str, Any]) -> bool:
    """Final after having run: neither skipped nor omitted."""
    return node["phase"] in ("Succeeded", "Failed", "Error")


def _weights(node: Mapping[str, Any]) -> tuple[int, int, int, int, int, int]:
    return _weights_of(node["phase"], node["type"], "synchronizationStatus" in node)


@lru_cache(maxsize=256)
def _weights_of(phase: str, kind: str, waiting: bool) -> tuple[int, int, int, int, int, int]:
    alive = phase in ("Pending", "Running")
    child = kind in _CHILDREN
    return (
        int(alive and child),
        int(child and phase in ("Failed", "Error")),
        int(alive and kind == "Pod" and not waiting),
        int(phase not in FINAL),
        int(kind in _COUNTED and phase in _DONE),
        int(kind in _COUNTED),
    )


class Board:
    """The nodes, their counters and the commands of one call."""

    def __init__(self, name: str, status: Mapping[str, Any], now: float, *, max_nodes: int = MAX_NODES) -> None:
        self.name, self.now, self._stamp, self._max_nodes = name, now, rfc3339(now), max_nodes
        self.status: dict[str, Any] = dict(status)
        self.nodes: dict[str, dict[str, Any]] = dict(status.get("nodes") or {})
        self.status["nodes"] = self.nodes
        private = status.get("orchestra") or {}
        self.private: dict[str, Any] = {k: _shallow(v) for k, v in private.items()}
        self.status["orchestra"] = self.private
        self.owned: dict[str, None] = {}
        self.dirty: set[str] = set()
        self._starts: dict[str, Pod] = {}
        self.kill: list[Kill] = []
        self.wake: float | None = None
        self.writes: list[dict[str, Any]] = []
        self.unsettled = False
        self.ids: dict[str, str] = {}  # of the names that this call has met
        self.grown: dict[str, set[str]] = {}  # whose list of children is this call's own copy → the latest of them

    @property
    def start(self) -> list[Pod]:
        """The pods that this call asks for, in order."""
        return list(self._starts.values())

    def begin(self, pod: Pod) -> None:
        """Ask for a pod to be started."""
        self._starts[pod.node_id] = pod

    def withdraw(self, ident: str) -> bool:
        """Do not ask for a pod after all; False if an earlier call has asked for it."""
        return self._starts.pop(ident, None) is not None

    def section(self, name: str) -> dict[str, Any]:
        """A dictionary of the private part, made when it is first needed."""
        found: dict[str, Any] = self.private.setdefault(name, {})
        return found

    def wake_by(self, moment: float | None) -> None:
        """Ask to be called again at a time."""
        if moment is not None and (self.wake is None or moment < self.wake):
            self.wake = moment

    def id(self, name: str) -> str:
        """The id of a node name."""
        found = self.ids.get(name)
        if found is None:
            found = self.ids[name] = node_id(self.name, name)
        return found

    def named(self, name: str) -> dict[str, Any] | None:
        """The node of that name."""
        return self.nodes.get(self.id(name))

    def edit(self, ident: str) -> dict[str, Any]:
        """A node to write to."""
        node = self.nodes[ident]
        if ident not in self.owned:
            node = self.nodes[ident] = dict(node)
            self.owned[ident] = None
        return node

    def touch(self, node: Mapping[str, Any]) -> None:
        """Mark a node and everything that encloses it to be looked at again."""
        while node["id"] not in self.dirty:
            self.dirty.add(node["id"])
            if (node.get("nodeFlag") or {}).get("retried"):
                self.dirty.add(node_id(self.name, node["name"].rpartition("(")[0]))
            parent = self.nodes.get(node.get("boundaryID", ""))
            if parent is None:
                return
            node = parent

    def _weigh(self, node: Mapping[str, Any], before: tuple[int, ...] | None) -> None:
        after = _weights(node)
        if before == after:
            return
        delta = after if before is None else tuple(a - b for a, b in zip(after, before, strict=True))
        total = self.private.setdefault("sum", [0, 0])
        if delta[4] or delta[5]:
            self.private["sum"] = [total[0] + delta[4], total[1] + delta[5]]
        boundary = node.get("boundaryID", "")
        counts = self.section("counts")
        active, bad, pods, going = counts.get(boundary, (0, 0, 0, 0))
        counts[boundary] = [active + delta[0], bad + delta[1], pods + delta[2], going + delta[3]]

    def count(self, boundary: str, which: int) -> int:
        """0 active children, 1 unsuccessful children, 2 active pods, 3 nodes not final, of a boundary node."""
        return int(self.section("counts").get(boundary, (0, 0, 0, 0))[which])

    def create(
        self,
        name: str,
        kind: str,
        *,
        scope: str,
        holder: Mapping[str, Any],
        boundary: str,
        phase: str,
        flag: Mapping[str, bool] | None = None,
        message: str = "",
    ) -> dict[str, Any]:
        """A new node in Argo's shape; its display name leaves out what the boundary's name already says."""
        ident = self.id(name)
        if len(self.nodes) >= self._max_nodes:
            raise Hopeless(f"the workflow has more than {self._max_nodes} nodes, the most that are allowed here")
        node: dict[str, Any] = {
            "id": ident,
            "name": name,
            "displayName": self._display(name, boundary),
            "type": kind,
            "templateScope": scope,
            "phase": phase,
            "startedAt": self._stamp,
            "finishedAt": self._stamp if phase in FINAL else None,
        }
        if holder.get("template"):
            node["templateName"] = holder["template"]
        if holder.get("templateRef"):
            node["templateRef"] = holder["templateRef"]
        if boundary:
            node["boundaryID"] = boundary
        if flag is not None:
            node["nodeFlag"] = dict(flag)
        if message:
            node["message"] = message
        self.nodes[ident] = node
        self.owned[ident] = None
        self._weigh(node, None)
        self.touch(node)
        if phase in FINAL:
            self.unsettled = True
        return node

    def _display(self, name: str, boundary: str) -> str:
        enclosing = self.nodes.get(boundary)
        if enclosing is None:
            return name
        short = name.removeprefix(enclosing["name"])
        if short.startswith("."):
            return short[1:]
        if short.startswith("["):
            index, dot, rest = short[1:].partition("].")
            if dot and index.isdigit():
                return rest
        return short

    def mark(self, ident: str, phase: str, message: str | None = None) -> dict[str, Any]:
        """Move a node to a phase; never back from a final one to Pending or Running."""
        node = self.nodes[ident]
        if node["phase"] in FINAL and phase not in FINAL:
            return node
        same = message is None or message == node.get("message", "")
        if node["phase"] == phase and same:
            return node
        before = _weights(node)
        node = self.edit(ident)
        node["phase"] = phase
        if not same:
            if message:
                node["message"] = message
            else:
                node.pop("message", None)
        if phase in FINAL:
            self._ended(node)
        self._weigh(node, before)
        self.touch(node)
        return node

    def _ended(self, node: dict[str, Any]) -> None:
        if node.get("finishedAt") is None:
            node["finishedAt"] = self._stamp
        self.unsettled = True
        ident = node["id"]
        for section in ("live", "due", "waits", "groups"):
            if ident in self.private.get(section, ()):
                del self.private[section][ident]
        if ident in self.private.get("held", ()):
            del self.private["held"][ident]
        if node["type"] in ("Steps", "DAG") and not self.count(ident, 3):
            self.section("counts").pop(ident, None)

    def wait_for_lock(self, ident: str, lock: str, message: str) -> dict[str, Any]:
        """Note that a node waits for a lock, or, with an empty name, that it waits no more."""
        node = self.nodes[ident]
        waiting = node.get("synchronizationStatus", {}).get("waiting", "")
        if waiting == lock and (not lock or node.get("message", "") == message):
            return node
        before = _weights(node)
        node = self.edit(ident)
        node.pop("message", None)
        if lock:
            node["synchronizationStatus"] = {"waiting": lock}
            node["message"] = message
        else:
            node.pop("synchronizationStatus", None)
        self._weigh(node, before)
        self.touch(node)
        return node

    def put(self, ident: str, key: str, value: Any) -> dict[str, Any]:
        """Set one field of a node; None takes it away."""
        if self.nodes[ident].get(key) == value:
            return self.nodes[ident]
        node = self.edit(ident)
        if value is None:
            node.pop(key, None)
        else:
            node[key] = value
        self.touch(node)
        return node

    def add_child(self, parent: str, child: str) -> None:
        """Append a child's id to its parent, once. Only the latest can be there already: children come in order."""
        children: list[str] = self.nodes[parent].get("children", [])
        latest = self.grown.get(parent)
        if child in (children[-64:] if latest is None else latest):
            return
        if latest is None:
            self.grown[parent] = {*children[-64:], child}
            self.edit(parent)["children"] = [*children, child]
        else:
            latest.add(child)
            children.append(child)

    def refresh_progress(self) -> None:
        """Write the workflow's progress: nodes done of nodes that can be done."""
        done, total = self.private.get("sum", (0, 0))
        self.status["progress"] = f"{done}/{total}"


def _shallow(value: Any) -> Any:
    """A copy to write to; what lies deeper is replaced as a whole, never changed."""
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list) else value
