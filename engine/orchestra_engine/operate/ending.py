"""The workflow as a whole: its entrypoint, its hooks, its exit handler, and its end once everything is dead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import LanguageError, expressions
from orchestra_engine.operate import deadlines, hooks
from orchestra_engine.operate.context import (
    AttemptError,
    Blocked,
    Board,
    Hopeless,
    NodeError,
    failed,
    is_final,
    rfc3339,
)
from orchestra_engine.operate.operation import Options
from orchestra_engine.operate.scope import failures

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation

_PHASES = {"Skipped": "Succeeded", "Omitted": "Succeeded"}
_OPERATION_ERROR = "Workflow operation error"  # of an entrypoint whose error is none of its own
_HOOKED = {"hooked": True}


def walk(op: Operation) -> None:
    """Bring the entrypoint forward, then the hooks, then the exit handler, then the end."""
    try:
        _walk(op)
    except Hopeless as error:
        for node in list(op.board.nodes.values()):
            if not is_final(node) and node["id"] not in op.board.section("live"):
                op.board.mark(node["id"], "Error", str(error))
        finish(op, "Error", f"error in entry template execution: {error}")


def _walk(op: Operation) -> None:
    board = op.board
    op.runtime_params("Running")
    node = _entry(op)
    if node is None:
        return
    phase = _PHASES.get(node["phase"], node["phase"])
    op.runtime_params(phase)
    if is_final(node) or op.spec.get("hooks"):
        op.params["workflow.failures"] = failures(board)
    try:
        hooks_done = _workflow_hooks(op)
    except LanguageError as error:
        node = board.mark(node["id"], "Error", str(error))
        hooks_done = True
    except NodeError as error:
        node = board.mark(node["id"], "Error", error.message)
        hooks_done = True
    if not hooks_done or not is_final(node):
        return
    op.nested = any("{{" in value for value in op.params.values())
    handler = _exit_handler(op)
    if handler is False:
        return
    _conclude(op, node, phase, handler if isinstance(handler, dict) else None)


def _entry(op: Operation) -> dict[str, Any] | None:
    arguments = op.spec.get("arguments") or {}
    try:
        return op.execute(
            op.board.name, {"template": op.spec.get("entrypoint", "")}, op.library.local_scope, arguments, Options()
        )
    except Blocked:
        return None
    except NodeError as error:
        if isinstance(error, AttemptError):
            op.board.mark(op.board.name, "Error", _OPERATION_ERROR)
        finish(op, "Error", f"error in entry template execution: {error.message}")
        return None


def _workflow_hooks(op: Operation) -> bool:
    done = True
    for name, hook in sorted((op.spec.get("hooks") or {}).items()):
        if name == "exit":
            continue
        node_name = f"{op.board.name}.hooks.{name}"
        node = op.board.named(node_name)
        if node is not None and is_final(node):
            continue
        if node is None and not expressions.evaluate_bool(
            hook.get("expression", ""), expressions.environment(op.params)
        ):
            continue
        made = _run(op, node_name, hook, Options(flag=_HOOKED))
        if op.board.named(node_name) is not None:
            op.board.add_child(op.board.id(op.board.name), op.board.id(node_name))
        done = done and made is not None and is_final(made)
    return done


def _run(op: Operation, name: str, hook: Mapping[str, Any], options: Options) -> dict[str, Any] | None:
    holder = {k: hook[k] for k in ("template", "templateRef") if hook.get(k)}
    try:
        return op.execute(name, holder, op.library.local_scope, hook.get("arguments") or {}, options)
    except Blocked:
        return None


def _exit_handler(op: Operation) -> dict[str, Any] | bool | None:
    """The exit handler's node when it has ended; False while it has not; None if there is none to run."""
    hook = hooks.exit_hook(op.spec, op.spec)
    name = f"{op.board.name}.onExit"
    if hook is None or (op.board.named(name) is None and not op.may_run(True)):
        return None
    try:
        made = _run(op, name, hook, Options(flag=_HOOKED, on_exit=True))
    except NodeError as error:
        finish(op, "Error", f"error in exit template execution : {error.message}")
        return False
    return made if made is not None and is_final(made) else False


def _conclude(op: Operation, node: Mapping[str, Any], phase: str, handler: Mapping[str, Any] | None) -> None:
    message = node.get("message", "")
    if failed(node) and op.shutdown:
        message = f"Stopped with strategy '{op.shutdown}'"
    if phase == "Succeeded":
        message = ""
        if handler is not None and failed(handler):
            phase, message = handler["phase"], handler.get("message", "")
    finish(op, phase, message)


def finish(op: Operation, phase: str, message: str) -> None:
    """End the workflow; while a pod still runs it is killed first, and the end is only said when it is dead."""
    deadlines.end_all(op)
    if op.board.section("live"):
        op.board.private["ending"] = [phase, message]
        return
    finish_now(op.board, phase, message)


def pending(op: Operation) -> bool:
    """Whether the end is decided; said as soon as the last pod is dead."""
    ending = op.board.private.get("ending")
    if ending is None:
        return False
    if not op.board.section("live"):
        finish_now(op.board, *ending)
    else:
        deadlines.end_all(op)
    return True


def finish_now(board: Board, phase: str, message: str) -> None:
    """Write the workflow's final phase."""
    if phase == "Error":
        entry = board.nodes.get(board.name)
        if entry is not None and entry["phase"] == "Running":
            board.mark(board.name, "Error", _OPERATION_ERROR)
    board.status["phase"], board.status["message"] = phase, message
    board.status.setdefault("startedAt", rfc3339(board.now))
    board.status["finishedAt"] = rfc3339(board.now)
