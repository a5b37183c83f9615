"""Arguments that have no value yet: a manifest that is only looked at, or a schema whose inputs come later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import leaves


def supplied(workflow: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same Workflow (or WorkflowTemplate) as if its `spec.arguments` had values; nothing is changed in place."""
    spec = workflow.get("spec") or {}
    given = spec.get("arguments") or {}
    parameters = [_parameter(item) for item in given.get("parameters") or ()]
    artifacts = [_artifact(item) for item in given.get("artifacts") or ()]
    return {**workflow, "spec": {**spec, "arguments": {**given, "parameters": parameters, "artifacts": artifacts}}}


def _parameter(parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    if parameter.get("value") is not None or parameter.get("valueFrom") is not None:
        return parameter
    enum = parameter.get("enum") or [""]
    return {**parameter, "value": enum[0]}


def _artifact(artifact: Mapping[str, Any]) -> Mapping[str, Any]:
    if artifact.get("from") or artifact.get("fromExpression") or leaves.has_location(artifact):
        return artifact
    return {**artifact, "raw": {"data": ""}}
