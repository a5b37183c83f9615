"""What Argo refuses, in Argo's words, and what this engine refuses, by path."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from orchestra_engine.validate.controller import controller_message, refusal
from orchestra_engine.validate.faults import Fault

__all__ = ["Fault", "check", "controller_message"]


def check(
    workflow: Mapping[str, Any],
    *,
    secrets: Collection[str] = (),
    configmaps: Mapping[str, Any] | None = None,
    workflow_templates: Mapping[str, Any] | None = None,
    grants: Collection[str] = (),
) -> list[Fault]:
    """Every fault of a workflow at once, each with its path."""
    found = refusal(workflow, workflow_templates=workflow_templates)
    return [] if found is None else [Fault(path=found.path, message=found.message, by="controller")]
