"""What people do to a running workflow: resume it, supply values, and what has been asked of pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestra_engine.operate import outputs, suspend
from orchestra_engine.operate.context import Board, is_final
from orchestra_engine.pod import Kill

_PHASES = ("Succeeded", "Failed", "Error", "Skipped")


def _named(board: Board, node: str) -> list[str]:
    """The ids of the nodes that are meant by an id, a name or a display name."""
    return [i for i, n in board.nodes.items() if node in (i, n["name"], n["displayName"])]


def resume(
    workflow: Mapping[str, Any], status: Mapping[str, Any], now: float, node: str | None = None
) -> dict[str, Any]:
    """The status after `argo resume`: Suspend nodes that wait (or the one named) succeed, unset values take defaults.

    `spec.suspend` is the caller's to clear. `node` is an id, a name or a display name.
    """
    board = _board(workflow, status, now)
    waiting = list(board.private.get("waits", ()))
    wanted = waiting if node is None else [i for i in _named(board, node) if i in waiting]
    for ident in wanted:
        suspend.finish(board, ident)
    return _closed(board, status)


def set_outputs(
    workflow: Mapping[str, Any],
    status: Mapping[str, Any],
    now: float,
    node: str,
    parameters: Mapping[str, str],
    phase: str | None = None,
    message: str | None = None,
) -> dict[str, Any]:
    """The status after `argo node set`: values for a waiting node's supplied parameters, perhaps its phase and message.

    Raises ValueError if no waiting node is meant, it has no such parameter to supply, or there is no such phase.
    """
    if phase is not None and phase not in _PHASES:
        raise ValueError(f"'{phase}' is no phase that a node can be given; it is one of {', '.join(_PHASES)}")
    board = _board(workflow, status, now)
    found = [i for i in _named(board, node) if not is_final(board.nodes[i]) and board.nodes[i]["type"] == "Suspend"]
    if not found:
        raise ValueError(f"no Suspend node '{node}' waits in this workflow")
    for ident in found:
        _set(board, ident, parameters)
        if phase is not None:
            board.mark(ident, phase, message)
        elif message is not None:
            board.mark(ident, board.nodes[ident]["phase"], message)
    return _closed(board, status)


def _set(board: Board, ident: str, parameters: Mapping[str, str]) -> None:
    given = board.nodes[ident].get("outputs") or {}
    names = {p["name"] for p in given.get("parameters") or ()}
    unknown = sorted(set(parameters) - names)
    if unknown:
        known = ", ".join(sorted(names)) or "none"
        raise ValueError(f"'{board.nodes[ident]['name']}' has no parameter '{unknown[0]}' to supply (it has: {known})")
    if parameters:
        items = [_supplied(p, parameters) for p in given["parameters"]]
        board.put(ident, "outputs", {**given, "parameters": items})
        for item in items:
            if item["name"] in parameters and item.get("globalName"):
                outputs.keep(board, "parameters", {"name": item["globalName"], "value": item["value"]})


def _supplied(parameter: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    if parameter["name"] not in values:
        return dict(parameter)
    if "supplied" not in (parameter.get("valueFrom") or {}):
        raise ValueError(f"the parameter '{parameter['name']}' is not to be supplied, or has been already")
    return {k: v for k, v in parameter.items() if k != "valueFrom"} | {"value": values[parameter["name"]]}


def kills(status: Mapping[str, Any]) -> list[Kill]:
    """The kills that were asked for and whose pods have not ended: to ask again after a crash."""
    live: Mapping[str, Mapping[str, Any]] = (status.get("orchestra") or {}).get("live") or {}
    return [Kill(node_id=ident, reason=entry["k"]) for ident, entry in live.items() if "k" in entry]


def live(status: Mapping[str, Any]) -> list[str]:
    """The ids of the nodes whose pods were given to be started and have not ended."""
    return list((status.get("orchestra") or {}).get("live") or ())


def _board(workflow: Mapping[str, Any], status: Mapping[str, Any], now: float) -> Board:
    return Board((workflow.get("metadata") or {}).get("name", ""), status, now)


def _closed(board: Board, status: Mapping[str, Any]) -> dict[str, Any]:
    if not board.owned:
        return dict(status)
    board.private["again"] = True
    board.refresh_progress()
    return board.status
