"""operate: one look at a workflow, from its observations to its commands."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestra_engine.language import LanguageError
from orchestra_engine.operate import container_set, dag, deadlines, ending, locks, observe, pod, spec, steps, suspend
from orchestra_engine.operate.context import MAX_NODES, Board, is_final, rfc3339, seconds_of
from orchestra_engine.operate.locks import LockView
from orchestra_engine.operate.operation import Executor, Operation
from orchestra_engine.operate.scope import workflow_params
from orchestra_engine.operate.templates import Library
from orchestra_engine.pod import Decision, Pod, PodStatus
from orchestra_engine.workflow import finished

_EXECUTORS: dict[str, Executor] = {
    "container": pod.execute,
    "script": pod.execute,
    "containerSet": container_set.execute,
    "steps": steps.execute,
    "dag": dag.execute,
    "suspend": suspend.execute,
}
_ROUNDS = 10_000
_FRAMES = 8_000


def make_room() -> None:
    """Allow for as many nested calls as templates may be nested; Python's own need no C stack since 3.11."""
    if sys.getrecursionlimit() < _FRAMES:
        sys.setrecursionlimit(_FRAMES)


def operate(
    workflow: Mapping[str, Any],
    status: Mapping[str, Any],
    now: float,
    observations: Sequence[PodStatus] = (),
    *,
    configmaps: Mapping[str, Any] | None = None,
    secrets: Mapping[str, Mapping[str, str]] | None = None,
    locks: LockView | None = None,
    workflow_templates: Mapping[str, Any] | None = None,
    max_nodes: int = MAX_NODES,
) -> Decision:
    """Decide what comes next: the new status, pods to start and to kill, when to look again.

    `now` is in seconds since 1970 UTC; `configmaps` and `workflow_templates` are objects by name, `secrets` their
    decoded data by name (it gets into the variables of pods, never into the status). A workflow that Argo's controller
    would refuse becomes Failed, "invalid spec: …"; one that comes to have more than `max_nodes` nodes ends with Error.
    """
    make_room()
    if finished(status):
        return Decision(status=dict(status) if not isinstance(status, dict) else status)
    board = Board((workflow.get("metadata") or {}).get("name", ""), status, now, max_nodes=max_nodes)
    op = _prepared(board, workflow, configmaps or {}, secrets or {}, locks, workflow_templates or {})
    if op is not None:
        _look(op, observations)
        _show_locks(op)
    return decided(board, status)


def _show_locks(op: Operation) -> None:
    found = locks.shown(op)
    if found is not None and not finished(op.board.status):
        op.board.status["synchronization"] = found
    else:
        op.board.status.pop("synchronization", None)


def _prepared(
    board: Board,
    workflow: Mapping[str, Any],
    configmaps: Mapping[str, Any],
    secrets: Mapping[str, Mapping[str, str]],
    lock_view: LockView | None,
    workflow_templates: Mapping[str, Any],
) -> Operation | None:
    """The operation with its spec and variables; None if the workflow has just come to its end."""
    first = not board.status.get("phase")
    workflow_templates = {**workflow_templates, **(board.status.get("storedWorkflowTemplates") or {})}
    try:
        merged = spec.executed(workflow, board.status, workflow_templates)
        if first and (message := spec.invalid(workflow, workflow_templates)):
            ending.finish_now(board, "Failed", message)
            return None
    except LanguageError as error:
        ending.finish_now(board, "Error", str(error))
        return None
    # As in Argo, whose merged workflow has no name where a WorkflowTemplate is referred to.
    own = "" if (workflow.get("spec") or {}).get("workflowTemplateRef") else board.name
    library = Library(own, merged, spec.templates_of(board.status, workflow_templates))
    if first:
        board.private.setdefault("created", _created(workflow, board.now))
    op = Operation(
        board,
        workflow,
        merged,
        library,
        configmaps=configmaps,
        secrets=secrets,
        lock_view=lock_view,
        executors=_EXECUTORS,
    )
    created = float(board.private.get("created", board.now))
    try:
        op.params = workflow_params(workflow, merged, board.status, created, op.argument)
        op.spec = spec.substituted(merged, op.params)
    except LanguageError as error:
        ending.finish_now(board, "Failed", f"failed to set global parameters: {error}")
        return None
    return op


def _created(workflow: Mapping[str, Any], now: float) -> float:
    return seconds_of((workflow.get("metadata") or {}).get("creationTimestamp")) or now


def _look(op: Operation, observations: Sequence[PodStatus]) -> None:
    board = op.board
    if not _workflow_locked(op):
        return
    if not board.status.get("phase") or board.status["phase"] == "Pending":
        board.status["phase"], board.status["message"] = "Running", ""
        board.status.setdefault("startedAt", rfc3339(board.now))
        if op.spec.get("activeDeadlineSeconds") is not None:
            op.deadline = seconds_of(board.status["startedAt"]) + float(op.spec["activeDeadlineSeconds"])
    op.full = _whole(op)
    observe.apply(op, observations)
    if ending.pending(op):
        return
    deadlines.enforce(op)
    locks.forget(op)
    if op.spec.get("suspend") and not (op.shutdown or op.late):  # in Argo a suspended workflow would never end
        return
    for _ in range(_ROUNDS):
        board.unsettled = op.held_back = False
        ending.walk(op)
        if locks.forget(op):
            board.unsettled = True
        if finished(board.status) or "ending" in board.private or not board.unsettled:
            break
    board.private["held_back"] = op.held_back
    for ident, moment in list(board.private.get("backoff", {}).items()):
        if op.ended(ident):
            del board.section("backoff")[ident]
        else:
            board.wake_by(moment)


def _whole(op: Operation) -> bool:
    """Whether everything has to be looked at, not only what lies around the nodes that have changed."""
    private = op.board.private
    said = [op.shutdown, bool(op.spec.get("suspend")), op.late]
    changed = private.get("said") != said
    op.stopping = bool(op.shutdown) and not private.get("said", [""])[0]
    private["said"] = said
    asked = private.pop("again", False)
    waited = any(op.now >= moment for moment in private.get("backoff", {}).values())
    return bool(changed or asked or waited or private.get("held_back", True))


def _workflow_locked(op: Operation) -> bool:
    """Take the workflow's own locks; whether it may go on."""
    wanted = op.spec.get("synchronization")
    board = op.board
    if not wanted:
        return True
    try:
        lock, message = locks.acquire(op, locks.WORKFLOW, wanted)
    except LanguageError as error:
        ending.finish_now(board, "Failed", f"Failed to acquire the synchronization lock. {error}")
        return False
    if not lock:
        return True
    if op.shutdown == "Terminate":
        ending.finish_now(board, "Failed", "Stopped with strategy 'Terminate'")
        return False
    board.status["phase"], board.status["message"] = board.status.get("phase") or "Pending", message
    return False


def decided(board: Board, before: Mapping[str, Any]) -> Decision:
    """What a call comes to: the status of the board beside the one before."""
    for name in [k for k, v in board.private.items() if v in ({}, [])]:
        del board.private[name]
    board.refresh_progress()
    if finished(board.status):
        board.private.clear()
        board.status.pop("orchestra")
    changed = bool(board.owned) or {k: v for k, v in board.status.items() if k != "nodes"} != {
        k: v for k, v in before.items() if k != "nodes"
    }
    status = board.status if changed or not isinstance(before, dict) else before
    return Decision(
        status=status,
        start=board.start,
        kill=board.kill,
        wake_at=None if finished(status) else board.wake,
        configmap_writes=board.writes,
        changed=list(board.owned),
    )


def pods(workflow: Mapping[str, Any], status: Mapping[str, Any], **known: Any) -> list[Pod]:
    """The pods of all nodes that are Pending or Running, as they were given to be started.

    `known` are the keyword arguments of `operate` (configmaps, secrets, workflow_templates).
    """
    live = (status.get("orchestra") or {}).get("live") or {}
    if finished(status) or not live:
        return []
    make_room()
    board = Board((workflow.get("metadata") or {}).get("name", ""), status, seconds_of(status.get("startedAt")))
    configmaps, secrets = known.get("configmaps") or {}, known.get("secrets") or {}
    op = _prepared(board, workflow, configmaps, secrets, None, known.get("workflow_templates") or {})
    if op is None:
        return []
    op.collecting = set(live)
    op.shutdown, op.deadline = "", None
    ending.walk(op)
    found = {one.node_id: one for one in op.collected}
    return [replace(found[ident]) for ident in live if ident in found and not is_final(board.nodes[ident])]
