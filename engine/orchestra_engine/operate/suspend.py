"""Suspend templates: nodes that wait for a time, a resume or a supplied value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import LanguageError, durations, gojson
from orchestra_engine.operate.context import STEP_DEADLINE, Board

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation, Work


def execute(op: Operation, work: Work) -> dict[str, Any] | None:
    """Make the node and let it wait. Raises LanguageError if its duration is none."""
    node = op.board.named(work.name)
    if node is None:
        node = op.make(work, "Suspend", "Running")
        if work.inputs.get("parameters"):
            node["inputs"] = {**work.inputs, "parameters": [_offered(p) for p in work.inputs["parameters"]]}
        supplied = _supplied(work)
        if supplied:
            node["outputs"] = {"parameters": supplied}
    elif node["phase"] == "Pending":
        node = op.board.mark(node["id"], "Running")
    if not op.may_run(work.options.on_exit):
        return op.board.mark(node["id"], "Failed", f"Stopped with strategy '{op.shutdown}'")
    if op.late and not work.options.on_exit:
        return op.board.mark(node["id"], "Failed", STEP_DEADLINE)
    duration = (work.template.get("suspend") or {}).get("duration")
    entry = {"until": op.now + durations.argo(str(duration))} if duration else {}
    op.board.section("waits").setdefault(node["id"], entry)
    if duration:
        op.board.wake_by(op.board.section("waits")[node["id"]].get("until"))
    return node


def _supplied(work: Work) -> list[dict[str, Any]]:
    """The output parameters that someone has to supply; without a default of its own one takes that of its input."""
    defaults = {p["name"]: p["default"] for p in work.inputs.get("parameters", ()) if p.get("default") is not None}
    found = []
    for parameter in (work.template.get("outputs") or {}).get("parameters") or []:
        source = parameter.get("valueFrom") or {}
        if "supplied" not in source:
            continue
        if source.get("default") is None and parameter["name"] in defaults:
            source = {**source, "default": defaults[parameter["name"]]}
        found.append({**parameter, "valueFrom": source})
    return found


def _offered(parameter: Mapping[str, Any]) -> dict[str, Any]:
    """An input whose value is the JSON of a parameter with an enum offers that enum, its first value as default."""
    try:
        described = gojson.loads(parameter.get("value", ""))
    except LanguageError:
        return dict(parameter)
    enum = described.get("enum") if isinstance(described, dict) else None
    if not enum:
        return dict(parameter)
    return {"default": enum[0], **parameter, "enum": enum}


def with_defaults(outputs: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Outputs where the supplied parameters that nobody has set take their defaults.

    Raises LanguageError if one has none.
    """
    if outputs is None:
        return None
    return {**outputs, "parameters": [_settled(parameter) for parameter in outputs.get("parameters") or []]}


def _settled(parameter: dict[str, Any]) -> dict[str, Any]:
    source = parameter.get("valueFrom") or {}
    if "supplied" not in source:
        return parameter
    if source.get("default") is None:
        raise LanguageError(
            f"raw output parameter '{parameter['name']}' has not been set and does not have a default value"
        )
    return {k: v for k, v in parameter.items() if k != "valueFrom"} | {"value": source["default"]}


def finish(board: Board, ident: str) -> None:
    """End a Suspend node: Succeeded, or Error if a value is missing."""
    try:
        board.put(ident, "outputs", with_defaults(board.nodes[ident].get("outputs")))
        board.mark(ident, "Succeeded")
    except LanguageError as error:
        board.mark(ident, "Error", str(error))
