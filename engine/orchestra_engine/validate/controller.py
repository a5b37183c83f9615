"""The one message with which Argo's controller refuses a Workflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import types
from .semantics import Validation


def controller_message(
    workflow: Mapping[str, Any], workflow_templates: Mapping[str, Mapping[str, Any]] | None = None
) -> str | None:
    """The message with which Argo's controller would fail a Workflow that its API server took; None if it would not."""
    if types.check(workflow):
        return None
    reference = (workflow.get("spec") or {}).get("workflowTemplateRef") or {}
    if reference and reference.get("name") not in (workflow_templates or {}):
        return f'workflowtemplates.argoproj.io "{reference.get("name")}" not found'
    faults = Validation(workflow, workflow_templates or {}).run()
    return f"invalid spec: {faults[0].message}" if faults else None
