"""What Argo refuses, in Argo's words, and what this engine refuses, by path."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from orchestra_engine.validate import schema
from orchestra_engine.validate.controller import controller_message, refusals
from orchestra_engine.validate.faults import Fault
from orchestra_engine.validate.local import LocalCheck

__all__ = ["Fault", "check", "controller_message"]


def check(
    workflow: Mapping[str, Any],
    *,
    secrets: Collection[str] = (),
    configmaps: Mapping[str, Any] | None = None,
    workflow_templates: Mapping[str, Any] | None = None,
    grants: Collection[str] = (),
    kind: str = "Workflow",
) -> list[Fault]:
    """Every fault of a workflow at once, each with its path: of the API server, of the controller, of this engine.

    What is accepted without effect is listed too, as faults of kind "ignored". `kind` may be WorkflowTemplate.
    What Argo's controller checks is only looked at if the types are right, as in Argo.
    """
    found = schema.faults(workflow, kind=kind)
    if found:
        return found
    others = workflow_templates or {}
    found += [
        Fault(path=one.path, message=f"invalid spec: {one.message}", by="controller")
        for one in refusals(workflow, workflow_templates=others, template_alone=kind == "WorkflowTemplate")
    ]
    local = LocalCheck(secrets=secrets, configmaps=configmaps or {}, grants=grants)
    return found + list(local.faults(workflow))
