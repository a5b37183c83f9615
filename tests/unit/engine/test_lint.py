"""What is said of manifest files, and where."""

from __future__ import annotations

from pathlib import Path

import pytest
from orchestra_engine.lint import Finding, lint
from orchestra_engine.manifest import MAX_BYTES

ROOT = Path(__file__).parents[3]
GOOD = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  templates:
  - name: main
    container:
      image: busybox
      command: ["true"]
"""
TEMPLATE = """\
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: tools}
spec:
  templates:
  - name: say
    inputs: {parameters: [{name: text}]}
    container: {image: busybox, command: [echo, "{{inputs.parameters.text}}"]}
"""
USER = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - name: a
        templateRef: {name: tools, template: say}
        arguments: {parameters: [{name: text, value: hello}]}
"""
CRON = """\
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: nightly}
spec:
  schedules: ["0 3 * * *"]
  workflowSpec:
    entrypoint: main
    templates:
    - name: main
      container: {image: busybox, command: ["true"]}
"""


def said(text: str, **more: str) -> list[tuple[str, int, int, str, str]]:
    return [(one.file, one.line, one.column, one.severity, one.message) for one in lint({"f.yaml": text, **more})]


def only(text: str) -> Finding:
    (finding,) = lint({"f.yaml": text})
    return finding


def test_of_a_good_manifest_nothing_is_said() -> None:
    assert said(GOOD) == []


def test_a_fault_of_syntax_has_its_place() -> None:
    assert only("a: 1\nb: [1,\n").line == 3
    assert only("kind: Workflow\nkind: Workflow\n").message == "the key 'kind' appears twice"


def test_an_unknown_field_is_an_error_at_its_line_and_column() -> None:
    finding = only(GOOD.replace("      image:", "      images: [x]\n      image:"))
    assert (finding.line, finding.column, finding.severity, finding.by) == (9, 15, "error", "api-server")
    assert finding.message == 'unknown field "spec.templates[0].container.images", did you mean image?'


def test_a_tag_that_nothing_resolves_is_pointed_at() -> None:
    finding = only(GOOD.replace('["true"]', '[echo, "{{inputs.parameters.x}}"]'))
    assert (finding.line, finding.column) == (10, 24)
    assert finding.message == "templates.main: failed to resolve {{inputs.parameters.x}}"


def test_documents_of_a_file_count_their_lines_together() -> None:
    finding = only(GOOD + "---\n" + GOOD.replace("entrypoint: main", "entrypoint: other"))
    assert (finding.line, finding.message) == (16, "template name 'other' undefined")


def test_what_runs_on_argo_only_is_a_warning_and_an_ignored_field_a_note() -> None:
    text = GOOD.replace("  - name: main\n", "  - name: main\n    daemon: true\n    nodeSelector: {gpu: a}\n")
    found = {one.field: one for one in lint({"f.yaml": text})}
    assert found["spec.templates[0].daemon"].severity == "warning"
    assert found["spec.templates[0].daemon"].message.startswith("runs on Argo only: ")
    assert found["spec.templates[0].nodeSelector"].severity == "note"


def test_an_image_that_is_not_here_is_a_warning() -> None:
    finding = only(GOOD.replace("busybox", "ghcr.io/someone/thing:1"))
    assert (finding.severity, finding.field) == ("warning", "spec.templates[0].container.image")


def test_a_volume_that_is_not_there_is_an_error() -> None:
    finding = only(GOOD.replace("image: busybox", "image: busybox\n      volumeMounts: [{name: v, mountPath: /v}]"))
    assert finding.severity == "error"


def test_a_claimed_volume_is_there_for_its_mounts() -> None:
    claim = "  volumeClaimTemplates: [{metadata: {name: v}, spec: {accessModes: [ReadWriteOnce]}}]\n  entrypoint"
    text = GOOD.replace("image: busybox", "image: busybox\n      volumeMounts: [{name: v, mountPath: /v}]")
    finding = only(text.replace("  entrypoint", claim))
    assert (finding.severity, finding.field) == ("warning", "spec.volumeClaimTemplates")


def test_templates_may_mount_volumes_of_the_workflows_that_refer_to_them() -> None:
    mounting = TEMPLATE.replace("image: busybox", "image: busybox, volumeMounts: [{name: v, mountPath: /v}]")
    alone = only(mounting)
    assert (alone.severity, alone.field) == ("warning", "spec.templates[0].container.volumeMounts[0].name")
    assert "a workflow that refers to the template has to have it" in alone.message
    user = USER.replace("  entrypoint", "  volumes: [{name: v, emptyDir: {}}]\n  entrypoint")
    assert [one.field for one in lint({"u.yaml": user, "t.yaml": mounting}) if one.file == "u.yaml"] == []


def test_arguments_of_the_workflow_need_no_value() -> None:
    argument = "  arguments: {parameters: [{name: a}, {name: b, enum: [one, two]}], artifacts: [{name: c}]}\n"
    text = GOOD.replace("  entrypoint", argument + "  entrypoint")
    text = text.replace('["true"]', '[echo, "{{workflow.parameters.a}} {{workflow.parameters.b}}"]')
    assert said(text) == []


def test_a_template_of_another_file_is_found() -> None:
    assert said(USER, **{"t.yaml": TEMPLATE}) == []
    assert only(USER).message.endswith("template reference tools.say not found")


def test_what_is_wrong_in_a_template_is_said_once_and_in_its_own_file() -> None:
    broken = TEMPLATE.replace("inputs.parameters.text}}", "inputs.parameters.none}}")
    assert [(file, line) for file, line, *_ in said(USER, **{"t.yaml": broken})].count(("t.yaml", 8)) >= 1
    assert {file for file, *_ in said(USER, **{"t.yaml": broken})} == {"t.yaml"}


def test_an_argument_that_a_template_does_not_get_is_said() -> None:
    found = said(USER.replace("name: text", "name: other"), **{"t.yaml": TEMPLATE})
    assert any("inputs.parameters.text was not supplied" in message for *_, message in found)


def test_cluster_templates_and_cron_workflows_are_looked_at() -> None:
    assert said(TEMPLATE.replace("WorkflowTemplate", "ClusterWorkflowTemplate")) == []
    assert said(CRON) == []
    (finding,) = lint({"f.yaml": CRON.replace("entrypoint: main", "entrypoint: none")})
    assert (finding.field, finding.line) == ("spec.workflowSpec.entrypoint", 7)
    (finding,) = lint({"f.yaml": CRON.replace("0 3 * * *", "0 3 * *")})
    assert (finding.field, finding.line) == ("spec.schedules[0]", 5)


def test_another_kind_is_said_not_to_be_looked_at() -> None:
    assert only("apiVersion: v1\nkind: Pod\n").severity == "note"
    assert only("apiVersion: v1\n").severity == "error"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x" * (MAX_BYTES + 1), "1.5 MiB"),
        ("a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
        ), "values"),
        ("a: &a\n  b: *a\n", "stands inside"),
        ("[" * 5000, "nested"),
        ("a: !!python/object/apply:os.system [x]\n", "not allowed"),
        ("- a\n", "has to be a mapping"),
    ],
)  # fmt: skip
def test_a_bomb_is_a_finding_and_not_a_wait(text: str, words: str) -> None:
    assert words in only(text).message


@pytest.mark.parametrize(
    "value", ["[]", "x", "{templates: x}", "{templates: [{dag: x, steps: [x]}]}", "{arguments: 1}"]
)
def test_a_spec_of_the_wrong_shape_is_an_error_and_no_crash(value: str) -> None:
    text = f"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{name: w}}\nspec: {value}\n"
    for kind in ("Workflow", "WorkflowTemplate"):
        assert {one.severity for one in lint({"f.yaml": text.replace("Workflow", kind)})} == {"error"}


def test_the_schemas_that_ship_have_no_fault() -> None:
    files = sorted((ROOT / "schemas").glob("*.yaml"))
    assert files
    assert lint({path.name: path.read_bytes() for path in files}) == []


@pytest.mark.parametrize(
    "number", ["9" * 400_000, "-" + "9" * 400_000, "0x" + "f" * 400_000, "0" + "7" * 400_000, "1e999"]
)
def test_a_number_without_end_is_a_finding_and_no_exception(number: str) -> None:
    found = lint({"f": f"kind: Workflow\napiVersion: {number}\n"})
    assert "apiVersion" in {one.field for one in found}
