"""What is said of manifest files, and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from orchestra_engine.lint import Finding, lint
from orchestra_engine.manifest import MAX_BYTES, load

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


def test_of_a_workflow_made_from_a_template_that_is_not_there_only_that_is_told() -> None:
    made = GOOD.partition("spec:")[0] + "spec: {workflowTemplateRef: {name: tools}}\n"
    assert only(made).message == 'workflowtemplates.argoproj.io "tools" not found'


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


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ('"0 3 * * *"', '"@fortnightly"', "spec.schedules[0]"),
        ('"0 3 * * *"', '"@every soon"', "spec.schedules[0]"),
        ('"0 3 * * *"', '"0 3 * * (x)"', "spec.schedules[0]"),
        ('["0 3 * * *"]', "[]", "spec.schedules"),
        ("  schedules", "  concurrencyPolicy: Never\n  schedules", "spec.concurrencyPolicy"),
        ("  schedules", "  startingDeadlineSeconds: -1\n  schedules", "spec.startingDeadlineSeconds"),
    ],
)
def test_a_cron_workflow_has_times_and_a_policy_that_argo_knows(old: str, new: str, path: str) -> None:
    assert only(CRON.replace(old, new)).field == path
    for good in ("@every 1h30m", "@daily", "*/5 0-6 1,15 JAN MON"):
        assert said(CRON.replace("0 3 * * *", good)) == []


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


def test_windows_files_are_read_and_others_are_told_where_they_cannot_be() -> None:
    for content in (GOOD.replace("\n", "\r\n").encode(), b"\xef\xbb\xbf" + GOOD.encode(), GOOD.encode("utf-16")):
        assert lint({"f.yaml": content}) == []
    assert "is it UTF-16" in only(GOOD.encode("utf-16-be").decode("latin-1")).message
    (finding,) = lint({"f.yaml": b"a: b\nc: \xff\n"})
    assert (finding.line, finding.message) == (2, "not UTF-8: invalid start byte at byte 8")
    nul = only(GOOD.replace("entrypoint: main", "entrypoint: ma\0in"))
    assert (nul.line, nul.column, nul.message) == (5, 17, "the character U+0000 is not allowed in YAML")
    tab = only(GOOD.replace("  entrypoint", "\tentrypoint"))
    assert (tab.line, tab.column) == (5, 1)
    assert tab.message.startswith("a tab stands here, where YAML wants blanks")


def test_json_is_read_as_programs_write_it() -> None:
    value = yaml.safe_load(GOOD)
    value["spec"]["templates"][0]["container"]["command"] = ["echo", "\N{GRINNING FACE} \\ud83d \t /"]
    for text in (json.dumps(value), json.dumps(value, indent="\t").replace("/", "\\/"), "\n" + json.dumps(value)):
        assert said(text) == []
        assert load(text) == [value]


def test_a_file_without_a_document_is_a_warning() -> None:
    assert only("").severity == only("# nothing\n---\n").severity == "warning"


@pytest.mark.parametrize("name", ["größe", "../../etc", "Upper", "a_b", "-a", "a-", "a..b", "x" * 254])
def test_a_name_that_no_object_can_have_is_an_error_in_kubernetes_words(name: str) -> None:
    finding = only(GOOD.replace("{name: w}", f"{{name: {name}}}"))
    assert (finding.line, finding.column, finding.field) == (3, 18, "metadata.name")
    assert finding.message.startswith(f'Invalid value: "{name[:100]}": ')
    assert ("RFC 1123 subdomain" in finding.message) == (len(name) < 254)


def test_names_that_kubernetes_takes_are_fine_and_argos_own_limits_are_told() -> None:
    for metadata in ("{name: a.b-c.1}", "{generateName: a-}", "{generateName: a.b-}"):
        assert said(GOOD.replace("{name: w}", metadata)) == []
    assert only(GOOD.replace("{name: w}", "{generateName: AB-}")).field == "metadata.generateName"
    long = "x" * 64
    assert only(GOOD.replace("{name: w}", f"{{name: {long}}}")).message.startswith(f'workflow name "{long}" must not')
    template = only(TEMPLATE.replace("{name: tools}", f"{{name: {long}}}"))
    assert template.message.startswith(f'workflow template name "{long}" must not be more than 63')
    assert "more than 52 characters" in only(CRON.replace("nightly", "x" * 53)).message


def test_an_object_needs_a_name_unless_it_gets_one_later() -> None:
    text = GOOD.replace("{name: w}", "{labels: {a: b}}")
    assert only(text).message == "Required value: name or generateName is required"
    assert lint({"f.yaml": text}, named=False) == []


@pytest.mark.parametrize("written", ["n", "0123", "1e3", "0x1F", "1_000", "True"])
def test_the_hint_to_write_quotes_has_what_was_written(written: str) -> None:
    finding = only(GOOD.replace("entrypoint: main", f"entrypoint: {written}"))
    assert finding.message.endswith(f'(write it in quotes: "{written}")')


def test_a_message_never_repeats_a_whole_manifest() -> None:
    tag = "{{inputs.parameters." + "x" * 5000 + "}}"
    finding = only(GOOD.replace('["true"]', f'[echo, "{tag}"]'))
    assert (finding.line, finding.column) == (10, 24)
    assert len(finding.message) < 700
    assert finding.message.startswith("templates.main: failed to resolve {{inputs.parameters.x")


STEP = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  arguments: {parameters: [{name: a, value: b}]}
  templates:
  - name: main
    dag:
      tasks:
      - {name: one, template: t}
      - name: two
        template: t
        FIELD
  - name: t
    inputs: {parameters: [{name: p, default: x}]}
    container: {image: busybox, command: ["true"]}
"""


@pytest.mark.parametrize("sequence", ["{start: '1', end: '1000000'}", "{count: 1000000}"])
def test_a_sequence_that_is_too_long_here_is_told_once(sequence: str) -> None:
    finding = only(STEP.replace("FIELD", f"withSequence: {sequence}"))
    assert finding.message == "runs on Argo only: the loop has 1000000 items; at most 20000 are allowed"


@pytest.mark.parametrize(
    ("field", "column", "words"),
    [
        ('when: "a == == b"', 15, "Invalid 'when' expression 'a == == b': Cannot transition token types"),
        ("when: \"'{{workflow.parameters.a}}' == (1\"", 15, "Unbalanced parenthesis"),
        ("when: 1 + 1", 15, "Expected boolean evaluation for '1 + 1'. Got 2"),
        ('when: "{{=1 +}} == 1"', 16, "{{=1 +}}: unexpected token EOF (1:3)"),
        ('depends: "one &&"', 18, "unable to evaluate expression 'one &&': unexpected token EOF (1:6)"),
        ("withParam: '{}'", 20, "withParam value could not be parsed as a JSON list"),
        ("withParam: '[1'", 20, "withParam value could not be parsed as a JSON list"),
        ("withSequence: {count: x}", 23, 'parsing "x": invalid syntax'),
        ("hooks: {running: {template: t, expression: 'a b'}}", 52, 'unexpected token Identifier("b")'),
        ("arguments: {parameters: [{name: p, value: '{{=1 +}}'}]}", 52, "{{=1 +}}: unexpected token EOF"),
    ],
)
def test_what_argo_takes_and_cannot_read_when_it_runs_is_a_warning(field: str, column: int, words: str) -> None:
    finding = only(STEP.replace("FIELD", field))
    assert (finding.severity, finding.line, finding.column) == ("warning", 14, column)
    assert finding.message.startswith("fails when it runs: ")
    assert words in finding.message


@pytest.mark.parametrize(
    "field",
    [
        'when: "{{workflow.parameters.a}} == b"',
        'when: "{{workflow.parameters.a}} {{workflow.parameters.a}} 3"',
        'when: "{{=1 + 1}} == 2 && true"',
        "withParam: '{{workflow.parameters.a}}'",
        "withParam: '[{{workflow.parameters.a}}]'",
        "withSequence: {count: '{{workflow.parameters.a}}'}",
        "depends: one.Succeeded || (one && !one.Failed)",
        "arguments: {parameters: [{name: p, value: '{{=workflow.parameters.a ?? 1}}'}]}",
    ],
)
def test_what_may_be_right_once_tags_have_values_is_left_alone(field: str) -> None:
    assert said(STEP.replace("FIELD", field)) == []


@pytest.mark.parametrize(
    ("there", "written", "hint"),
    [
        ('["true"]', "echo", '(write it as a list: ["echo"])'),
        ('["true"]', "echo hello", "(write it as a list: [a, b])"),
        ('["true"]', "{a: b}", "(write a - before it: it is a list)"),
        ("container:", "steps:\n    - name: a\n      template: main\n    container:", "(write one more - before it"),
    ],
)
def test_what_has_to_be_a_list_says_how_it_is_written(there: str, written: str, hint: str) -> None:
    assert any(hint in one.message for one in lint({"f.yaml": GOOD.replace(there, written)}))


@pytest.mark.parametrize("kind", ["workflow", "WorkFlow", "Workflo"])
def test_a_kind_in_wrong_letters_is_an_error(kind: str) -> None:
    finding = only(GOOD.replace("kind: Workflow", f"kind: {kind}"))
    assert (finding.severity, finding.line) == ("error", 2)
    assert finding.message == f"has to be Workflow, not {kind}"
