"""What becomes of a workflow that the core itself cannot handle: it ends as an Error, and nothing else is held up.

As Argo's controller does with a panic. The pods that run are killed first; the end is only said when they are dead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestra_engine.operate.context import WORKFLOW_ENDED, Board
from orchestra_engine.operate.ending import finish_now
from orchestra_engine.operate.main import decided, operate, pods
from orchestra_engine.pod import Decision, Kill, Pod, PodStatus
from orchestra_engine.workflow import FINAL


def guarded(
    workflow: Mapping[str, Any], status: Mapping[str, Any], now: float, seen: Sequence[PodStatus], **known: Any
) -> tuple[Decision, Exception | None]:
    """`operate`, and, should it fail, the end of the workflow and what was wrong."""
    try:
        return operate(workflow, status, now, seen, **known), None
    except Exception as error:
        return _given_up(workflow, status, now, seen, f"the engine failed: {type(error).__name__}: {error}"), error


def known_pods(workflow: Mapping[str, Any], status: Mapping[str, Any], **known: Any) -> list[Pod]:
    """`pods`, or none if that fails; the next call of `guarded` then says why."""
    try:
        return pods(workflow, status, **known)
    except Exception:
        return []


def _given_up(
    workflow: Mapping[str, Any], status: Mapping[str, Any], now: float, seen: Sequence[PodStatus], message: str
) -> Decision:
    board = Board(workflow["metadata"]["name"], status, now)
    live = board.section("live")
    for one in seen:
        if one.node_id in live and one.phase in FINAL:
            board.mark(one.node_id, one.phase, one.killed or one.message)
    for ident, entry in list(live.items()):
        if "k" not in entry:
            live[ident] = {**entry, "k": WORKFLOW_ENDED}
            board.kill.append(Kill(node_id=ident, reason=WORKFLOW_ENDED))
    if not live:
        finish_now(board, "Error", message)
    return replace(decided(board, status), wake_at=None)
