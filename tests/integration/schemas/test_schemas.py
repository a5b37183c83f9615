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
from app.schemas.models import Schema, SchemaVersion
from app.schemas.services import BadSchema

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


@pytest.fixture(autouse=True)
def shipped(db: None) -> None:
    """What `migrate` leaves; tests before this one may have emptied the tables."""
    services.load_shipped()


def test_what_ships_is_there_after_migrate() -> None:
    SchemaVersion.objects.all().delete()
    Schema.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert {"build", "predict"} <= set(Schema.objects.filter(shipped=True).values_list("name", flat=True))


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


def test_the_manifest_and_its_inputs_are_kept_beside_the_text() -> None:
    version, created = services.save("hello", TEXT)
    assert created
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
        ("a: [", "not YAML"),
        ("- 1", "not a Workflow"),
        ("kind: Pod\nspec: {}", "not a Workflow"),
        ("kind: Workflow", "a spec"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
        ("a: " + "x" * 2**20, "larger than"),
        (TEXT.replace("""'{"count": {"pattern": "^[0-9]+$"}}'""", "'{'"), "not JSON"),
        (TEXT.replace("""'{"count": {"pattern": "^[0-9]+$"}}'""", "'[1]'"), "not an object"),
    ],
)
def test_a_text_that_is_no_manifest_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadSchema, match=words):
        services.save("hello", text)
    assert not Schema.objects.filter(name="hello").exists()


def test_texts_saved_at_once_are_numbered_one_by_one() -> None:
    failures: list[Exception] = []

    def save(number: int) -> None:
        try:
            services.save("hello", TEXT.replace("moon", f"moon{number}"))
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
