"""AMDA's contract, as AMDA calls it, and the older Orchestra's dialect on the singular paths."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from app.executions.models import Execution, Role
from app.executions.states import State
from app.modules.models import Module
from tests import factories

pytestmark = pytest.mark.django_db

RUN = "start=2001-03-28T00:00:00&stop=2001-03-28T12:00:00"


def content(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def finish(number: int, *, annexes: tuple[str, ...] = ()) -> None:
    """What the controller does at the end."""
    Execution.objects.filter(pk=number).update(state=State.SUCCEEDED)
    execution = Execution.objects.get(pk=number)
    main = factories.file(execution, "events.txt", b"2001-03-28T01:00:00 2001-03-28T02:00:00\n", type="TT")
    factories.catalog(main, [(factories.START + timedelta(hours=1), factories.START + timedelta(hours=2))])
    for name in annexes:
        factories.file(execution, name, b"annex", role=Role.ANNEX, type="TS")


def test_the_client_s_loop() -> None:
    """GET run, poll the status until done, GET output: what AMDA does."""
    module = factories.module("storms")
    assert [found["id"] for found in Client().get("/modules").json()] == [module.pk]
    started = Client().get(f"/modules/{module.pk}/run?{RUN}").json()
    assert started["status"] == "idle"
    assert started["output"] == ["events.txt"]
    number = started["task"]
    assert Client().get(f"/tasks/{number}").json()["status"] == "idle"
    unfinished = Client().get(f"/tasks/{number}/output")
    assert unfinished.status_code == 409
    assert unfinished.json()["status"] == "idle"
    Execution.objects.filter(pk=number).update(state=State.RUNNING)
    assert Client().get(f"/tasks/{number}").json()["status"] == "running"
    finish(number, annexes=("hours.csv",))
    task = Client().get(f"/tasks/{number}").json()
    assert task["status"] == "done"
    assert task["output"] == ["events.txt", "hours.csv"]
    output = Client().get(f"/tasks/{number}/output")
    text = content(output).decode()
    assert text.startswith("# Name: ")
    assert text.splitlines()[-1] == "2001-03-28T01:00:00 2001-03-28T02:00:00"
    assert "events.txt" in output["Content-Disposition"]
    assert Client().get(f"/tasks/{number}/output", headers={"If-None-Match": output["ETag"]}).status_code == 304
    assert content(Client().get(f"/tasks/{number}/output?name=hours.csv")) == b"annex"


def test_the_older_client_s_loop() -> None:
    module = factories.module("storms")
    assert Client().get("/module").json() == [{"id": module.pk, "name": "storms"}]
    started = Client().get(f"/module/{module.pk}/run?{RUN}").json()
    assert started == {"status": "running", "task": started["task"]}
    number = started["task"]
    assert Client().get("/task").json() == [number]
    assert Client().get(f"/task/{number}").json()["status"] == "running"
    finish(number)
    task = Client().get(f"/task/{number}").json()
    assert (task["status"], task["output"]) == ("done", ["events.txt"])
    assert (task["start"], task["stop"]) == (985737600.0, 985780800.0)
    assert content(Client().get(f"/task/{number}/output")).startswith(b"# Name: ")


@pytest.mark.parametrize(
    ("state", "new", "old"),
    [
        (State.QUEUED, "idle", "running"),
        (State.SUBMITTED, "idle", "running"),
        (State.RUNNING, "running", "running"),
        (State.SUCCEEDED, "done", "done"),
        (State.FAILED, "error", "error"),
        (State.LOST, "error", "error"),
        (State.CANCELLED, "terminated", "terminated"),
    ],
)
def test_every_state_has_its_word(state: State, new: str, old: str) -> None:
    execution = factories.execution(factories.module(), state=state)
    assert Client().get(f"/tasks/{execution.pk}").json()["status"] == new
    assert Client().get(f"/task/{execution.pk}").json()["status"] == old
    assert [task["id"] for task in Client().get(f"/tasks?status={new}").json()] == [execution.pk]
    assert Client().get(f"/task?status={old}").json() == [execution.pk]
    assert Client().get(f"/task?status={state}").json() == [execution.pk]


def test_objects_carry_the_keys_of_both_dialects() -> None:
    module = factories.module(
        "storms", description='it\'s "fine" <b>', annexes_outputs=[{"type": "TS", "filename": "h"}]
    )
    shown = Client().get(f"/modules/{module.pk}").json()
    assert {"id", "name", "version", "image_docker_tag", "description", "git_url", "output", "defaults",
            "annexes_outputs", "install", "args", "hyperparameters", "status"} <= set(shown)  # fmt: skip
    assert {"model_version", "python_version", "requirements", "requirements_file", "files", "executable",
            "pre_process", "post_process"} <= set(shown["install"])  # fmt: skip
    assert shown["description"] == 'it\'s "fine" <b>'
    assert shown["install"]["requirements"] == "requirements.txt"
    old = Client().get(f"/module/{module.pk}").json()
    assert old["install"]["requirements"] == []
    assert set(shown) == set(old)
    assert "build_log" in old
    task = Client().get(f"/modules/{module.pk}/run?{RUN}&depth=3&threshold=0.25").json()
    assert task["task"] == task["id"]
    assert task["moduleId"] == str(task["module_id"]) == str(module.pk)
    assert (task["start"], task["stop"]) == ("2001-03-28T00:00:00", "2001-03-28T12:00:00")
    assert task["arguments"] == {"threshold": 0.25, "depth": 3}
    assert task["cmd"] == (
        "python storms.py /work/out --start 2001-03-28T00:00:00 --stop 2001-03-28T12:00:00 --threshold 0.25 --depth 3"
    )


@pytest.mark.parametrize("method", ["query", "form", "json"])
def test_run_takes_every_declared_argument(method: str) -> None:
    module = factories.module()
    path, given = f"/modules/{module.pk}/run", {"threshold": "0.75", "depth": "3", "start": "2001-03-28T06:00:00"}
    if method == "query":
        response = Client().get(path, given)
    else:
        response = Client().post(path, given, **({"content_type": "application/json"} if method == "json" else {}))
    assert response.status_code == 200
    task = response.json()
    assert task["arguments"] == {"threshold": 0.75, "depth": 3}
    assert (task["start"], task["stop"]) == ("2001-03-28T06:00:00", "2001-03-29T00:00:00")


@pytest.mark.parametrize(
    "query",
    ["start=garbage --x y", "start=2001-03-28'", "threshold=high", "depth=1.5", "threshhold=1", "stop=2001-03-27",
     "start=2001-13-01", "start=2001-03-28&start=2001-03-29", "version=7", "depth=__import__('os')"],
)  # fmt: skip
def test_run_refuses_what_is_not_declared(query: str) -> None:
    module = factories.module()
    before = Execution.objects.count()
    response = Client().get(f"/modules/{module.pk}/run?{query}")
    assert 400 <= response.status_code < 500
    assert response.json()["error"]
    assert Execution.objects.count() == before


def test_run_names_the_argument_that_was_meant() -> None:
    response = Client().get(f"/modules/{factories.module().pk}/run?threshhold=1")
    assert "did you mean threshold?" in response.json()["error"]


def test_a_version_can_be_named() -> None:
    module = factories.module("storms")
    factories.version(module, data=factories.metadata("storms", version="2.0.0"))
    assert Client().get(f"/modules/{module.pk}").json()["version"] == "2.0.0"
    assert Client().get(f"/modules/{module.pk}?version=1.0.0").json()["version"] == "1.0.0"
    assert Client().get(f"/modules/{module.pk}/run?version=1").json()["version"] == "1.0.0"
    assert Client().get(f"/modules/{module.pk}/run").json()["version"] == "2.0.0"


@pytest.mark.parametrize("method", ["get", "post"])
def test_kill_cancels(method: str) -> None:
    execution = factories.execution(factories.module())
    response = getattr(Client(), method)(f"/tasks/{execution.pk}/kill")
    assert response.json()["status"] == "terminated"
    assert getattr(Client(), method)(f"/task/{execution.pk}/kill").json() == {}
    assert Execution.objects.get(pk=execution.pk).state == State.CANCELLED


def test_kill_of_what_has_ended_changes_nothing() -> None:
    execution = factories.execution(factories.module(), state=State.SUCCEEDED)
    assert Client().get(f"/tasks/{execution.pk}/kill").json()["status"] == "done"


def test_a_build_is_no_task() -> None:
    module = factories.module()
    build = Execution.objects.get(kind="build")
    assert Client().get("/tasks").json() == []
    for path in (f"/tasks/{build.pk}", f"/tasks/{build.pk}/output", f"/tasks/{build.pk}/kill"):
        assert Client().get(path).status_code == 404
    assert Client().get(f"/tasks?module={module.pk}").json() == []


def test_tasks_are_found_by_module() -> None:
    storms, waves = factories.module("storms"), factories.module("waves")
    one = factories.execution(storms)
    factories.execution(waves)
    for name in (storms.pk, "storms"):
        assert [task["id"] for task in Client().get(f"/tasks?module={name}").json()] == [one.pk]


def test_a_client_that_knows_no_pages_sees_every_task() -> None:
    module = factories.module()
    made = [factories.execution(module).pk for _ in range(101)]
    assert [task["id"] for task in Client().get("/tasks").json()] == made
    page = Client().get("/tasks?limit=2&offset=1")
    assert [task["id"] for task in page.json()] == made[1:3]
    assert page["Orchestra-Total"] == "101"


def test_the_older_dialect_zips_several_files_and_the_newer_serves_the_declared_one() -> None:
    execution = factories.execution(factories.module())
    finish(execution.pk, annexes=("hours.csv",))
    assert Client().get(f"/task/{execution.pk}/output")["Content-Type"] == "application/zip"
    assert Client().get(f"/tasks/{execution.pk}/output?all=1")["Content-Type"] == "application/zip"
    assert "events.txt" in Client().get(f"/tasks/{execution.pk}/output")["Content-Disposition"]


@pytest.mark.parametrize(
    "form", [{"status": "done", "limit": "1"}, {"status": "done", "limit": 1}], ids=["form", "json"]
)
def test_what_reads_takes_a_post_too(form: dict[str, Any]) -> None:
    module = factories.module("storms")
    execution = factories.execution(module)
    factories.execution(module)
    finish(execution.pk, annexes=("hours.csv",))
    kind = {} if isinstance(form["limit"], str) else {"content_type": "application/json"}
    assert [task["id"] for task in Client().post("/tasks", form, **kind).json()] == [execution.pk]
    assert Client().post("/modules").json() == Client().get("/modules").json()
    assert Client().post(f"/modules/{module.pk}", {"version": "1"}).json()["name"] == "storms"
    assert Client().post(f"/tasks/{execution.pk}").json()["status"] == "done"
    assert content(Client().post(f"/tasks/{execution.pk}/output", {"name": "hours.csv"}, **kind)) == b"annex"


def test_an_error_is_told_with_the_task() -> None:
    execution = factories.execution(factories.module(), state=State.FAILED, message="exit code 3")
    assert Client().get(f"/tasks/{execution.pk}").json()["error"] == "exit code 3"
    response = Client().get(f"/tasks/{execution.pk}/output")
    assert response.status_code == 409
    assert (response.json()["status"], response.json()["state"]) == ("error", "FAILED")
    assert "exit code 3" in response.json()["error"]


# --- build ------------------------------------------------------------------------------------------------------
@pytest.fixture
def repository(tmp_path: Path) -> str:
    """A git repository with a module that needs nothing."""
    import json
    import os
    import subprocess

    folder = tmp_path / "team" / "module"
    folder.mkdir(parents=True)
    described = {
        "name": "waves",
        "description": "it's here",
        "output": {"type": "timetable", "filename": "out.txt"},
        "install": {"python_version": ">=3.11", "requirements": [], "executable": "waves"},
    }
    (folder / "metadata.json").write_text(json.dumps(described))
    (folder / "waves.py").write_text("print()\n")
    person = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "t")
    mail = dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "t@example.org")
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "module"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True, env={**os.environ, **person, **mail})
    return f"file://{folder}"


def test_build_registers_what_is_at_the_address(repository: str, settings: Settings) -> None:
    settings.BUILD_URLS = [repository.rsplit("/", 1)[0]]
    built = Client().get("/build", {"url": repository})
    assert built.status_code == 200
    told = built.json()
    assert told["type"] == "INFO"
    assert [module["name"] for module in told["modules"]] == ["waves"]
    module = Client().get(f"/modules/{told['modules'][0]['id']}").json()
    assert module["status"] == "pending"
    assert module["git_url"] == repository
    assert len(module["commit"]) == 40
    again = Client().post("/build/", {"url": repository}).json()
    assert again["type"] == "WARNING"
    assert Module.objects.count() == 1


def test_get_build_takes_only_addresses_that_the_operator_allows(repository: str, settings: Settings) -> None:
    for prefixes in ([], ["https://good.example"], [repository[:-3]]):
        settings.BUILD_URLS = prefixes
        response = Client().get("/build", {"url": repository})
        assert response.status_code == 403
        assert "ORCHESTRA_BUILD_URLS" in response.json()["error"]
    assert not Module.objects.exists()
    assert Client().post("/build", {"url": repository}).status_code == 200


@pytest.mark.parametrize("given", [{}, {"url": ""}, {"url": "--upload-pack=touch /tmp/x"}, {"url": "ext::sh -c id"},
                                   {"url": "https://h/x", "branch": "main"}, {"url": "nowhere"}])  # fmt: skip
def test_build_refuses_what_is_no_address(given: dict[str, str]) -> None:
    response = Client().post("/build", given)
    assert 400 <= response.status_code < 500
    assert response.json()["error"]
    assert not Module.objects.exists()


def test_rebuild_keeps_the_version_in_use(repository: str) -> None:
    number = Client().post("/build", {"url": repository}).json()["modules"][0]["id"]
    module = Module.objects.get(pk=number)
    version = module.versions.get()
    version.environment = factories.environment()
    version.save()
    module.default = version
    module.save()
    told = Client().get(f"/rebuild/{number}").json()
    assert told["type"] == "INFO"
    assert told["modules"][0]["build"] is not None
    module.refresh_from_db()
    assert module.default == version
    assert Client().get(f"/modules/{number}").json()["status"] == "installed"


def test_names_that_are_sql_change_nothing() -> None:
    module = factories.module()
    for path in ("/rebuild/0 OR 1=1", "/modules/0 OR 1=1", "/tasks/0 OR 1=1/kill", "/modules/1;DROP TABLE x/run"):
        assert Client().get(path).status_code == 404
    assert Module.objects.get() == module
