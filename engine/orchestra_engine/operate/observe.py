"""What became of pods: observations put into the nodes, in any order, any number of times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from orchestra_engine.operate import memoize, outputs
from orchestra_engine.operate.context import is_final, rfc3339
from orchestra_engine.pod import ContainerStatus, PodStatus
from orchestra_engine.workflow import FINAL

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation

_EXECUTOR_FAULT = 64


def apply(op: Operation, observations: Iterable[PodStatus]) -> None:
    """Note what pods have become; what is late, doubled or of no pod of this workflow changes nothing."""
    for seen in observations:
        entry = op.board.section("live").get(seen.node_id)
        node = op.board.nodes.get(seen.node_id)
        if entry is None or node is None or is_final(node):
            continue
        for container in seen.containers:
            _container(op, node, container)
        if seen.phase in FINAL:
            _ended(op, node, entry, seen)
        elif seen.phase == "Running" and node["phase"] == "Pending":
            op.board.mark(seen.node_id, "Running", "")


def _ended(op: Operation, node: dict[str, Any], entry: dict[str, Any], seen: PodStatus) -> None:
    board, ident = op.board, node["id"]
    ended = seen.finished_at if seen.finished_at is not None else op.now
    board.put(ident, "finishedAt", rfc3339(max(ended, 0)))
    phase, message = seen.phase, seen.message
    if seen.killed:
        phase, message = "Failed", seen.killed
    code = None if seen.killed else seen.exit_code
    given = outputs.of_pod(entry.get("o") or {}, seen.outputs, code)
    if seen.killed:
        given.pop("exitCode", None)
    if given:
        board.put(ident, "outputs", given)
    if "s" in entry:
        board.section("ends")[ident] = [entry["s"], max(ended, entry["s"])]
    _leftovers(op, node, phase, message)
    node = board.mark(ident, phase, message)
    outputs.publish(op, node.get("outputs"))
    memoize.save(op, node)


def _container(op: Operation, node: dict[str, Any], container: ContainerStatus) -> None:
    ident = op.board.id(f"{node['name']}.{container.name}")
    below = op.board.nodes.get(ident)
    if below is None or below["type"] != "Container" or is_final(below):
        return
    phase = container.phase
    if phase == "Running":
        op.board.mark(ident, "Running")
    if phase not in FINAL:
        return
    message = ""
    if phase != "Succeeded":
        if container.exit_code == _EXECUTOR_FAULT:
            phase = "Error"
        message = container.message
        start = f"{container.name}: "
        if not message.startswith(start):
            message = f"{start}Error (exit code {container.exit_code}): {message}"
    if container.finished_at is not None:
        op.board.put(ident, "finishedAt", rfc3339(container.finished_at))
    op.board.mark(ident, phase, message)


def _leftovers(op: Operation, node: dict[str, Any], phase: str, message: str) -> None:
    """Containers of which nothing was said when their pod ended end with it."""
    todo = list(node.get("children", ()))
    while todo:
        below = op.board.nodes.get(todo.pop())
        if below is None or below["type"] != "Container":
            continue
        todo += below.get("children", ())
        if not is_final(below):
            op.board.mark(
                below["id"], "Succeeded" if phase == "Succeeded" else "Failed", "" if phase == "Succeeded" else message
            )
