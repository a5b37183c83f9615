"""Names that hold tags: what is known before the run is put in first, as Argo's validation does."""

from __future__ import annotations

from typing import Any

import pytest
from orchestra_engine import validate
from orchestra_engine.validate import names

LEAF = {"name": "ok", "container": {"image": "busybox", "command": ["true"]}}


def message(step: dict[str, Any], *, value: str | None = "ok", inputs: list[dict[str, Any]] | None = None) -> str:
    parameter = {"name": "p"} if value is None else {"name": "p", "value": value}
    main = {"name": "main", "inputs": {"parameters": inputs or []}, "steps": [[{"name": "a", **step}]]}
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {"entrypoint": "main", "arguments": {"parameters": [parameter]}, "templates": [main, LEAF]},
    }
    faults = validate.check(manifest, allow_missing_values=value is None)
    return next((fault.message for fault in faults), "")


@pytest.mark.parametrize(
    "template", ["{{workflow.parameters.p}}", "{{ workflow.parameters.p }}", "{{inputs.parameters.q}}"]
)
def test_a_template_may_be_named_by_a_value_that_is_known(template: str) -> None:
    assert message({"template": template}, inputs=[{"name": "q", "value": "ok"}]) == ""


@pytest.mark.parametrize("template", ["{{item}}", "t-{{item}}", "{{foo}}", "{{workflow.uid}}", "{{steps.a.status}}"])
def test_a_template_named_by_what_only_the_run_knows_is_refused(template: str) -> None:
    said = message({"template": template, "withItems": ["ok"]})
    assert said == f"templates.main.steps[0].a template name '{template}' undefined"


def test_the_message_names_the_template_that_the_parameter_named() -> None:
    said = message({"template": "t-{{workflow.parameters.p}}"})
    assert said == "templates.main.steps[0].a template name 't-ok' undefined"


def test_a_template_named_by_a_parameter_that_has_no_value_yet_is_no_fault() -> None:
    assert message({"template": "{{workflow.parameters.p}}"}, value=None) == ""


def test_a_step_without_a_template_is_told_so() -> None:
    assert message({"template": ""}) == "templates.main.steps[0].a failed to get a template"


def test_a_template_beside_an_inline_one_has_to_exist() -> None:
    assert "template name 'nope' undefined" in message({"template": "nope", "inline": {"suspend": {}}})


def test_a_value_with_a_tag_that_leads_nowhere_is_refused() -> None:
    said = message({"template": "ok", "when": "{{workflow.parameters.p}} == x"}, value="{{workflow.labels.none}}")
    assert said == "templates.main.steps failed to resolve {{workflow.labels.none}}"


@pytest.mark.parametrize(
    ("name", "settled"),
    [
        ("a-{{workflow.name}}", "a-x"),
        ("a-{{ workflow.name }}b", "a-xb"),
        ("{{=workflow.name + 'x'}}", "x"),
        ("{{=sprig.lower(workflow.name)}}", "x"),
        ("a-{{item}}", "a-{{item}}"),
        ("{{=item.k}}", "{{=item.k}}"),
        ("{{=1 +}}", "{{=1 +}}"),
        ("plain", "plain"),
    ],
)
def test_a_name_is_settled_where_its_tags_will_have_values(name: str, settled: str) -> None:
    assert names.settled(name, {"workflow.name"}) == settled


def test_a_step_cannot_be_named_by_another() -> None:
    assert "should match ^[a-zA-Z0-9]" in message({"name": "b-{{steps.a.id}}", "template": "ok"})


def test_labels_that_the_workflow_template_adds_may_be_used() -> None:
    leaf = {"name": "main", "container": {"image": "busybox", "command": ["echo", "{{workflow.labels.team}}"]}}
    library = {"spec": {"entrypoint": "main", "workflowMetadata": {"labels": {"team": "red"}}, "templates": [leaf]}}
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {"workflowTemplateRef": {"name": "l"}},
    }
    assert validate.check(manifest, workflow_templates={"l": library}) == []


def test_an_argument_cannot_choose_its_artifact_by_an_expression() -> None:
    artifact = {"name": "f", "fromExpression": "inputs.artifacts.f"}
    said = message({"template": "ok", "arguments": {"artifacts": [artifact]}})
    assert said == "templates.main.steps[0].a.arguments.f.from, artifact location, or key is required"
