"""Builds are executions: they run like any other, and their end makes an environment or says why not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.artifacts import repository
from app.executions import services
from app.executions.controller import Controller
from app.executions.models import Execution
from app.executions.states import State
from app.modules import services as modules
from app.modules.builds import environment_digest
from app.modules.interpreters import find
from app.modules.models import Build, BuildState
from tests import factories
from tests.integration.executions.conftest import settle
from tests.integration.executions.fake_engine import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def build(shipped: None) -> Build:
    module = factories.module("fresh", built=False)
    made: Build = module.versions.get().builds.select_related("version__module").get()
    return made


def name(build: Build) -> str:
    return f"build-{build.execution.pk}-1"


def pass_build(build: Build, world: World, controller: Controller) -> None:
    """What a build's nodes do: a staged environment and a report."""
    interpreter = find(">=3.11")
    environment = modules.staging(build) / "environment"
    environment.mkdir(parents=True)
    (environment / "pyvenv.cfg").write_text("home = /usr/bin")
    digest = environment_digest(python_version=interpreter.version, platform=interpreter.platform, lock="")
    report = {"digest": digest, "lock": "", "imports": []}
    repository.write(f"executions/{build.execution.pk}/1/output/report.json", json.dumps(report).encode())
    world.start(name(build), template="lock", log=b"locked\n")
    world.end(name(build), template="lock")
    settle(controller)


def state(execution: Execution) -> str:
    execution.refresh_from_db()
    return execution.state


def test_a_build_that_passes_makes_its_version_usable_and_lets_waiting_runs_go(
    build: Build, world: World, controller: Controller
) -> None:
    run = services.request(module=build.version.module).execution
    settle(controller)
    assert world.submitted == [name(build)]
    pass_build(build, world, controller)
    settle(controller)
    build.refresh_from_db()
    assert (state(build.execution), build.state) == (State.SUCCEEDED, BuildState.PASSED)
    assert state(run) == State.SUBMITTED
    assert services.log(build.execution) == b"locked\n"


def test_a_build_that_fails_says_why_and_fails_the_runs_that_waited(
    build: Build, world: World, controller: Controller
) -> None:
    run = services.request(module=build.version.module).execution
    settle(controller)
    world.start(name(build), template="lock", log=b"no version of numpyy was found\n")
    world.end(name(build), template="lock", phase="Failed", message="main: Error (exit code 1)", code=1)
    settle(controller)
    build.refresh_from_db()
    assert (state(build.execution), build.state) == (State.FAILED, BuildState.FAILED)
    assert "no version of numpyy was found" in build.message
    assert (state(run), run.reason) == (State.FAILED, "BuildFailed")
    assert "numpyy" in run.message
    assert build.version.module.default is None


def test_a_build_without_an_interpreter_fails_and_says_which_there_are(
    shipped: None, world: World, controller: Controller
) -> None:
    install = {**factories.metadata("old")["install"], "python_version": "2.7"}
    module = factories.module("old", built=False, install=install)
    build = module.versions.get().builds.get()
    settle(controller)
    build.refresh_from_db()
    assert (state(build.execution), build.state) == (State.FAILED, BuildState.FAILED)
    assert "2.7" in build.message
    assert world.submitted == []


def test_a_cancelled_build_leaves_the_version_in_use_alone(shipped: None, world: World, controller: Controller) -> None:
    module = factories.module("used")
    default = module.default
    build = factories.build(factories.version(module, built=False))
    settle(controller)
    world.start(name(build), template="lock")
    settle(controller)
    services.cancel(build.execution)
    settle(controller)
    world.stopped(name(build))
    settle(controller)
    build.refresh_from_db()
    module.refresh_from_db()
    assert (state(build.execution), build.state) == (State.CANCELLED, BuildState.CANCELLED)
    assert module.default == default


def test_a_build_whose_workflow_is_gone_has_failed(build: Build, world: World, controller: Controller) -> None:
    settle(controller)
    world.start(name(build), template="lock")
    settle(controller)
    world.vanish(name(build))
    settle(controller)
    build.refresh_from_db()
    assert (state(build.execution), build.state) == (State.LOST, BuildState.FAILED)


def test_a_build_without_a_report_has_failed(build: Build, world: World, controller: Controller) -> None:
    settle(controller)
    world.start(name(build), template="lock")
    world.end(name(build), template="lock")
    settle(controller)
    build.refresh_from_db()
    assert (state(build.execution), build.execution.reason) == (State.FAILED, "OutputMissing")
    assert build.state == BuildState.FAILED


@pytest.mark.parametrize("report", [b"no json", b"{}", b'{"lock": "", "imports": [], "digest": "made up"}'])
def test_a_false_report_fails_the_build(build: Build, world: World, controller: Controller, report: bytes) -> None:
    settle(controller)
    repository.write(f"executions/{build.execution.pk}/1/output/report.json", report)
    world.start(name(build), template="lock")
    world.end(name(build), template="lock")
    settle(controller)
    build.refresh_from_db()
    assert (state(build.execution), build.state) == (State.FAILED, BuildState.FAILED)


def test_registering_queues_the_builds(shipped: None, tmp_path: Any) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "m.py").write_text("")
    metadata = {
        "name": "m",
        "output": {"type": "TT", "filename": "o.txt"},
        "install": {"python_version": ">=3.11", "requirements": [], "executable": "m"},
    }
    (tmp_path / "m" / "metadata.json").write_text(json.dumps(metadata))
    [registration] = services.register(modules.FolderSource(str(tmp_path / "m")))
    assert registration.build is not None
    assert registration.build.execution.state == State.QUEUED
    rebuilt = services.rebuild(registration.module)
    assert rebuilt.build is not None
    assert rebuilt.build.execution.state == State.QUEUED
