"""Limits of how much runs at once: `spec.parallelism`, a template's `parallelism`, and its `failFast`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestra_engine.operate.context import Blocked

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation, Work

_FAIL_FAST = "template has failed or errored children and failFast enabled"
_ACTIVE, _BAD, _PODS = 0, 1, 2


def active_pods(op: Operation) -> int:
    """Pods of the whole workflow that are pending or running and wait for no lock."""
    return sum(counts[_PODS] for counts in op.board.section("counts").values())


def check(op: Operation, work: Work, node: dict[str, Any] | None) -> None:
    """Raise Blocked if a limit holds a node back.

    With failFast, a template that has a failed child and nothing active any more fails here.
    """
    limit = op.spec.get("parallelism")
    if limit is not None and active_pods(op) >= int(limit):
        _block(op)
    if node is not None and work.kind in ("dag", "steps"):
        _check_own(op, work.template, work.kind, node)
    if work.options.boundary and (node is None or node["phase"] not in ("Pending", "Running")):
        _check_boundary(op, work.options.boundary)


def _block(op: Operation) -> None:
    op.held_back = True
    raise Blocked


def _check_own(op: Operation, template: Mapping[str, Any], kind: str, node: dict[str, Any]) -> None:
    counted = op.board.section("counts").get(node["id"], (0, 0, 0, 0))
    if template.get("failFast") and counted[_BAD]:
        _fail_fast(op, kind, node["id"])


def _check_boundary(op: Operation, boundary: str) -> None:
    node = op.board.nodes[boundary]
    template = op.parents.get(boundary)
    if template is None:
        return
    kind = "dag" if node["type"] == "DAG" else "steps"
    if template.get("failFast") and op.board.count(boundary, _BAD):
        _fail_fast(op, kind, boundary)
    limit = _number(template.get("parallelism"))
    if limit and op.board.count(boundary, _ACTIVE) >= limit:
        _block(op)


def _number(value: Any) -> int:
    return int(value) if value is not None and str(value).isdigit() else 0


def _fail_fast(op: Operation, kind: str, ident: str) -> None:
    if not op.board.count(ident, _PODS):
        if kind == "steps":
            group = _last_group(op, ident)
            if group is not None:
                op.board.mark(group, "Failed", _FAIL_FAST)
        op.board.mark(ident, "Failed", _FAIL_FAST)
    _block(op)


def _last_group(op: Operation, ident: str) -> str | None:
    groups = [n for n in op.board.nodes.values() if n["type"] == "StepGroup" and n.get("boundaryID") == ident]
    return groups[-1]["id"] if groups else None
