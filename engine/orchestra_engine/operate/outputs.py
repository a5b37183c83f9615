"""What nodes give out: of pods as reported, of steps and dags from their scope, and into the workflow's own outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import LanguageError, expressions
from orchestra_engine.language.values import go_text
from orchestra_engine.operate.scope import Scope

if TYPE_CHECKING:
    from orchestra_engine.operate.context import Board
    from orchestra_engine.operate.operation import Operation


def declared(template: Mapping[str, Any]) -> dict[str, Any]:
    """What a pod's template says of its outputs beyond what the pod itself reports; kept until the pod has ended."""
    outputs = template.get("outputs") or {}
    found: dict[str, Any] = {}
    if outputs.get("parameters"):
        found["parameters"] = [dict(p) for p in outputs["parameters"]]
    if outputs.get("artifacts"):
        found["artifacts"] = [{k: v for k, v in a.items() if k != "s3"} for a in outputs["artifacts"]]
    return found


def of_pod(known: Mapping[str, Any], reported: Mapping[str, Any], exit_code: int | None) -> dict[str, Any]:
    """A pod node's outputs: what was reported, with what was declared (globalName, archive…) of the same name."""
    outputs: dict[str, Any] = {}
    for kind in ("parameters", "artifacts"):
        names = {item["name"]: item for item in known.get(kind, ())}
        items = [{**names.get(item["name"], {}), **item} for item in reported.get(kind) or ()]
        if items:
            outputs[kind] = items
    if reported.get("result") is not None:
        outputs["result"] = reported["result"]
    code = reported.get("exitCode", exit_code)
    if code is not None:
        outputs["exitCode"] = str(code)
    return outputs


def of_template(template: Mapping[str, Any], scope: Scope) -> dict[str, Any] | None:
    """The outputs of a steps or dag template, from what its steps gave out; None if it declares none.

    Raises LanguageError if one cannot be had and has no default.
    """
    outputs = template.get("outputs") or {}
    if not outputs.get("parameters") and not outputs.get("artifacts"):
        return None
    found: dict[str, Any] = {}
    if outputs.get("parameters"):
        found["parameters"] = [_parameter(p, scope) for p in outputs["parameters"]]
    if outputs.get("artifacts"):
        artifacts = [_artifact(a, scope) for a in outputs["artifacts"]]
        found["artifacts"] = [a for a in artifacts if a is not None]
    return found


def _parameter(wanted: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    source = wanted.get("valueFrom")
    if source is None:
        raise LanguageError("output parameters must have a valueFrom specified")
    try:
        value = _value(source, scope)
    except LanguageError:
        if source.get("default") is None:
            raise
        value = source["default"]
    if value is None:
        value = source.get("default")
    if value is None:
        raise LanguageError(
            f'output parameter "{wanted["name"]}": "{source.get("parameter", "")}" is an absent optional '
            "(skipped/omitted node output with no default)"
        )
    return {**{k: v for k, v in wanted.items() if k != "valueFrom"}, "value": go_text(value)}


def _value(source: Mapping[str, Any], scope: Scope) -> Any:
    if source.get("expression"):
        value = expressions.evaluate(source["expression"], scope.environment())
        if value is None:
            raise LanguageError(f'failed to evaluate expression "{source["expression"]}"')
        return value
    return scope.resolve(source["parameter"]) if source.get("parameter") else ""


def _artifact(wanted: Mapping[str, Any], scope: Scope) -> dict[str, Any] | None:
    try:
        found = scope.artifact(wanted)
    except LanguageError as error:
        if wanted.get("optional") and "Unable to resolve" in str(error):
            return None
        raise LanguageError(f"unable to resolve outputs from scope: {error}") from None
    if found is None:
        return None
    merged = {**found, "name": wanted["name"]}
    merged.pop("globalName", None)
    return {**merged, "globalName": wanted["globalName"]} if wanted.get("globalName") else merged


def publish(op: Operation, outputs: Mapping[str, Any] | None) -> None:
    """Add the outputs that have a `globalName` to the workflow's own."""
    if not outputs:
        return
    for parameter in outputs.get("parameters") or ():
        if parameter.get("globalName"):
            value = parameter.get("value")
            if value is not None:
                op.params[f"workflow.outputs.parameters.{parameter['globalName']}"] = value
            keep(
                op.board, "parameters", {"name": parameter["globalName"]} | ({} if value is None else {"value": value})
            )
    for artifact in outputs.get("artifacts") or ():
        if artifact.get("globalName"):
            kept = {k: v for k, v in artifact.items() if k not in ("globalName", "path")}
            keep(op.board, "artifacts", {**kept, "name": artifact["globalName"]})


def keep(board: Board, kind: str, item: dict[str, Any]) -> None:
    """Put a parameter or artifact among the workflow's own outputs, in place of one of that name."""
    status = board.status
    outputs = status.get("outputs") or {}
    items = list(outputs.get(kind, ()))
    at = next((i for i, other in enumerate(items) if other["name"] == item["name"]), len(items))
    if items[at : at + 1] == [item]:
        return
    items[at : at + 1] = [item]
    status["outputs"] = {**outputs, kind: items}
    board.unsettled = True
