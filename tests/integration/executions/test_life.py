"""An execution's life under one controller, from the queue to its one final state."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from app.artifacts import repository
from app.catalogs.models import Catalog, Event
from app.engines.protocol import Fault
from app.executions import services
from app.executions.controller import Controller
from app.executions.models import Change, Execution, ExecutionArtifact
from app.executions.states import State
from app.modules.models import BuildState, Module
from tests import factories
from tests.integration.executions.fake_engine import World

pytestmark = pytest.mark.django_db(transaction=True)

Work = Callable[[], None]


def name(execution: Execution) -> str:
    return f"{execution.kind}-{execution.pk}-{execution.attempt}"


def put(execution: Execution, path: str, content: bytes) -> None:
    repository.write(f"executions/{execution.pk}/{execution.attempt}/output/{path}", content)


def state(execution: Execution) -> str:
    execution.refresh_from_db()
    return execution.state


def running(module: Module, world: World, work: Work, **asked: Any) -> Execution:
    execution = services.request(module=module, **asked).execution
    work()
    world.start(name(execution), log=b"one\ntwo\n")
    work()
    return execution


EVENTS = b"2001-03-28T00:00:00 2001-03-28T03:00:00\n2001-03-28T05:00:00 2001-03-28T06:00:00\n"


def test_a_run_that_ends_well_has_its_files_and_its_catalog(
    module: Module, world: World, work: Work, controller: Controller
) -> None:
    execution = services.request(module=module).execution
    work()
    assert state(execution) == State.SUBMITTED
    world.start(name(execution))
    work()
    assert state(execution) == State.RUNNING
    put(execution, "events.txt", EVENTS)
    put(execution, "plots/a.png", b"png")
    world.end(name(execution))
    work()
    assert (state(execution), execution.message) == (State.SUCCEEDED, "")
    assert [(one.name, one.role, one.artifact.size) for one in services.outputs(execution)] == [
        ("events.txt", "output", len(EVENTS)),
        ("plots/a.png", "other", 3),
    ]
    catalog = Catalog.objects.get(artifact__of_execution__execution=execution)
    assert (catalog.event_count, catalog.events.count(), catalog.type) == (2, 2, "TT")
    assert [change.state for change in Change.objects.filter(execution=execution)] == [
        State.QUEUED,
        State.SUBMITTED,
        State.RUNNING,
        State.SUCCEEDED,
    ]
    assert execution.created_at <= execution.submitted_at <= execution.started_at <= execution.finished_at  # type: ignore[operator]
    assert controller.idle()


def test_the_module_is_told_what_was_asked_for(module: Module, world: World, work: Work) -> None:
    execution = services.request(module=module, arguments={"threshold": "0.7", "depth": 3}).execution
    work()
    request = repository.read(f"executions/{execution.pk}/1/request.json")
    assert request is not None
    assert b'"arguments": [["threshold", "0.7"], ["depth", "3"]]' in request
    assert b'"start": "2001-03-28T00:00:00"' in request
    workflow = world.workflows[name(execution)]
    parameters = {one["name"]: one["value"] for one in workflow["spec"]["arguments"]["parameters"]}
    assert parameters["key"] == f"executions/{execution.pk}/1"
    assert parameters["image"].startswith("orchestra/module:")
    assert parameters["fetch"] == "false"


def test_an_argument_without_a_value_is_left_out(module: Module, work: Work) -> None:
    execution = services.request(module=module, arguments={"threshold": None}).execution
    work()
    assert b'"arguments": []' in (repository.read(f"executions/{execution.pk}/1/request.json") or b"")


def test_timeout_and_memory_of_the_metadata_are_in_the_manifest(shipped: None, world: World, work: Work) -> None:
    module = factories.module("heavy", timeout=60, resources={"memory": "1Gi"})
    execution = services.request(module=module).execution
    work()
    templates = {one["name"]: one for one in world.workflows[name(execution)]["spec"]["templates"]}
    assert templates["predict"]["activeDeadlineSeconds"] == 60
    assert templates["predict"]["container"]["resources"]["limits"] == {"memory": "1Gi"}


def test_inputs_are_asked_of_the_version_of_fetch(shipped: None, world: World, work: Work, settings: Any) -> None:
    settings.AMDA_URL = "http://127.0.0.1:9"
    factories.module("fetch")
    inputs = [{"name": "wind", "source": "amda", "parameters": ["imf"], "format": "parquet"}]
    execution = services.request(module=factories.module("needy", inputs=inputs)).execution
    work()
    workflow = world.workflows[name(execution)]
    parameters = {one["name"]: one["value"] for one in workflow["spec"]["arguments"]["parameters"]}
    assert parameters["fetch"] == "true"
    fetch = repository.read(f"executions/{execution.pk}/1/fetch.json") or b""
    assert b'["server", "http://127.0.0.1:9"]' in fetch
    assert b'\\"wind\\"' in fetch


def test_the_account_at_amda_reaches_the_fetching_node_only(
    shipped: None, world: World, work: Work, settings: Any
) -> None:
    settings.AMDA_USER, settings.AMDA_PASSWORD = "somebody", "open sesame"
    factories.module("fetch")
    inputs = [{"name": "wind", "source": "amda", "parameters": ["imf"], "format": "parquet"}]
    needy = services.request(module=factories.module("needy", inputs=inputs)).execution
    plain = services.request(module=factories.module("plain")).execution
    work()
    assert world.grants[name(needy)]["fetch"].env == {
        "ORCHESTRA_AMDA_USER": "somebody",
        "ORCHESTRA_AMDA_PASSWORD": "open sesame",
    }
    assert not world.grants[name(plain)]["fetch"].env
    granted = {
        template["name"]
        for template in world.workflows[name(needy)]["spec"]["templates"]
        if "orchestra/grant" in str(template.get("metadata"))
    }
    assert granted == {"fetch"}
    assert "sesame" not in str(world.workflows)
    assert "sesame" not in str(list(needy.attempts.values()))


def test_an_empty_list_of_events_is_a_result(module: Module, world: World, work: Work) -> None:
    execution = running(module, world, work)
    put(execution, "events.txt", b"")
    world.end(name(execution))
    work()
    assert state(execution) == State.SUCCEEDED
    assert Catalog.objects.get().event_count == 0


def test_a_missing_output_fails_the_run_and_names_what_was_there(module: Module, world: World, work: Work) -> None:
    execution = running(module, world, work)
    put(execution, "event.txt", EVENTS)
    world.end(name(execution))
    work()
    assert (state(execution), execution.reason) == (State.FAILED, "OutputMissing")
    assert "events.txt" in execution.message
    assert "event.txt" in execution.message.partition("there is")[2]
    assert [one.name for one in services.outputs(execution)] == ["event.txt"]


def test_a_missing_annex_is_a_missing_output(shipped: None, world: World, work: Work) -> None:
    module = factories.module("plots", annexes_outputs=[{"type": "IMAGE", "filename": "plot.png"}])
    execution = running(module, world, work)
    put(execution, "events.txt", EVENTS)
    world.end(name(execution))
    work()
    assert (state(execution), execution.reason) == (State.FAILED, "OutputMissing")


def test_a_malformed_output_fails_the_run_by_line_and_is_kept(module: Module, world: World, work: Work) -> None:
    execution = running(module, world, work)
    put(execution, "events.txt", EVENTS + b"2001-03-28T00:00:00 tomorrow\n")
    world.end(name(execution))
    work()
    assert (state(execution), execution.reason) == (State.FAILED, "OutputMalformed")
    assert "line 3" in execution.message
    assert not Catalog.objects.exists()
    assert not Event.objects.exists()
    [file] = services.outputs(execution)
    pieces, *_ = services.open_artifact(file, original=True)
    assert b"tomorrow" in b"".join(pieces)


def test_a_failure_explains_itself(module: Module, world: World, work: Work) -> None:
    execution = services.request(module=module).execution
    work()
    world.start(name(execution), log=b"\n".join(b"line %d" % n for n in range(50)) + b"\nno such file\n")
    world.end(name(execution), phase="Failed", message="main: Error (exit code 3)", code=3)
    work()
    assert (state(execution), execution.reason) == (State.FAILED, "NodeFailed")
    assert "exit code 3" in execution.message
    assert "no such file" in execution.message
    failure = services.failure(execution)
    assert failure is not None
    assert (failure["node"], failure["exit_code"], failure["signal"], failure["limit"]) == ("predict", 3, None, None)
    assert len(failure["last_lines"]) == 20
    assert failure["last_lines"][-1] == "no such file"


def test_a_failure_by_a_signal_names_it(module: Module, world: World, work: Work) -> None:
    execution = running(module, world, work)
    world.end(name(execution), phase="Failed", message="main: Error (exit code 139)", code=139)
    work()
    assert state(execution) == State.FAILED
    assert "SIGSEGV" in execution.message


def test_a_run_out_of_time_says_so(shipped: None, world: World, work: Work) -> None:
    execution = running(factories.module("slow", timeout=7), world, work)
    world.end(
        name(execution),
        phase="Failed",
        message="Pod was active on the node longer than the specified deadline",
        code=143,
    )
    work()
    assert (state(execution), execution.reason) == (State.FAILED, "Deadline")
    assert "timeout of 7 s exceeded" in execution.message


def test_a_run_that_ends_by_itself_though_it_was_cancelled_has_succeeded(
    module: Module, world: World, work: Work
) -> None:
    execution = running(module, world, work)
    services.cancel(execution)
    put(execution, "events.txt", EVENTS)
    world.end(name(execution))
    work()
    assert state(execution) == State.SUCCEEDED


def test_a_run_that_failed_by_itself_though_it_was_cancelled_has_failed(
    module: Module, world: World, work: Work
) -> None:
    execution = running(module, world, work)
    services.cancel(execution)
    world.end(name(execution), phase="Failed", message="main: Error (exit code 3)", code=3)
    work()
    assert state(execution) == State.FAILED


def test_cancelled_is_said_only_when_everything_is_dead(module: Module, world: World, work: Work) -> None:
    execution = running(module, world, work)
    services.cancel(execution)
    work()
    assert world.cancelled == [(name(execution), False)]
    assert state(execution) == State.RUNNING
    world.stopped(name(execution))
    work()
    assert (state(execution), execution.reason) == (State.CANCELLED, "Cancelled")
    assert services.failure(execution) is None


def test_a_second_cancel_is_passed_on_as_terminate_and_each_only_once(module: Module, world: World, work: Work) -> None:
    execution = running(module, world, work)
    services.cancel(execution)
    work()
    work()
    services.cancel(execution)
    work()
    services.cancel(execution)
    work()
    assert world.cancelled == [(name(execution), False), (name(execution), True)]


def test_a_workflow_that_is_gone_is_lost_and_can_be_retried(module: Module, world: World, work: Work) -> None:
    execution = running(module, world, work)
    world.vanish(name(execution))
    work()
    assert (state(execution), execution.reason) == (State.LOST, "Lost")
    services.retry(execution)
    work()
    assert state(execution) == State.SUBMITTED
    assert world.submitted[-1] == f"prediction-{execution.pk}-2"


def test_the_outputs_of_attempts_are_kept_apart(module: Module, world: World, work: Work) -> None:
    execution = running(module, world, work)
    put(execution, "event.txt", b"")
    world.end(name(execution))
    work()
    execution = services.retry(execution)
    work()
    world.start(name(execution))
    put(execution, "events.txt", EVENTS)
    world.end(name(execution))
    work()
    assert state(execution) == State.SUCCEEDED
    assert [one.name for one in services.outputs(execution)] == ["events.txt"]
    assert [one.name for one in services.outputs(execution, 1)] == ["event.txt"]


def test_what_the_engine_refuses_fails_with_every_reason(module: Module, world: World, work: Work) -> None:
    world.refuse = [Fault(path="spec.templates[0]", message="no"), Fault(path="spec.volumes", message="neither")]
    execution = services.request(module=module).execution
    work()
    assert (state(execution), execution.reason) == (State.FAILED, "Refused")
    assert "spec.templates[0]: no" in execution.message
    assert "spec.volumes: neither" in execution.message


def test_no_more_is_taken_than_the_engine_has_room_for_and_priority_goes_first(
    module: Module, world: World, work: Work
) -> None:
    runs = [services.request(module=module).execution for _ in range(5)]
    urgent = services.request(module=module, priority=5).execution
    work()
    assert world.submitted == [name(urgent), *map(name, runs[:3])]
    world.vanish(name(urgent))
    work()
    work()
    assert world.submitted[4:] == [name(runs[3])]


def build_of(module: Module) -> Any:
    return module.versions.get().builds.get()


def test_runs_that_wait_for_a_build_that_fails_fail_with_its_message(shipped: None, world: World, work: Work) -> None:
    module = factories.module("fresh", built=False)
    waiting = services.request(module=module).execution
    other = services.request(module=factories.module("other")).execution
    build = build_of(module)
    build.state, build.message = BuildState.FAILED, "no such requirement: numpyy"
    build.save()
    work()
    assert (state(waiting), waiting.reason) == (State.FAILED, "BuildFailed")
    assert "numpyy" in waiting.message
    assert state(other) == State.SUBMITTED


def test_repeated_and_late_reports_change_nothing(
    module: Module, world: World, work: Work, controller: Controller
) -> None:
    execution = running(module, world, work)
    put(execution, "events.txt", EVENTS)
    early = controller.engine.get(name=name(execution))
    world.end(name(execution))
    last = controller.engine.get(name=name(execution))
    work()
    before = Execution.objects.values().get(pk=execution.pk)
    changes = Change.objects.count()
    for observation in (last, early, last):
        assert services.observe(observation, claim=controller.claim) is None
    assert Execution.objects.values().get(pk=execution.pk) == before
    assert Change.objects.count() == changes
    assert ExecutionArtifact.objects.count() == 1


def test_logs_are_read_from_any_offset_and_outlive_the_workflow(
    module: Module, world: World, work: Work, controller: Controller, settings: Any
) -> None:
    execution = running(module, world, work)
    assert services.log(execution) == b"one\ntwo\n"
    assert services.log(execution, offset=4, limit=2) == b"tw"
    put(execution, "events.txt", EVENTS)
    world.end(name(execution))
    work()
    settings.WORKFLOW_KEEP = -1.0
    for _ in range(200):
        controller.prune_now()
        if name(execution) not in world.workflows:
            break
        time.sleep(0.02)
    assert name(execution) not in world.workflows
    execution.refresh_from_db()
    assert services.log(execution, offset=4) == b"two\n"
    assert [node["display_name"] for node in services.nodes(execution) if node["has_log"]] == ["predict"]


def test_a_status_with_many_nodes_is_not_written_at_each_change(
    module: Module, world: World, work: Work, controller: Controller
) -> None:
    execution = running(module, world, work)
    for index in range(60):
        world.workflows[name(execution)]["status"]["nodes"][f"n{index}"] = {"type": "Pod", "phase": "Running"}
    world.node(name(execution), phase="Running", message="first")
    work()
    world.node(name(execution), phase="Running", message="second")
    work()
    assert "second" not in str(execution.attempts.get().status)
    put(execution, "events.txt", EVENTS)
    world.end(name(execution))
    work()
    assert state(execution) == State.SUCCEEDED


def test_an_idle_controller_asks_little_of_the_database(
    module: Module, controller: Controller, work: Work, django_assert_max_num_queries: Any
) -> None:
    work()
    with django_assert_max_num_queries(4):
        controller.turn(timeout=0)
