"""What is wrong with a Workflow, all at once: what Argo's API server or controller refuses, what cannot run here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from . import arguments, support, types
from .controller import controller_message
from .fault import Fault
from .semantics import Validation

__all__ = ["Fault", "check", "controller_message"]


def check(
    workflow: Mapping[str, Any],
    *,
    secrets: Collection[str] = (),
    configmaps: Mapping[str, Mapping[str, Any]] | None = None,
    workflow_templates: Mapping[str, Mapping[str, Any]] | None = None,
    grants: Collection[str] = (),
    allow_missing_values: bool = False,
) -> list[Fault]:
    """All faults of a Workflow, each with its path, and the fields that are ignored (`kind`).

    `secrets` and `configmaps` are those that are there, by name; a missing ConfigMap is found at run time, as in Argo.
    With `allow_missing_values` the workflow's own arguments need no values yet, as where it is only looked at.
    """
    if hostile := types.unspeakable(workflow):
        return [hostile]
    faults = types.check(workflow)
    spec = workflow.get("spec")
    if isinstance(spec, dict):
        if not faults and allow_missing_values:
            others = {name: arguments.supplied(other) for name, other in (workflow_templates or {}).items()}
            faults += Validation(arguments.supplied(workflow), others).run()
        elif not faults:
            faults += Validation(workflow, workflow_templates or {}).run()
        faults += support.check(spec, secrets=secrets, grants=grants)
        reference = (spec.get("workflowTemplateRef") or {}) if isinstance(spec.get("workflowTemplateRef"), dict) else {}
        for name, found in _referred(spec, reference, workflow_templates or {}).items():
            inner = found.get("spec") or {}
            faults += support.check(inner, path=f"workflowTemplates.{name}.spec", secrets=secrets, grants=grants)
    return faults


def _referred(
    spec: Mapping[str, Any], reference: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    """The WorkflowTemplates that a spec names, directly or through one another."""
    found: dict[str, Mapping[str, Any]] = {}
    waiting = [str(reference.get("name") or ""), *_references(spec)]
    while waiting:
        name = waiting.pop()
        if name in known and name not in found:
            found[name] = known[name]
            waiting += _references(known[name].get("spec") or {})
    return found


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        here = value.get("templateRef")
        own = [str(here.get("name") or "")] if isinstance(here, dict) else []
        return own + [name for item in value.values() if isinstance(item, dict | list) for name in _references(item)]
    if isinstance(value, list):
        return [name for item in value if isinstance(item, dict | list) for name in _references(item)]
    return []
