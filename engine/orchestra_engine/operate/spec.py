"""The spec that is executed: the workflow's own over that of its WorkflowTemplate, the workflow's variables put in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestra_engine import parts
from orchestra_engine.language import LanguageError, tags
from orchestra_engine.operate.templates import IdentityCache, deep_merge

_merged = IdentityCache()
_substituted = IdentityCache()


def executed(
    workflow: Mapping[str, Any], status: dict[str, Any], workflow_templates: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The spec to execute; that of a WorkflowTemplate is kept in the status, so that later changes of it do not matter.

    Raises LanguageError if a WorkflowTemplate is not there.
    """
    own: dict[str, Any] = workflow.get("spec") or {}
    _store_references(own, status, workflow_templates)
    reference = own.get("workflowTemplateRef")
    if not reference:
        return own
    stored = status.get("storedWorkflowTemplateSpec")
    if stored is None:
        found = workflow_templates.get(reference.get("name", ""))
        if found is None:
            raise LanguageError(f'workflowtemplates.argoproj.io "{reference.get("name")}" not found')
        stored = status["storedWorkflowTemplateSpec"] = found.get("spec") or {}
        _store_references(stored, status, workflow_templates)
    return _merged.get((own, stored)) or _merged.put((own, stored), deep_merge(stored, own))


def _store_references(spec: Mapping[str, Any], status: dict[str, Any], workflow_templates: Mapping[str, Any]) -> None:
    if not workflow_templates or (status.get("phase") and "storedWorkflowTemplates" in status):
        return
    stored: dict[str, Any] = dict(status.get("storedWorkflowTemplates") or {})
    others = {key: value for key, value in spec.items() if key != "workflowTemplateRef"}  # that one is kept by itself
    for name, found in parts.referred(others, workflow_templates).items():
        stored.setdefault(name, {"spec": found.get("spec") or {}})
    if stored:
        status["storedWorkflowTemplates"] = stored


def templates_of(status: Mapping[str, Any], workflow_templates: Mapping[str, Any]) -> Mapping[str, Any]:
    """The WorkflowTemplates that templateRefs are looked up in: those that were there at the start."""
    return status.get("storedWorkflowTemplates") or workflow_templates


def invalid(workflow: Mapping[str, Any], workflow_templates: Mapping[str, Any]) -> str | None:
    """Argo's `invalid spec: …`, if its controller would refuse the workflow."""
    from orchestra_engine.validate.controller import controller_message

    return controller_message(workflow, workflow_templates=workflow_templates)


def substituted(spec: Mapping[str, Any], params: Mapping[str, str]) -> Mapping[str, Any]:
    """The spec with the workflow's variables put in everywhere but in its templates.

    Raises LanguageError if a tag is broken.
    """
    rest = {k: v for k, v in spec.items() if k != "templates"}
    found = _substituted.get((spec,))
    text: str = found if found is not None else _substituted.put((spec,), json.dumps(rest, ensure_ascii=False))
    if "{{" not in text:
        return spec
    return {**json.loads(tags.replace(text, params)), "templates": spec.get("templates")}
