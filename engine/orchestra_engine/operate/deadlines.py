"""Time and shutdown: what has to be ended now, and when to look again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import durations
from orchestra_engine.operate import observe, suspend
from orchestra_engine.operate.context import STEP_DEADLINE, WORKFLOW_ENDED
from orchestra_engine.pod import Kill, PodStatus

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation

POD_DEADLINE = "Pod was active on the node longer than the specified deadline"


def in_exit_handler(op: Operation, node: Mapping[str, Any]) -> bool:
    """Whether a node is an exit handler, or an attempt of one, or lies within one."""
    while not _is_exit_handler(node):
        parent = op.board.nodes.get(node.get("boundaryID", ""))
        if parent is None:
            return False
        node = parent
    return True


def _is_exit_handler(node: Mapping[str, Any]) -> bool:
    flag, name = node.get("nodeFlag") or {}, node["name"]
    if flag.get("retried"):
        name = name.rpartition("(")[0]
    return bool(flag.get("hooked")) and name.endswith(".onExit") and not name.endswith(".hooks.onExit")


def kill(op: Operation, ident: str, reason: str) -> None:
    """Ask for the end of a pod, once; the node becomes final when the pod is dead.

    One that this very call wanted to start is final at once, and nobody is told of it.
    """
    live = op.board.section("live")
    entry = live[ident]
    if "k" in entry:
        return
    if op.board.withdraw(ident):
        observe.apply(op, [PodStatus(node_id=ident, phase="Failed", killed=reason, finished_at=op.now)])
        return
    live[ident] = {**entry, "k": reason}
    op.board.kill.append(Kill(node_id=ident, reason=reason))


def enforce(op: Operation) -> None:
    """End pods and suspended nodes whose time is over or that shutdown ends; note when the next one is due."""
    live = op.board.section("live")
    for ident in list(live if op.shutdown or op.late else op.board.section("due")):
        if "k" in live.get(ident, {}):
            continue
        reason = _reason(op, ident)
        if reason:
            kill(op, ident, reason)
    for ident in list(op.board.section("waits")):
        _suspended(op, ident)
    for ident in list(op.board.section("queue")):
        if ident:
            _queued(op, ident)
    if op.deadline is not None and not op.late:
        op.board.wake_by(op.deadline)


def _reason(op: Operation, ident: str) -> str:
    until = op.board.section("due").get(ident)
    if op.shutdown or op.late:
        on_exit = in_exit_handler(op, op.board.nodes[ident])
        if not op.may_run(on_exit):
            return f"workflow shutdown with strategy:  {op.shutdown}"
        if op.late and not on_exit:
            return STEP_DEADLINE
    if until is None:
        return ""
    if op.now >= until:
        return POD_DEADLINE
    op.board.wake_by(until)
    return ""


def _suspended(op: Operation, ident: str) -> None:
    node = op.board.nodes[ident]
    if op.shutdown or op.late:
        on_exit = in_exit_handler(op, node)
        if not op.may_run(on_exit):
            op.board.mark(ident, "Failed", f"Stopped with strategy '{op.shutdown}'")
            return
        if op.late and not on_exit:
            op.board.mark(ident, "Failed", STEP_DEADLINE)
            return
    until = op.board.section("waits")[ident].get("until")
    if until is None:
        return
    if op.now >= until:
        suspend.finish(op.board, ident)
    else:
        op.board.wake_by(until)


def limit_waiting(op: Operation, node: Mapping[str, Any], template: Mapping[str, Any]) -> None:
    """Note until when a node that has just been made may wait for its locks: Argo's `timeout` and `pendingTimeout`.

    Raises LanguageError if one of them is no duration.
    """
    limits = [durations.argo(str(template[name])) for name in ("timeout", "pendingTimeout") if template.get(name)]
    if limits:
        queue = op.board.section("queue")
        queue[node["id"]] = {**queue[node["id"]], "until": op.now + min(limits)}
        op.board.wake_by(op.now + min(limits))


def _queued(op: Operation, ident: str) -> None:
    node = op.board.nodes.get(ident)
    if node is None or "synchronizationStatus" not in node:
        return
    until = op.board.section("queue")[ident].get("until")
    if until is not None and op.now >= until:
        op.board.mark(ident, "Failed", "timeout")
        return
    op.board.wake_by(until)
    on_exit = in_exit_handler(op, node)
    if op.shutdown and not op.may_run(on_exit):
        op.board.mark(ident, "Failed", f"Stopped with strategy '{op.shutdown}'")
    elif op.late and not on_exit:
        op.board.mark(ident, "Failed", STEP_DEADLINE)


def end_all(op: Operation) -> None:
    """End every pod that still runs, because the workflow is over."""
    for ident in list(op.board.section("live")):
        kill(op, ident, WORKFLOW_ENDED)
