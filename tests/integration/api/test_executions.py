"""Asking for executions, reading their logs while they grow, and getting what they gave out."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from app.executions.models import Execution, Role
from app.executions.states import State
from app.modules.models import BuildState
from tests import factories

pytestmark = pytest.mark.django_db

JSON = "application/json"
TIMES = {"start": "2001-03-28T00:00:00", "stop": "2001-03-28T12:00:00Z"}


def ask(module: Any, body: dict[str, Any], **headers: str) -> Any:
    return Client().post(f"/api/v1/modules/{module.pk}/executions", body, JSON, headers=headers)


def test_a_run_is_asked_for_with_its_arguments() -> None:
    module = factories.module()
    response = ask(module, {**TIMES, "arguments": {"threshold": 0.7}, "priority": 3})
    assert response.status_code == 201
    made = response.json()
    assert made["state"] == "QUEUED"
    assert made["arguments"] == {"threshold": 0.7}
    assert (made["start"], made["stop"]) == ("2001-03-28T00:00:00Z", "2001-03-28T12:00:00Z")
    assert made["priority"] == 3
    assert made["version"]["commit"] == module.default.commit
    assert made["version"]["environment"] == module.default.environment.digest
    assert Client().get(response["Location"]).json()["id"] == made["id"]


def test_what_is_not_given_is_the_module_s_default() -> None:
    made = ask(factories.module(), {}).json()
    assert (made["start"], made["stop"]) == ("2001-03-28T00:00:00Z", "2001-03-29T00:00:00Z")
    assert made["arguments"] == {"threshold": 0.5}


def test_a_module_is_named_by_number_or_name_and_its_version_by_number_or_label() -> None:
    module = factories.module("storms")
    first = module.default
    factories.version(module, data=factories.metadata("storms", version="2.0.0"))
    for name in ("1", "1.0.0"):
        made = Client().post("/api/v1/modules/storms/executions", {"version": name}, JSON).json()
        assert made["version"]["number"] == first.number
    assert ask(module, {}).json()["version"]["label"] == "2.0.0"


def test_a_run_before_the_build_has_passed_waits_and_says_so() -> None:
    made = ask(factories.module("storms", built=False), {}).json()
    assert made["state"] == "QUEUED"
    assert "waits for build" in made["message"]
    assert "storms" in made["message"]


def test_the_same_key_is_answered_with_the_same_execution() -> None:
    module = factories.module()
    first = ask(module, TIMES, **{"Idempotency-Key": "k"})
    again = ask(module, TIMES, **{"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert again.json()["id"] == first.json()["id"]
    assert Execution.objects.filter(kind="prediction").count() == 1


def test_the_same_key_for_another_request_is_refused() -> None:
    module = factories.module()
    ask(module, TIMES, **{"Idempotency-Key": "k"})
    response = ask(module, {**TIMES, "arguments": {"threshold": 0.9}}, **{"Idempotency-Key": "k"})
    assert response.status_code == 422
    assert "key" in response.json()["error"]


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb"])
def test_a_key_that_cannot_be_is_told(key: str) -> None:
    assert ask(factories.module(), TIMES, **{"Idempotency-Key": key}).status_code == 400


def test_cancel_retry_and_resubmit() -> None:
    execution = factories.execution(factories.module())
    path = f"/api/v1/executions/{execution.pk}"
    assert Client().post(f"{path}/cancel").json()["state"] == "CANCELLED"
    assert Client().post(f"{path}/cancel").json()["state"] == "CANCELLED"
    retried = Client().post(f"{path}/retry").json()
    assert (retried["state"], retried["attempt"]) == ("QUEUED", 2)
    refused = Client().post(f"{path}/retry")
    assert refused.status_code == 409
    assert "QUEUED" in refused.json()["error"]
    again = Client().post(f"{path}/resubmit")
    assert again.status_code == 201
    assert again.json()["id"] != execution.pk
    assert again["Location"].endswith(f"/api/v1/executions/{again.json()['id']}")


def test_cancelling_what_runs_says_what_was_asked() -> None:
    execution = factories.execution(factories.module(), state=State.RUNNING)
    path = f"/api/v1/executions/{execution.pk}/cancel"
    assert [Client().post(path).json()["cancel_request"] for _ in range(2)] == ["STOP", "TERMINATE"]


def test_a_module_in_use_is_not_removed() -> None:
    module = factories.module()
    execution = factories.execution(module, state=State.RUNNING)
    response = Client().delete(f"/api/v1/modules/{module.pk}")
    assert response.status_code == 409
    assert str(execution.pk) in response.json()["error"]


def test_an_execution_tells_everything() -> None:
    module = factories.module()
    execution = factories.execution(module, state=State.SUCCEEDED)
    factories.file(execution, "events.txt", b"x", type="TT")
    told = Client().get(f"/api/v1/executions/{execution.pk}").json()
    assert told["module"] == {"id": module.pk, "name": module.name}
    assert [attempt["workflow_name"] for attempt in told["attempts"]] == [f"prediction-{execution.pk}-1"]
    assert [output["name"] for output in told["outputs"]] == ["events.txt"]
    assert told["nodes"] == []
    assert told["failure"] is None


# --- logs -------------------------------------------------------------------------------------------------------
def feed(monkeypatch: pytest.MonkeyPatch, text: bytearray) -> None:
    def log(execution: Execution, *, node_id: Any, attempt: Any, offset: int, limit: int) -> bytes:
        return bytes(text[offset : offset + limit])

    monkeypatch.setattr("app.executions.services.log", log)


def test_a_log_is_read_from_an_offset_until_nothing_more_will_come(monkeypatch: pytest.MonkeyPatch) -> None:
    text = bytearray(b"one\ntwo\n")
    feed(monkeypatch, text)
    execution = factories.execution(factories.module(), state=State.RUNNING)
    path = f"/api/v1/executions/{execution.pk}/log"
    first = Client().get(path)
    assert first.content == b"one\ntwo\n"
    assert first["Content-Type"] == "text/plain; charset=utf-8"
    assert (first["Orchestra-Log-Offset"], first["Orchestra-Final"]) == ("8", "false")
    text += b"three\n"
    Execution.objects.filter(pk=execution.pk).update(state=State.SUCCEEDED)
    rest = Client().get(f"{path}?offset=8")
    assert rest.content == b"three\n"
    assert (rest["Orchestra-Log-Offset"], rest["Orchestra-Final"]) == ("14", "true")


def test_a_log_is_not_said_to_end_before_all_of_it_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, bytearray(b"0123456789"))
    execution = factories.execution(factories.module(), state=State.SUCCEEDED)
    answers = []
    offset, final = "0", "false"
    while final == "false":
        response = Client().get(f"/api/v1/executions/{execution.pk}/log?limit=4&offset={offset}")
        offset, final = response["Orchestra-Log-Offset"], response["Orchestra-Final"]
        answers.append(response.content)
    assert b"".join(answers) == b"0123456789"


def test_waiting_for_a_log_ends_when_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    text = bytearray()
    feed(monkeypatch, text)
    asked = threading.Event()
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        asked.set()
        if len(sleeps) == 3:
            text.extend(b"line\n")

    monkeypatch.setattr("app.api.views.executions.time.sleep", sleep)
    execution = factories.execution(factories.module(), state=State.RUNNING)
    response = Client().get(f"/api/v1/executions/{execution.pk}/log?wait=30")
    assert response.content == b"line\n"
    assert len(sleeps) == 3


def test_waiting_for_a_log_ends_with_the_execution(monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, bytearray())
    execution = factories.execution(factories.module(), state=State.RUNNING)

    def sleep(seconds: float) -> None:
        Execution.objects.filter(pk=execution.pk).update(state=State.CANCELLED)

    monkeypatch.setattr("app.api.views.executions.time.sleep", sleep)
    response = Client().get(f"/api/v1/executions/{execution.pk}/log?wait=30")
    assert response.content == b""
    assert response["Orchestra-Final"] == "true"


def test_an_earlier_attempt_s_log_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, bytearray(b"x"))
    execution = factories.execution(factories.module(), state=State.RUNNING, attempt=2)
    path = f"/api/v1/executions/{execution.pk}/log"
    assert Client().get(f"{path}?attempt=1&wait=30")["Orchestra-Final"] == "true"
    assert Client().get(f"{path}?attempt=2")["Orchestra-Final"] == "false"


# --- what it gave out -------------------------------------------------------------------------------------------
def finished() -> Execution:
    execution = factories.execution(factories.module(), state=State.SUCCEEDED)
    main = factories.file(execution, "events.txt", b"2001-03-28T01:00:00 2001-03-28T02:00:00\n", type="TT")
    factories.catalog(main, [(factories.START + timedelta(hours=1), factories.START + timedelta(hours=2))])
    factories.file(execution, "plot.png", b"\x89PNG", role=Role.ANNEX, type="IMAGE")
    return execution


def content(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def test_the_original_is_served_as_the_module_wrote_it() -> None:
    execution = finished()
    artifacts = Client().get(f"/api/v1/executions/{execution.pk}/artifacts").json()["items"]
    assert [artifact["name"] for artifact in artifacts] == ["events.txt", "plot.png"]
    path = f"/api/v1/executions/{execution.pk}/artifacts/{artifacts[0]['id']}"
    original = Client().get(f"{path}?original=1")
    assert content(original) == b"2001-03-28T01:00:00 2001-03-28T02:00:00\n"
    assert original["ETag"] == f'"{artifacts[0]["sha256"]}"'
    served = Client().get(path)
    assert served["ETag"] != original["ETag"]
    assert content(served).startswith(b"# Name: ")
    assert b"2001-03-28T01:00:00 2001-03-28T02:00:00" in content(Client().get(path))
    assert Client().get(path, headers={"If-None-Match": served["ETag"]}).status_code == 304


def test_the_output_is_the_declared_file_and_annexes_come_by_name() -> None:
    path = f"/api/v1/executions/{finished().pk}/output"
    assert "events.txt" in Client().get(path)["Content-Disposition"]
    annex = Client().get(f"{path}?name=plot.png")
    assert content(annex) == b"\x89PNG"
    unknown = Client().get(f"{path}?name=../../../secret_key")
    assert unknown.status_code == 404
    assert "plot.png" in unknown.json()["error"]


def test_all_files_come_as_a_zip() -> None:
    import io
    import zipfile

    response = Client().get(f"/api/v1/executions/{finished().pk}/output?all=1")
    assert response["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(content(response))) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["events.txt", "plot.png"]


@pytest.mark.parametrize(
    "state", [State.QUEUED, State.SUBMITTED, State.RUNNING, State.FAILED, State.CANCELLED, State.LOST]
)
def test_what_has_not_succeeded_has_no_output(state: State) -> None:
    execution = factories.execution(factories.module(), state=state, message="because of it")
    response = Client().get(f"/api/v1/executions/{execution.pk}/output")
    assert response.status_code == 409
    assert response.json()["state"] == state
    assert "because of it" in response.json()["error"]


def test_a_file_of_a_failed_run_can_be_looked_at() -> None:
    execution = factories.execution(factories.module(), state=State.FAILED)
    factories.file(execution, "events.txt", b"malformed", type="TT")
    path = f"/api/v1/executions/{execution.pk}/output?name=events.txt"
    assert content(Client().get(path)) == b"malformed"


def test_a_file_of_another_execution_is_not_there() -> None:
    one, two = finished(), finished()
    theirs = two.artifacts.first()
    assert theirs is not None
    assert Client().get(f"/api/v1/executions/{one.pk}/artifacts/{theirs.pk}").status_code == 404


def test_a_catalog_comes_in_pages() -> None:
    execution = factories.execution(factories.module(), state=State.SUCCEEDED)
    hours = [factories.START + timedelta(hours=number) for number in range(5)]
    main = factories.file(execution, "events.txt", b"", type="TT")
    factories.catalog(main, [(hour, hour + timedelta(minutes=30)) for hour in hours])
    page = Client().get(f"/api/v1/executions/{execution.pk}/catalog?limit=2&offset=2").json()
    assert (page["type"], page["total"]) == ("TT", 5)
    assert [event["start"] for event in page["items"]] == ["2001-03-28T02:00:00Z", "2001-03-28T03:00:00Z"]
    assert "offset=4" in page["next"]
    assert "offset=0" in page["previous"]


def test_without_a_catalog_it_is_told() -> None:
    module = factories.module()
    done = factories.execution(module, state=State.SUCCEEDED)
    live = factories.execution(module, state=State.RUNNING)
    assert Client().get(f"/api/v1/executions/{done.pk}/catalog").status_code == 404
    assert Client().get(f"/api/v1/executions/{live.pk}/catalog").status_code == 409


# --- modules ----------------------------------------------------------------------------------------------------
def test_a_version_is_made_the_default_if_it_is_usable() -> None:
    module = factories.module()
    first = module.default
    factories.version(module)
    unbuilt = factories.version(module, built=False)
    path = f"/api/v1/modules/{module.pk}/default"
    assert Client().put(path, {"version": first.number}, JSON).json()["default"]["number"] == first.number
    refused = Client().put(path, {"version": unbuilt.number}, JSON)
    assert refused.status_code == 422
    assert "no environment" in refused.json()["error"]
    assert Client().put(path, {"version": 99}, JSON).status_code == 404


def test_a_build_tells_its_execution() -> None:
    module = factories.module()
    build = module.versions.get().builds.get()
    told = Client().get(f"/api/v1/builds/{build.pk}").json()
    assert (told["state"], told["execution"]) == (BuildState.PASSED, build.execution.pk)
    assert told["module"] == {"id": module.pk, "name": module.name}


def test_a_folder_is_refused_where_local_sources_are_off(settings: Any) -> None:
    settings.SOURCE_LOCAL = False
    response = Client().post("/api/v1/modules", {"path": "/tmp"}, JSON)
    assert response.status_code == 403
    assert Client().post("/api/v1/modules", {"git_url": "file:///tmp"}, JSON).status_code == 422


def test_a_source_is_exactly_one() -> None:
    for body in ({}, {"url": "https://example.org"}, {"git_url": "https://example.org/x.git", "path": "/tmp"}):
        assert Client().post("/api/v1/modules", body, JSON).status_code == 422


def test_the_published_schema_is_that_of_metadata() -> None:
    schema = Client().get("/api/v1/metadata-schema").json()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"name", "output", "install"} <= set(schema["properties"])


# --- the server -------------------------------------------------------------------------------------------------
def test_the_process_says_that_it_lives() -> None:
    assert Client().get("/api/v1/health").json() == {"status": "ok"}


def test_ready_needs_a_controller_that_is_alive() -> None:
    from django.utils import timezone

    from app.executions.models import Lease

    response = Client().get("/api/v1/ready")
    assert response.status_code == 503
    assert "controller" in response.json()["error"]
    lease, _ = Lease.objects.update_or_create(
        queue="default", defaults={"holder": "here", "expires_at": timezone.now() + timedelta(seconds=30)}
    )
    told = Client().get("/api/v1/ready")
    assert told.status_code == 200, json.dumps(told.json())
    assert {name for name, check in told.json()["checks"].items() if check["ok"]} == {
        "database", "migrations", "controller", "disk"
    }  # fmt: skip
    Lease.objects.filter(pk=lease.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert Client().get("/api/v1/ready").status_code == 503
