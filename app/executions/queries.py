"""What can be read of an execution: its nodes, logs, outputs and why it failed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from app.artifacts import repository
from app.engines import services as engines
from app.executions.models import Attempt, Execution, ExecutionArtifact, Kind
from app.executions.states import HELD
from app.modules.models import Build

MAIN_TEMPLATES = {Kind.PREDICTION: "predict"}  # whose log is the execution's log; all pods' of other kinds


def current_attempt(execution: Execution, number: int | None = None) -> Attempt | None:
    """One attempt of an execution, the latest if none is named."""
    return Attempt.objects.filter(execution=execution, number=number or execution.attempt).first()


def nodes(execution: Execution, attempt: int | None = None) -> list[dict[str, Any]]:
    """The steps of an attempt in the order in which they started.

    Each has id, name, display_name, template, type, phase, message, started_at, finished_at (RFC 3339), exit_code and
    has_log.
    """
    found = current_attempt(execution, attempt)
    return nodes_of(found.status if found else {})


def nodes_of(status: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps in an Argo status, in the order in which they started."""
    steps = [_node(key, node) for key, node in (status.get("nodes") or {}).items()]
    return sorted(steps, key=lambda one: (one["started_at"] or "9999", one["name"].count("."), one["name"]))


def waiting(execution: Execution) -> list[dict[str, Any]]:
    """The nodes of an execution that go on only if somebody resumes them, as in its status.

    A Workflow that began suspended and has no nodes yet is one with the id "".
    """
    attempt = None if execution.state not in HELD else current_attempt(execution)
    if attempt is None:
        return []
    resumed = set(execution.resumptions.filter(attempt=attempt.number).values_list("node_id", flat=True))
    found = [
        {"name": key, "displayName": key, **node, "id": key}
        for key, node in (attempt.status.get("nodes") or {}).items()
        if node.get("type") == "Suspend" and node.get("phase") in {"Pending", "Running"}
    ]
    if not found and (attempt.workflow.get("spec") or {}).get("suspend") and not attempt.status.get("nodes"):
        found = [{"id": "", "name": attempt.workflow_name, "displayName": attempt.workflow_name}]
    return [one for one in found if one["id"] not in resumed]


def _node(key: str, node: dict[str, Any]) -> dict[str, Any]:
    code = (node.get("outputs") or {}).get("exitCode")
    return {
        "id": key,
        "name": node.get("name", key),
        "display_name": node.get("displayName", key),
        "template": node.get("templateName", ""),
        "type": node.get("type", ""),
        "phase": node.get("phase", "Pending"),
        "message": node.get("message", ""),
        "started_at": node.get("startedAt"),
        "finished_at": node.get("finishedAt"),
        "exit_code": int(code) if code not in (None, "") else None,
        "has_log": node.get("type") == "Pod" and node.get("phase", "Pending") not in {"Pending", "Omitted", "Skipped"},
    }


def log(
    execution: Execution,
    *,
    node_id: str | None = None,
    attempt: int | None = None,
    offset: int = 0,
    limit: int | None = None,
) -> bytes:
    """The bytes of a log from `offset` on, at most `limit`, also while it grows and long after the end.

    Without `node_id` a prediction's log is that of the module (of the fetch if it never came to the module); any other
    execution's is that of its nodes one after the other. Empty if there is nothing (yet).
    """
    found = current_attempt(execution, attempt)
    if found is None:
        return b""
    steps = nodes_of(found.status)
    if node_id is not None:
        known = any(step["id"] == node_id for step in steps)
        return node_log(found, node_id, offset=offset, limit=limit) if known else b""
    return _joined(found, _log_nodes(execution, found, steps), offset=offset, limit=limit)


def _log_nodes(execution: Execution, attempt: Attempt, steps: Iterable[dict[str, Any]]) -> list[str]:
    pods = [step for step in steps if step["has_log"]]
    template = MAIN_TEMPLATES.get(Kind(execution.kind))
    if template is None:
        return [step["id"] for step in pods]
    main = [step["id"] for step in pods if step["template"] == template]
    if main or not attempt.finished_at:
        return main[-1:]
    return [step["id"] for step in pods][-1:]


def _joined(attempt: Attempt, node_ids: list[str], *, offset: int, limit: int | None) -> bytes:
    """Several logs as if they were one; what lies before `offset` is counted, not kept."""
    if len(node_ids) == 1:
        return node_log(attempt, node_ids[0], offset=offset, limit=limit)
    pieces: list[bytes] = []
    for node_id in node_ids:
        whole = node_log(attempt, node_id)
        piece = whole[offset:] if limit is None else whole[offset : offset + limit]
        offset = max(0, offset - len(whole))
        pieces.append(piece)
        if limit is not None and (limit := limit - len(piece)) <= 0:
            break
    return b"".join(pieces)


def node_log(attempt: Attempt, node_id: str, *, offset: int = 0, limit: int | None = None) -> bytes:
    """The bytes of one node's log: the engine's, or the copy that is kept when the engine has forgotten it."""
    found = None
    if not attempt.pruned:
        found = engines.reader().read_log(name=attempt.workflow_name, node_id=node_id, offset=offset, limit=limit)
    if found is None:
        found = repository.read(log_key(attempt, node_id), offset=offset, limit=limit)
    return found or b""


def folder(execution_id: int, attempt: int) -> str:
    """The prefix of all that one attempt has in the artifact repository."""
    return f"executions/{execution_id}/{attempt}"


def log_key(attempt: Attempt, node_id: str) -> str:
    """Where a node's log is kept when the engine has forgotten the Workflow."""
    return f"{folder(attempt.execution_id, attempt.number)}/logs/{node_id}.log"


def failure(execution: Execution, attempt: int | None = None) -> dict[str, Any] | None:
    """Why an attempt failed: node, exit_code, signal, limit, message, last_lines; None if it did not."""
    found = current_attempt(execution, attempt)
    return found.failure if found else None


def results(execution: Execution, attempt: int | None = None) -> dict[str, str]:
    """The output parameters of an attempt, by name: those of the entrypoint and the global ones."""
    found = current_attempt(execution, attempt)
    if found is None:
        return {}
    return {one["name"]: str(one.get("value", "")) for one in parameters_of(found.workflow_name, found.status)}


def parameters_of(name: str, status: dict[str, Any]) -> list[dict[str, Any]]:
    """The output parameters of a Workflow: its entrypoint's, and the global ones."""
    root = (status.get("nodes") or {}).get(name) or {}
    return [one for of in (root, status) for one in (of.get("outputs") or {}).get("parameters") or []]


def outputs(execution: Execution, attempt: int | None = None) -> QuerySet[ExecutionArtifact]:
    """The files that an attempt gave out: the declared output first, then annexes, then others."""
    return (
        ExecutionArtifact.objects.filter(execution=execution, attempt=attempt or execution.attempt)
        .select_related("artifact")
        .order_by("id")
    )


def builds() -> QuerySet[Build]:
    """Builds with what is shown of each, the execution that makes it too, without the long texts that are not."""
    return Build.objects.select_related("version__module", "environment", "execution").defer(
        "version__metadata",
        "version__arguments_schema",
        "environment__lock",
        "environment__imports",
        "execution__arguments",
    )
