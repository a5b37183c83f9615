"""Schemas: what ships is loaded once, a new text is a new version, a bad one is refused with its reason."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from jsonschema import Draft202012Validator

from app.schemas import services
from app.schemas.models import Origin, Schema, SchemaVersion
from app.schemas.services import BadArguments, BadSchema, NotChangeable

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  name: hello
  annotations:
    orchestra/inputs: '{"count": {"pattern": "^[0-9]+$"}}'
spec:
  entrypoint: main
  arguments:
    parameters:
      - name: who
        description: whom to greet
        enum: [world, moon]
        value: world
      - name: count
  templates:
    - name: main
      container: {image: busybox, command: [echo, "{{workflow.parameters.who}}"]}
"""


ANNOTATION = """'{"count": {"pattern": "^[0-9]+$"}}'"""


@pytest.fixture(autouse=True)
def shipped(db: None) -> None:
    """What `migrate` leaves; tests before this one may have emptied the tables."""
    services.load_shipped()


def test_what_ships_is_there_after_migrate() -> None:
    SchemaVersion.objects.all().delete()
    Schema.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert {"build", "predict"} <= set(Schema.objects.filter(origin=Origin.SHIPPED).values_list("name", flat=True))


def test_loading_again_changes_nothing() -> None:
    before = list(SchemaVersion.objects.values_list("pk", flat=True))
    assert services.load_shipped() == []
    assert list(SchemaVersion.objects.values_list("pk", flat=True)) == before


def test_a_changed_file_is_a_new_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "FOLDER", tmp_path)
    (tmp_path / "hello.yaml").write_text(TEXT)
    [first] = services.load_shipped()
    (tmp_path / "hello.yaml").write_text(TEXT.replace("moon", "mars"))
    [second] = services.load_shipped()
    assert (first.number, second.number) == (1, 2)
    assert services.current("hello") == second
    assert SchemaVersion.objects.get(pk=first.pk).text == TEXT


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "hello.yaml",
            TEXT.replace("entrypoint", "entrypont").encode(),
            r"schemas/hello.yaml: line 9, column 14: .*entrypont",
        ),
        ("hello.yaml", b"\xff", r"schemas/hello.yaml: .*UTF-8"),
        ("Hello!.yaml", TEXT.encode(), r"schemas/Hello!.yaml: name: .*small letters"),
        ("hello.inputs.json", b"{", r"schemas/hello.yaml: hello.inputs.json: is not JSON"),
        ("hello.inputs.json", b"[" * 100_000, r"schemas/hello.yaml: hello.inputs.json: is not JSON"),
        ("hello.inputs.json", b"[]", r"schemas/hello.yaml: inputs: is not an object"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_named_and_what_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, words: str
) -> None:
    monkeypatch.setattr(services, "FOLDER", tmp_path)
    (tmp_path / "hello.yaml").write_text(TEXT)
    services.load_shipped()
    (tmp_path / "hello.yaml").write_text(TEXT + "# changed")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CommandError, match=words):
        call_command("migrate", verbosity=0)
    assert services.current("hello").number <= 2
    assert SchemaVersion.objects.get(schema__name="hello", number=1).text == TEXT


def test_what_ships_changes_whatever_refers_to_it_and_that_is_told_when_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = TEXT.replace("kind: Workflow", "kind: WorkflowTemplate").replace("name: hello", "name: tools")
    monkeypatch.setattr(services, "FOLDER", tmp_path)
    (tmp_path / "tools.yaml").write_text(template)
    services.load_shipped()
    services.save("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: user}\n"
                  "spec: {workflowTemplateRef: {name: tools}}\n", inputs={"count": {"type": "integer"}})  # fmt: skip
    (tmp_path / "tools.yaml").write_text(template.replace("- name: count", "- name: times").replace(ANNOTATION, "'{}'"))
    assert [version.number for version in services.load_shipped()] == [2]
    with pytest.raises(BadSchema, match="count: there is no such name"):
        services.arguments(services.run(services.current("user")), {"count": 1})


def test_the_manifest_and_its_inputs_are_kept_beside_the_text() -> None:
    saved = services.save(TEXT)
    version = saved.version
    assert saved.created
    assert version.manifest == yaml.safe_load(TEXT)
    assert version.text == TEXT
    Draft202012Validator.check_schema(version.inputs)
    assert version.inputs["properties"] == {
        "who": {"type": "string", "description": "whom to greet", "enum": ["world", "moon"], "default": "world"},
        "count": {"type": "string", "pattern": "^[0-9]+$"},
    }
    assert version.inputs["required"] == ["count"]


def test_a_schema_that_is_not_there_is_told() -> None:
    with pytest.raises(Schema.DoesNotExist, match="no schema 'absent'"):
        services.current("absent")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "line 2, column"),
        ("- 1", "has to be a mapping"),
        ("", "one document with kind: Workflow"),
        ("kind: Pod\nspec: {}", "one document with kind: Workflow"),
        (f"{TEXT}---\n{TEXT}", "one document with kind: Workflow"),
        ("!!python/object/apply:os.system ['true']", "is not allowed"),
        ("a: " + "x" * 2**21, "at most"),
        (TEXT.replace("entrypoint: main", "entrypoint: other"), "template name 'other' undefined"),
        (TEXT.replace("image: busybox", "image: busybox, privilleged: true"), "line 19, column"),
        (TEXT.replace("name: hello", "name: Not A Name"), "small letters"),
        (TEXT.replace("name: hello", "name: sent-hello"), "those of sent manifests"),
        (TEXT.replace("whom to greet", '"a\\0b"'), "cannot be stored"),
        (TEXT.replace(ANNOTATION, "'{'"), "not JSON"),
        (TEXT.replace(ANNOTATION, "'[1]'"), "not an object"),
        (TEXT.replace(ANNOTATION, """'{"other": {}}'"""), "no such name in spec.arguments"),
        (TEXT.replace(ANNOTATION, """'{"count": {"type": "date"}}'"""), "has to be one of"),
        (TEXT.replace(ANNOTATION, """'{"count": {"$ref": "http://127.0.0.1:9/"}}'"""), "not taken here"),
        (TEXT.replace(ANNOTATION, """'{"count": {"minimum": "x"}}'"""), "no JSON Schema"),
        (TEXT.replace(ANNOTATION, """'{"who": {"type": "integer"}}'"""), "is not a whole number"),
        (TEXT.replace("    orchestra/inputs", "    orchestra/grant"), "take it out"),
    ],
)
def test_a_text_that_is_no_schema_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadSchema, match=words):
        services.save(text)
    assert not Schema.objects.filter(origin=Origin.ADDED).exists()


def test_every_fault_is_told_with_its_line_and_column() -> None:
    text = TEXT.replace("entrypoint: main", "entrypont: main").replace("image: busybox", "imagge: busybox")
    with pytest.raises(BadSchema) as raised:
        services.save(text)
    found = {(fault.line, fault.path) for fault in raised.value.faults}
    assert {(9, "spec.entrypont"), (19, "spec.templates[0].container.imagge")} <= found
    assert all(fault.column > 1 for fault in raised.value.faults)


def test_no_run_may_write_over_anothers_files() -> None:
    outputs = "      outputs: {artifacts: [{name: out, path: /tmp/x, s3: {key: KEY}}]}\n"
    for key in ("executions/1/1/output/events.txt", "'{{workflow.name}}/../other/x'", "'{{workflow.name}}-1/x'"):
        with pytest.raises(BadSchema, match="has to begin with"):
            services.save(TEXT + outputs.replace("KEY", key))
    assert services.save(TEXT + outputs.replace("KEY", "'{{workflow.name}}/x.txt'")).created


def test_what_runs_on_one_engine_only_is_stored_as_a_warning() -> None:
    sidecar = "      sidecars: [{name: beside, image: busybox}]\n"
    version = services.save(TEXT + sidecar).version
    [warning] = version.warnings
    assert (warning["severity"], warning["path"], warning["line"]) == ("warning", "spec.templates[0].sidecars", 20)
    assert "Argo only" in warning["message"]


def test_a_side_file_says_what_the_manifest_does_not() -> None:
    side = {"count": {"type": "integer", "minimum": 1, "description": "how often"}}
    version = services.save(TEXT, inputs=side).version
    assert version.inputs["properties"]["count"] == {
        "type": "integer",
        "minimum": 1,
        "description": "how often",
        "pattern": "^[0-9]+$",
    }
    assert not services.save(TEXT, name="hello", inputs=side).created
    assert not services.save(TEXT, inputs=None).created
    changed = services.save(TEXT.replace("moon", "mars")).version
    assert (changed.number, changed.side) == (2, side)
    assert changed.inputs["properties"]["count"]["type"] == "integer"
    assert services.save(TEXT, inputs={}).version.inputs["properties"]["count"] == {
        "type": "string",
        "pattern": "^[0-9]+$",
    }
    with pytest.raises(BadSchema) as raised:
        services.save(TEXT, inputs={"nobody": {}})
    assert raised.value.faults[0].path == "inputs"


def test_what_was_kept_of_a_version_before_and_no_longer_fits_is_told() -> None:
    services.save(TEXT, inputs={"count": {"type": "integer"}})
    with pytest.raises(BadSchema, match=r"count: there is no such name .*kept from the version before"):
        services.save(TEXT.replace("- name: count", "- name: times").replace(ANNOTATION, "'{}'"))


def test_outputs_are_those_of_the_entrypoint_and_the_global_ones() -> None:
    text = TEXT.replace(
        "      container:",
        "      outputs:\n"
        "        parameters: [{name: sum, valueFrom: {path: /tmp/sum}}]\n"
        "        artifacts: [{name: log, path: /tmp/log, globalName: whole-log}]\n"
        "      container:",
    ).replace("  annotations:\n", """  annotations:\n    orchestra/outputs: '{"sum": {"description": "of all"}}'\n""")
    assert services.save(text).version.outputs == {
        "parameters": {"sum": {"description": "of all", "required": True}},
        "artifacts": {"log": {}, "whole-log": {}},
    }


def test_arguments_are_checked_and_become_the_text_that_argo_wants() -> None:
    side = {"count": {"type": "integer", "minimum": 1}}
    version = services.save(TEXT, inputs=side).version
    run = services.run(version)
    assert services.arguments(run, {"count": 3}) == {"who": "world", "count": "3"}
    assert services.arguments(run, {"count": "3", "who": "moon"}) == {"who": "moon", "count": "3"}
    with pytest.raises(BadArguments) as raised:
        services.arguments(run, {"count": "0", "who": "mars", "cuont": "x"})
    told = {fault.path: fault.message for fault in raised.value.faults}
    assert told["cuont"] == "unknown argument, did you mean count?"
    assert told["who"] == "'mars' is none of 'world', 'moon'"
    assert "minimum" in told["count"]
    for wrong in ("many", "1.5", "", None, True, [1], "1" * 40):
        with pytest.raises(BadArguments, match=r"count: .*is not a whole number"):
            services.arguments(run, {"count": wrong})
    with pytest.raises(BadArguments, match="count: needs a value"):
        services.arguments(run, {})


def test_a_saved_version_never_changes_and_a_removed_name_may_be_taken_again() -> None:
    first = services.save(TEXT).version
    second = services.save(TEXT.replace("moon", "mars")).version
    assert SchemaVersion.objects.get(pk=first.pk).text == TEXT
    services.remove(second.schema)
    with pytest.raises(Schema.DoesNotExist):
        services.current("hello")
    again = services.save(TEXT).version
    assert (again.number, again.schema_id != first.schema_id) == (1, True)
    assert SchemaVersion.objects.filter(pk__in=[first.pk, second.pk]).count() == 2


def test_what_ships_is_neither_changed_nor_removed() -> None:
    shipped = services.current("predict").schema
    with pytest.raises(NotChangeable, match="ships with Orchestra"):
        services.remove(shipped)
    with pytest.raises(NotChangeable, match="another name"):
        services.save(TEXT, name="predict")
    assert services.current("predict").schema == shipped


def test_a_sent_manifest_is_kept_once_and_named_by_its_content() -> None:
    first = services.save(TEXT, origin=Origin.SENT)
    again = services.save(TEXT, origin=Origin.SENT)
    assert (first.created, again.created, again.version) == (True, False, first.version)
    assert first.version.schema.name == f"sent-{first.version.digest[:16]}"


def test_texts_saved_at_once_are_numbered_one_by_one() -> None:
    failures: list[Exception] = []

    def save(number: int) -> None:
        try:
            services.save(TEXT.replace("moon", f"moon{number}"))
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=save, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    numbers = SchemaVersion.objects.filter(schema__name="hello").values_list("number", flat=True)
    assert sorted(numbers) == [1, 2, 3, 4, 5]


def test_the_manifests_agree_with_their_definitions() -> None:
    call_command("write_schemas", "--check")


def test_a_manifest_that_was_edited_by_hand_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.schemas.management.commands import write_schemas

    monkeypatch.setattr(write_schemas, "FOLDER", tmp_path)
    call_command("write_schemas", stdout=StringIO())
    call_command("write_schemas", "--check")
    (tmp_path / "build.yaml").write_text("kind: Workflow\n")
    (tmp_path / "stray.yaml").write_text("kind: Workflow\n")
    with pytest.raises(CommandError, match=r"build\.yaml, stray\.yaml; run manage\.py write_schemas"):
        call_command("write_schemas", "--check")
    call_command("write_schemas", stdout=StringIO())
    call_command("write_schemas", "--check")
    assert not (tmp_path / "stray.yaml").exists()


def test_serving_never_loads_what_is_heavy() -> None:
    program = (
        "import sys, django; django.setup(); import app.modules.services, app.schemas.services, app.urls; "
        "print(*sorted({'hera', 'kubernetes', 'pandas', 'numpy', 'speasy'} & set(sys.modules)))"
    )
    variables = {**os.environ, "DJANGO_SETTINGS_MODULE": "app.settings"}
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, cwd=settings.BASE_DIR, env=variables, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == ""
