"""What is wrong with a Workflow, all at once: what Argo's API server or controller refuses, what cannot run here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from .. import parts
from . import arguments, support, types
from .controller import controller_message
from .doubts import doubts
from .fault import Fault, told
from .semantics import Validation

__all__ = ["Fault", "check", "controller_message", "doubts", "told"]


def check(
    workflow: Mapping[str, Any],
    *,
    secrets: Collection[str] = (),
    workflow_templates: Mapping[str, Mapping[str, Any]] | None = None,
    grants: Collection[str] = (),
    allow_missing_values: bool = False,
) -> list[Fault]:
    """All faults of a Workflow, each with its path, and the fields that are ignored (`kind`).

    `secrets` are the names of those that are there; a missing ConfigMap is found at run time, as in Argo.
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
        for name, found in parts.referred(spec, workflow_templates or {}).items():
            inner = found.get("spec") or {}
            where, volumes = f"workflowTemplates.{name}.spec", support.declared_volumes(spec)
            faults += support.check(inner, path=where, secrets=secrets, grants=grants, volumes=volumes)
    return faults
