"""Why an attempt ended as it did: which node, its exit code or signal, the limit it hit, its last lines."""

from __future__ import annotations

import re
import signal
from typing import Any

from app.executions.models import Attempt
from app.executions.queries import node_log, nodes_of

LAST_LINES = 20
_TAIL_BYTES = 16_384
# What the runner says of an exit code, which the sentence says itself; whatever else it says is a reason.
_RUNNERS_OWN = re.compile(r"orchestra-run: .* (ended with exit code \d+|was ended by \S+)$")
_LINE = 500  # characters of a line that are kept
_DEADLINES = ("Step exceeded its deadline", "Pod was active on the node longer than the specified deadline", "timeout")
_LIMIT = re.compile(r"(?:memory )?limit of [^;]+? exceeded|OOMKilled")
_SHUTDOWN = re.compile(r"^(Stopped|Terminated) with strategy|workflow shutdown with strategy")


def failed_node(status: dict[str, Any]) -> dict[str, Any] | None:
    """The node that the failure began with: the earliest-ended program that failed, else the first that says why."""
    failed = [node for node in nodes_of(status) if node["phase"] in {"Failed", "Error"}]
    programs = [node for node in failed if node["type"] in {"Pod", "Container"}]
    if programs and (last := [node for node in programs if not _is_retried(status, node)]):
        programs = last
    telling = programs or [node for node in failed if node["message"]] or failed
    chosen = sorted(telling, key=lambda node: node["finished_at"] or "9999")
    return chosen[0] if chosen else None


def _is_retried(status: dict[str, Any], node: dict[str, Any]) -> bool:
    """Whether a later attempt of the same step was made."""
    for parent in status["nodes"].values():
        children = parent.get("children") or []
        if parent.get("type") == "Retry" and node["id"] in children:
            return bool(children[-1] != node["id"])
    return False


def was_shut_down(status: dict[str, Any]) -> bool:
    """Whether the engine ended the Workflow because it was asked to, and not for a reason of its own."""
    messages = [status.get("message") or "", *(node["message"] for node in nodes_of(status))]
    return any(_SHUTDOWN.search(message) for message in messages)


def hit_deadline(status: dict[str, Any]) -> bool:
    """Whether a deadline ended the Workflow."""
    messages = [status.get("message") or "", *(node["message"] for node in nodes_of(status))]
    return any(message.endswith(_DEADLINES) for message in messages)


def explain(attempt: Attempt, status: dict[str, Any]) -> dict[str, Any]:
    """{node, exit_code, signal, limit, message, last_lines} of an attempt whose Workflow failed."""
    node = failed_node(status)
    message = (node["message"] if node else "") or status.get("message") or ""
    code = node["exit_code"] if node else None
    limit = ""
    if hit_deadline(status):
        limit = _timeout(attempt.workflow, template=node["template"] if node else "")
    elif match := _LIMIT.search(message):
        limit = match[0]
    return {
        "node": node["display_name"] if node else None,
        "exit_code": code,
        "signal": signal_name(code),
        "limit": limit or None,
        "message": message,
        "last_lines": last_lines(node_log(attempt, node["id"])[-_TAIL_BYTES:]) if node and node["has_log"] else [],
    }


def _timeout(workflow: dict[str, Any], *, template: str) -> str:
    """The deadline of a node, in words: its template's own, or the Workflow's."""
    spec = workflow.get("spec") or {}
    own = [one.get("activeDeadlineSeconds") for one in spec.get("templates", []) if one.get("name") == template]
    seconds = next((one for one in [*own, spec.get("activeDeadlineSeconds")] if one), None)
    return f"timeout of {seconds} s exceeded" if seconds else "timeout exceeded"


def signal_name(exit_code: int | None) -> str | None:
    """`SIGKILL` for 137, as shells and containers count; None if the code names no signal."""
    try:
        return signal.Signals(exit_code - 128).name if exit_code is not None and exit_code > 128 else None
    except ValueError:
        return None


def last_lines(tail: bytes) -> list[str]:
    """The last lines of a log, as text that any database can store."""
    text = tail.decode("utf-8", "replace").replace("\0", "\ufffd")
    return [line[:_LINE] for line in text.splitlines()[-LAST_LINES:]]


def sentence(failure: dict[str, Any]) -> str:
    """A failure in one sentence, with the last line of the log as its hint."""
    where = f"{failure['node']} " if failure["node"] else "the run "
    if failure["limit"]:
        what = f"was ended: {failure['limit']}"
    elif failure["signal"]:
        what = f"was killed by {failure['signal']} (exit code {failure['exit_code']})"
    elif failure["exit_code"]:
        what = f"ended with exit code {failure['exit_code']}"
    else:
        what = f"failed: {failure['message'] or 'no reason is known'}"
    lines = [line for line in failure["last_lines"] if line.strip() and not _RUNNERS_OWN.match(line)]
    return f"{where}{what}" + (f"; its last line: {lines[-1].strip()[:300]}" if lines else "")
