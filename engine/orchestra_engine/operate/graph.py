"""Edges between nodes: where a node's successors are attached, and what a steps or dag node leads out to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from orchestra_engine.operate.context import Board

_RESULT = re.compile(r"(?:steps|tasks)(?:\.([\w-]+)|\[[\\'\"]+([\w-]+)[\\'\"]+\])\.outputs\.result")
_STEP = re.compile(r"steps(?:\.([\w-]+)|\[[\\'\"]+([\w-]+)[\\'\"]+\])")
_ANY_STEP = re.compile(r"\bsteps(?:\s*\[(?![\\'\"])|\s*[,)|?;}])")


@lru_cache(maxsize=512)
def result_names(text: str) -> frozenset[str]:
    """The steps or tasks whose `outputs.result` a template's JSON refers to: only theirs are captured."""
    return frozenset(found[1] or found[2] for found in _RESULT.finditer(text))


@lru_cache(maxsize=512)
def step_names(text: str) -> frozenset[str] | None:
    """The steps that a template's JSON refers to; None if an expression may refer to any."""
    if _ANY_STEP.search(text):
        return None
    return frozenset(found[1] or found[2] for found in _STEP.finditer(text))


def outbound(board: Board, ident: str) -> list[str]:
    """The last nodes of a node: itself for a pod, the last attempt of a retry, those of a steps or dag node."""
    node = board.nodes[ident]
    kind = node["type"]
    if kind in ("Skipped", "Suspend"):
        return [ident]
    if kind == "Pod" and not _has_containers(board, node):
        return [ident]
    children: list[str] = node.get("children", [])
    if kind in ("Pod", "Container", "TaskGroup"):
        return _below(board, node, children) if children else [ident]
    if kind == "Retry" and children:
        return [children[-1]]
    if kind in ("Steps", "DAG") and (node.get("memoizationStatus") or {}).get("hit"):
        return [ident]
    return [last for one in node.get("outboundNodes", ()) for last in outbound(board, one)]


def _has_containers(board: Board, node: Mapping[str, Any]) -> bool:
    first = board.nodes.get(next(iter(node.get("children", ())), ""))
    return first is not None and first["type"] == "Container"


def _below(board: Board, node: Mapping[str, Any], children: Iterable[str]) -> list[str]:
    found: list[str] = []
    for child in children:
        below = board.nodes.get(child)
        if below is None:
            continue
        if node["type"] == "Container" and node.get("boundaryID") != below.get("boundaryID"):
            found.append(node["id"])
        else:
            found += outbound(board, child)
    return found


def connect(board: Board, before: Iterable[str], ident: str) -> bool:
    """Make a node the child of the last nodes of others; whether there was one."""
    found = [last for one in before for last in outbound(board, one)]
    for last in found:
        board.add_child(last, ident)
    return bool(found)


def lead_out(board: Board, ident: str, last: Iterable[str]) -> None:
    """Set a node's `outboundNodes` to the last nodes of its last children."""
    board.put(ident, "outboundNodes", [end for one in last for end in outbound(board, one)])
