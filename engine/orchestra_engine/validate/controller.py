"""What Argo's controller refuses ("invalid spec: …"), in its words and in its order: the first fault is the one it reports.

Values that are only known while the workflow runs are stood for by placeholders, as in Argo's workflow/validate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestra_engine.operate.spec import templates_of
from orchestra_engine.operate.templates import Library, deep_merge
from orchestra_engine.validate import arguments, names, references
from orchestra_engine.validate.faults import InvalidSpec
from orchestra_engine.validate.steps import hooks
from orchestra_engine.validate.templates import TemplateCheck

_MAX_NAME = 63
_STRATEGIES = ("", None, "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess")


def refusal(
    workflow: Mapping[str, Any], *, workflow_templates: Mapping[str, Any] | None = None, template_alone: bool = False
) -> InvalidSpec | None:
    """The first refusal of the controller, None if it accepts the workflow.

    `template_alone` validates a WorkflowTemplate: its arguments need no values, it needs no entrypoint.
    """
    try:
        _check(workflow, workflow_templates or {}, template_alone)
    except InvalidSpec as error:
        return error
    return None


def refusals(
    workflow: Mapping[str, Any], *, workflow_templates: Mapping[str, Any] | None = None, template_alone: bool = False
) -> list[InvalidSpec]:
    """The refusal that the controller reports, and those it would come to in other templates, one for each field."""
    first = refusal(workflow, workflow_templates=workflow_templates, template_alone=template_alone)
    if first is None:
        return []
    found = {first.path: first}
    spec = workflow.get("spec") or {}
    metadata = workflow.get("metadata") or {}
    library = Library(metadata.get("name") or "", spec, templates_of({}, workflow_templates or {}))
    for template in spec.get("templates") or []:
        check = TemplateCheck(library, spec, alone=True)
        check.globals |= _globals(check, metadata, spec, spec.get("arguments") or {})
        try:
            check.holder({"template": template.get("name") or ""}, library.local_scope, None, "spec.templates")
        except InvalidSpec as error:
            found.setdefault(error.path, error)
    return list(found.values())


def controller_message(
    workflow: Mapping[str, Any], *, workflow_templates: Mapping[str, Any] | None = None
) -> str | None:
    """The message that the controller would leave in `status.message`, None if it accepts the workflow."""
    found = refusal(workflow, workflow_templates=workflow_templates)
    return None if found is None else f"invalid spec: {found.message}"


def _check(workflow: Mapping[str, Any], others: Mapping[str, Any], alone: bool) -> None:
    metadata, own = workflow.get("metadata") or {}, workflow.get("spec") or {}
    name = metadata.get("name") or ""
    if len(name) > _MAX_NAME:
        raise InvalidSpec(
            f'workflow name "{name}" must not be more than 63 characters long (currently {len(name)})', "metadata.name"
        )
    spec = _merged(own, others)
    try:
        names.check(own.get("templates") or [], "spec.templates")
    except InvalidSpec as error:
        raise InvalidSpec(f"spec.templates{error.message}", error.path) from None
    given = spec.get("arguments") or {}
    arguments.check("spec.arguments.", given, "spec.arguments", allow_empty=alone)
    library = Library(name, spec, templates_of({}, others))
    check = TemplateCheck(library, spec, alone=alone)
    check.globals |= _globals(check, metadata, spec, given)
    entrypoint = spec.get("entrypoint") or ""
    if not entrypoint and not alone:
        raise InvalidSpec("spec.entrypoint is required", "spec.entrypoint")
    if entrypoint:
        check.holder({"template": entrypoint}, library.local_scope, None if alone else given, "spec.entrypoint")
    _on_exit(check, spec, given)
    hooks(spec.get("hooks") or {}, "hooks", "spec.hooks")
    strategy = (spec.get("podGC") or {}).get("strategy")
    if strategy not in _STRATEGIES:
        raise InvalidSpec(f"podGC.strategy unknown strategy '{strategy}'", "spec.podGC.strategy")
    for index, template in enumerate(spec.get("templates") or []):
        try:
            check.holder({"template": template["name"]}, library.local_scope, None, f"spec.templates[{index}]")
        except InvalidSpec as error:
            raise error.within(f"templates.{template['name']}") from None


def _merged(own: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    reference = own.get("workflowTemplateRef")
    if not reference:
        return dict(own)
    if own.get("templates"):
        raise InvalidSpec(
            "Templates is invalid field in spec if workflow referred WorkflowTemplate reference", "spec.templates"
        )
    name = reference.get("name", "")
    if name not in others:
        raise InvalidSpec(f'workflowtemplates.argoproj.io "{name}" not found', "spec.workflowTemplateRef.name")
    return deep_merge(others[name].get("spec") or {}, dict(own))  # type: ignore[no-any-return]


def _globals(
    check: TemplateCheck, metadata: Mapping[str, Any], spec: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, str]:
    words = ["name", "namespace", "mainEntrypoint", "serviceAccountName", "uid", "status"]
    words += ["annotations", "annotations.json", "labels", "labels.json"]
    if given.get("parameters"):
        words += ["parameters", "parameters.json"]
    found = {f"workflow.{word}": check.fresh() for word in words}
    for parameter in given.get("parameters") or []:
        value = parameter.get("value")
        found[f"workflow.parameters.{parameter['name']}"] = check.fresh() if value is None else str(value)
    added = spec.get("workflowMetadata") or {}
    for kind, sources in (("annotations", ("annotations",)), ("labels", ("labels", "labelsFrom"))):
        for key in _keys(metadata.get(kind), *(added.get(source) for source in sources)):
            found[f"workflow.{kind}.{key}"] = check.fresh()
    if spec.get("priority") is not None:
        found["workflow.priority"] = str(spec["priority"])
    return found


def _keys(*sources: Mapping[str, Any] | None) -> Iterable[str]:
    return (key for source in sources for key in source or {})


def _on_exit(check: TemplateCheck, spec: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    if not spec.get("onExit"):
        return
    check.globals["workflow.failures"] = check.fresh()
    for template in spec.get("templates") or []:
        for artifact in (template.get("outputs") or {}).get("artifacts") or []:
            if references.is_parameter(artifact.get("globalName") or ""):
                check.globals[references.ANY_ARTIFACT] = "true"
    check.holder({"template": spec["onExit"]}, check.library.local_scope, given, "spec.onExit")
