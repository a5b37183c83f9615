"""Runs of schemas: asked for, checked before anything is stored, pinned to a version, their files kept."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from app.artifacts import repository
from app.catalogs.models import Catalog
from app.executions import housekeeping, services
from app.executions.errors import NotAllowed, StillInUse
from app.executions.models import Execution, Kind
from app.executions.requests import workflow_name as name
from app.executions.states import State
from app.modules.faults import Faulty
from app.schemas import services as schemas
from app.schemas.models import Origin, Schema, SchemaVersion
from tests import factories
from tests.integration.executions.fake_engine import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("static_files")]

Work = Callable[[], None]
TEXT = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: tables-
  annotations:
    orchestra/inputs: '{"count": {"type": "integer", "minimum": 1}}'
    orchestra/outputs: '{"events": {"type": "TT", "description": "hours"}}'
spec:
  entrypoint: main
  arguments:
    parameters: [{name: count, value: "2"}]
    artifacts: [{name: text, optional: true}]
  templates:
    - name: main
      inputs: {artifacts: [{name: text, path: /tmp/in, optional: true}]}
      outputs:
        artifacts: [{name: events, path: /tmp/events.txt, archive: {none: {}}}]
        parameters: [{name: sum, valueFrom: {path: /tmp/sum}}]
      container: {image: busybox, command: [echo, "{{workflow.parameters.count}}"]}
"""


def asked(**given: Any) -> Execution:
    return services.request_schema(schemas.save(TEXT).version, **given).execution


def end(world: World, execution: Execution, *, content: bytes, phase: str = "Succeeded") -> str:
    """Let the run end, with its file stored as the engine does; returns the file's key."""
    key = f"default/{name(execution)}/{name(execution)}/events"
    repository.write(key, content)
    world.start(name(execution), template="main", log=b"a line\n")
    world.end(name(execution), template="main", phase=phase, code=0 if phase == "Succeeded" else 1)
    root = world.workflows[name(execution)]["status"]["nodes"][name(execution)]
    root["outputs"] = {
        "parameters": [{"name": "sum", "value": "3"}],
        "artifacts": [{"name": "events", "s3": {"key": key}}, {"name": "foreign", "s3": {"key": "executions/1/x"}}],
    }
    return key


EVENTS = b"2001-03-28T00:00:00 2001-03-28T03:00:00\n"


def test_a_run_has_its_files_its_results_and_its_catalog(shipped: None, world: World, work: Work) -> None:
    execution = asked(arguments={"count": "3"})
    repository.write("executions/1/x", b"somebody else's")
    work()
    parameters = world.workflows[name(execution)]["spec"]["arguments"]["parameters"]
    assert parameters == [{"name": "count", "value": "3"}]
    assert "generateName" not in world.workflows[name(execution)]["metadata"]
    key = end(world, execution, content=EVENTS)
    work()
    execution.refresh_from_db()
    assert (execution.state, execution.kind, execution.message) == (State.SUCCEEDED, Kind.SCHEMA, "")
    [file] = services.outputs(execution)
    assert (file.name, file.role, file.type, file.artifact.key) == ("events", "output", "TT", key)
    assert file.artifact.sha256 == hashlib.sha256(EVENTS).hexdigest()
    assert Catalog.objects.get(artifact=file.artifact).event_count == 1
    shown = Client().get(f"/api/v1/executions/{execution.pk}").json()
    assert shown["results"] == {"sum": "3"}
    assert shown["schema"] == {"name": "tables", "version": 1}
    assert shown["arguments"] == {"count": "3"}
    assert Client().get(f"/api/v1/executions/{execution.pk}/log").content == b"a line\n"
    assert Client().get(f"/api/v1/executions/{execution.pk}/output").status_code == 200


def test_a_malformed_table_is_told_and_a_failed_runs_files_are_kept(shipped: None, world: World, work: Work) -> None:
    malformed, failed = asked(), asked()
    work()
    end(world, malformed, content=b"yesterday\n")
    end(world, failed, content=b"half", phase="Failed")
    work()
    malformed.refresh_from_db()
    failed.refresh_from_db()
    assert (malformed.state, malformed.reason) == (State.FAILED, "OutputMalformed")
    assert "events is malformed: line 1" in malformed.message
    assert (failed.state, failed.reason) == (State.FAILED, "NodeFailed")
    assert [file.name for file in services.outputs(failed)] == ["events"]


@pytest.mark.parametrize(
    ("declared", "state"), [("", State.FAILED), (', "required": false', State.SUCCEEDED)], ids=["promised", "optional"]
)
def test_an_output_that_a_schema_promises_has_to_be_there(
    shipped: None, world: World, work: Work, declared: str, state: str
) -> None:
    text = TEXT.replace('"description": "hours"', '"description": "hours"' + declared)
    execution = services.request_schema(schemas.save(text).version).execution
    work()
    end(world, execution, content=EVENTS)
    del world.workflows[name(execution)]["status"]["nodes"][name(execution)]["outputs"]["artifacts"]
    work()
    execution.refresh_from_db()
    assert execution.state == state
    assert (execution.reason == "OutputMissing") is (state == State.FAILED)
    assert ("promises: events" in execution.message) is (state == State.FAILED)


def test_a_run_keeps_its_version_whatever_is_saved_later(shipped: None, world: World, work: Work) -> None:
    execution = asked()
    schemas.save(TEXT.replace("busybox", "debian"))
    work()
    assert world.workflows[name(execution)]["spec"]["templates"][0]["container"]["image"] == "busybox"
    again = services.resubmit(execution)
    assert again.schema_version_id == execution.schema_version_id


def test_a_file_of_another_run_is_an_input(shipped: None, world: World, work: Work) -> None:
    first = asked()
    work()
    key = end(world, first, content=EVENTS)
    work()
    [file] = services.outputs(first)
    second = asked(arguments={"text": {"artifact": file.pk}})
    third = asked(arguments={"text": "words"})
    work()
    [given] = world.workflows[name(second)]["spec"]["arguments"]["artifacts"]
    assert given == {"name": "text", "s3": {"key": key}}
    [given] = world.workflows[name(third)]["spec"]["arguments"]["artifacts"]
    assert given == {"name": "text", "raw": {"data": "words"}}
    with pytest.raises(Faulty, match="there is no artifact 987654"):
        asked(arguments={"text": {"artifact": 987654}})


def test_every_fault_is_told_before_anything_is_stored(shipped: None) -> None:
    version = schemas.save(TEXT).version
    with pytest.raises(Faulty) as raised:
        services.request_schema(version, arguments={"count": "0", "other": 1, "text": 5}, priority=10**9)
    assert {fault.path for fault in raised.value.faults} == {"count", "other", "text", "priority"}
    assert not Execution.objects.exists()


def test_what_the_engine_cannot_run_is_refused_when_it_is_asked_for(shipped: None) -> None:
    sidecars = TEXT.replace("      container:", "      sidecars: [{name: beside, image: busybox}]\n      container:")
    version = schemas.save(sidecars.replace("busybox, command", "nowhere/nothing, command")).version
    assert {one["severity"] for one in version.warnings} == {"warning"}
    with pytest.raises(Faulty, match="cannot run here") as raised:
        services.request_schema(version)
    assert "spec.templates[0].sidecars" in {fault.path for fault in raised.value.faults}
    assert not Execution.objects.exists()


def test_an_idempotency_key_makes_one_run(shipped: None) -> None:
    version = schemas.save(TEXT).version
    first = services.request_schema(version, idempotency_key="k")
    again = services.request_schema(version, idempotency_key="k")
    assert (first.created, again.created, again.execution) == (True, False, first.execution)
    with pytest.raises(services.KeyConflict):
        services.request_schema(version, arguments={"count": 5}, idempotency_key="k")


def test_a_schema_in_use_is_not_removed(shipped: None, world: World, work: Work) -> None:
    execution = asked()
    schema = Schema.objects.get(name="tables")
    answer = Client().delete("/api/v1/schemas/tables")
    assert (answer.status_code, answer.json()["executions"]) == (409, [execution.pk])
    with pytest.raises(StillInUse, match=str(execution.pk)):
        services.remove_schema(schema)
    services.cancel(execution)
    assert Client().delete("/api/v1/schemas/tables").status_code == 204
    assert Client().get("/api/v1/schemas/tables").status_code == 404
    assert Client().get(f"/api/v1/executions/{execution.pk}").json()["schema"]["name"] == "tables"
    with pytest.raises(NotAllowed, match="was removed"):
        services.resubmit(execution)
    assert Client().delete("/api/v1/schemas/predict").status_code == 409


def test_only_orchestra_runs_what_is_given_more(shipped: None) -> None:
    for own in ("predict", "build"):
        with pytest.raises(NotAllowed, match="Orchestra itself"):
            services.request_schema(schemas.current(own), arguments={"key": "executions/1/1", "image": "x"})


def test_a_sent_manifest_runs_and_is_not_kept_if_it_is_refused(shipped: None) -> None:
    body = {"manifest": TEXT, "arguments": {"count": 4}}
    answer = Client().post("/api/v1/executions", body, "application/json")
    assert answer.status_code == 201
    sent = Schema.objects.get(origin=Origin.SENT)
    assert answer.json()["schema"] == {"name": sent.name, "version": 1}
    assert Client().post("/api/v1/executions", body, "application/json").json()["schema"]["name"] == sent.name
    refused = {"manifest": TEXT + "# another", "arguments": {"count": 0}}
    assert Client().post("/api/v1/executions", refused, "application/json").status_code == 422
    assert SchemaVersion.objects.filter(schema__origin=Origin.SENT).count() == 1
    listed = Client().get("/api/v1/schemas").json()["items"]
    assert [one["name"] for one in listed] == ["build", "predict"]
    assert [one["schema"]["name"] for one in Client().get(f"/api/v1/executions?schema={sent.name}").json()["items"]]


def test_sent_manifests_are_forgotten_once_no_execution_is_of_them(shipped: None) -> None:
    kept, gone = services.send(TEXT).execution, services.send(TEXT + "# another").execution
    name = gone.schema_version.schema.name
    schemas.save(TEXT)
    Execution.objects.filter(pk=gone.pk).delete()
    assert housekeeping.forget_sent(older_than=3600) == 0
    Schema.objects.update(created_at=timezone.now() - timedelta(days=8))
    assert [one.name for one in housekeeping.forgettable(older_than=3600)] == [name]
    assert housekeeping.forget_sent(older_than=3600) == 1
    assert set(Schema.objects.exclude(origin=Origin.SHIPPED).values_list("name", flat=True)) == {
        "tables", kept.schema_version.schema.name
    }  # fmt: skip
    assert services.send(TEXT + "# another").execution.schema_version.schema.name == name


def test_a_manifest_that_is_sent_while_it_is_forgotten_runs_all_the_same(shipped: None) -> None:
    failures: list[Exception] = []

    def forget() -> None:
        try:
            housekeeping.forget_sent(older_than=3600)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    for turn in range(6):
        text = f"{TEXT}# {turn}"
        schemas.save(text, origin=Origin.SENT)
        Schema.objects.filter(origin=Origin.SENT).update(created_at=timezone.now() - timedelta(days=8))
        thread = threading.Thread(target=forget)
        thread.start()
        execution = services.send(text).execution
        thread.join()
        assert failures == []
        assert Execution.objects.get(pk=execution.pk).schema_version.text == text


def test_saving_answers_with_the_version_or_every_fault_and_its_line(shipped: None) -> None:
    def save(**body: Any) -> Any:
        return Client().post("/api/v1/schemas", body, "application/json")

    made = save(manifest=TEXT)
    assert (made.status_code, made.json()["version"], made.json()["manifest"]) == (201, 1, TEXT)
    assert save(manifest=TEXT, name="tables").status_code == 200
    assert save(manifest=TEXT, inputs={"count": {"maximum": 9}}).json()["version"] == 2
    assert Client().get("/api/v1/schemas/tables?version=1").json()["version"] == 1
    faulty = save(manifest=TEXT.replace("entrypoint", "entrypont"))
    assert faulty.status_code == 422
    assert ("spec.entrypont", 10) in {(one["path"], one["line"]) for one in faulty.json()["faults"]}
    assert save(manifest=TEXT, name="predict").status_code == 409
    assert factories.schema("greeting", versions=3).number == 3
