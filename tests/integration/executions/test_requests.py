"""Asking for runs: defaults, faults, keys, and waiting for builds."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from app.executions import services
from app.executions.models import Change, Execution
from app.executions.states import CancelRequest, State
from app.modules.faults import Faulty
from app.modules.models import BuildState, Module
from tests import factories

pytestmark = pytest.mark.django_db


def paths(caught: pytest.ExceptionInfo[Faulty]) -> list[str]:
    return [fault.path for fault in caught.value.faults]


def test_what_is_not_given_comes_from_the_metadata(module: Module) -> None:
    execution = services.request(module=module).execution
    execution.refresh_from_db()
    assert (execution.start, execution.stop) == (factories.START, factories.STOP)
    assert execution.arguments["threshold"] == 0.5
    assert (execution.state, execution.attempt, execution.message) == (State.QUEUED, 1, "")
    assert execution.version == module.default


def test_a_request_is_logged_as_a_change_in_the_same_transaction(module: Module) -> None:
    execution = services.request(module=module).execution
    assert list(Change.objects.values_list("execution", "state")) == [(execution.pk, State.QUEUED)]


def test_all_faults_are_reported_at_once_and_nothing_is_stored(module: Module) -> None:
    with pytest.raises(Faulty) as caught:
        services.request(
            module=module, start="2001-04-01", stop="2001-03-01", arguments={"treshold": 1}, priority=10**9
        )
    assert {"stop", "priority"} <= set(paths(caught))
    assert len(caught.value.faults) == 3
    assert not Execution.objects.filter(kind="prediction").exists()


def test_a_removed_module_cannot_be_run(module: Module) -> None:
    services.remove_module(module)
    module.refresh_from_db()
    with pytest.raises(Faulty, match="removed"):
        services.request(module=module)


def test_the_same_key_gives_the_same_execution(module: Module) -> None:
    first = services.request(module=module, arguments={"threshold": 0.7}, idempotency_key="k")
    again = services.request(module=module, arguments={"threshold": 0.7}, idempotency_key="k")
    assert (first.created, again.created) == (True, False)
    assert first.execution == again.execution


def test_a_key_is_found_again_though_defaults_have_changed_since(module: Module) -> None:
    first = services.request(module=module, idempotency_key="k")
    factories.version(module, data=factories.metadata("storms", defaults={"start": "2002-01-01T00:00:00"}))
    module.refresh_from_db()
    assert services.request(module=module, idempotency_key="k").execution == first.execution


def test_a_key_with_another_request_is_a_conflict(module: Module) -> None:
    services.request(module=module, idempotency_key="k")
    with pytest.raises(services.KeyConflict):
        services.request(module=module, idempotency_key="k", stop="2001-03-30")


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0b"])
def test_a_key_that_cannot_be_stored_is_a_fault(module: Module, key: str) -> None:
    with pytest.raises(Faulty) as caught:
        services.request(module=module, idempotency_key=key)
    assert paths(caught) == ["idempotency_key"]


@pytest.mark.django_db(transaction=True)
def test_one_execution_is_made_however_many_ask_at_once_with_one_key(module: Module) -> None:
    answers: list[Any] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        try:
            barrier.wait()
            answers.append(services.request(module=module, idempotency_key="k"))
        except Exception as error:
            answers.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.execution.pk for answer in answers} == {answers[0].execution.pk}
    assert sum(answer.created for answer in answers) == 1
    assert Execution.objects.filter(kind="prediction").count() == 1


def test_a_run_waits_for_the_build_of_its_version_and_says_so(shipped: None) -> None:
    module = factories.module("fresh", built=False)
    execution = services.request(module=module).execution
    build = module.versions.get().builds.get()
    assert execution.message == f"waits for build {build.pk} of fresh"
    assert execution not in Execution.objects.ready("default")
    version = module.versions.get()
    version.environment = factories.environment()
    version.save()
    assert execution in Execution.objects.ready("default")


def test_a_version_whose_build_failed_is_a_fault(shipped: None) -> None:
    module = factories.module("broken", built=False)
    module.versions.get().builds.update(state=BuildState.FAILED, message="no such requirement")
    with pytest.raises(Faulty, match="no such requirement"):
        services.request(module=module)


def test_the_version_in_use_runs_while_a_rebuild_is_pending(module: Module) -> None:
    newer = factories.version(module, built=False)
    factories.build(newer)
    module.refresh_from_db()
    execution = services.request(module=module).execution
    assert execution.version == module.default != newer
    assert execution.message == ""


INPUTS = [{"name": "wind", "source": "amda", "parameters": ["imf"], "format": "parquet"}]


def test_inputs_without_the_module_fetch_are_a_fault(shipped: None) -> None:
    module = factories.module("needy", inputs=INPUTS)
    with pytest.raises(Faulty) as caught:
        services.request(module=module)
    assert paths(caught) == ["inputs"]


def test_a_run_with_inputs_waits_for_the_build_of_fetch_too(shipped: None) -> None:
    fetch = factories.module("fetch", built=False)
    execution = services.request(module=factories.module("needy", inputs=INPUTS)).execution
    assert execution.fetch_version == fetch.versions.get()
    assert execution.message == f"waits for build {fetch.versions.get().builds.get().pk} of fetch"
    assert execution not in Execution.objects.ready("default")


def test_a_queued_run_is_cancelled_at_once(module: Module) -> None:
    execution = services.cancel(services.request(module=module).execution)
    assert (execution.state, execution.reason) == (State.CANCELLED, "Cancelled")
    assert execution.finished_at is not None
    assert execution.attempts.get().state == State.CANCELLED


@pytest.mark.parametrize("state", [State.SUBMITTED, State.RUNNING])
def test_a_running_one_is_asked_to_stop_and_the_second_time_to_terminate(module: Module, state: str) -> None:
    execution = factories.execution(module, state=state)
    assert services.cancel(execution).cancel_request == CancelRequest.STOP
    again = services.cancel(execution)
    assert (again.cancel_request, again.state) == (CancelRequest.TERMINATE, state)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST])
def test_a_cancel_after_the_end_changes_nothing(module: Module, state: str) -> None:
    execution = services.cancel(factories.execution(module, state=state))
    assert (execution.state, execution.cancel_request) == (state, CancelRequest.NONE)


def test_cancelling_a_queued_build_cancels_the_build(shipped: None) -> None:
    build = factories.module("fresh", built=False).versions.get().builds.get()
    services.cancel(build.execution)
    build.refresh_from_db()
    assert build.state == BuildState.CANCELLED


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED, State.LOST])
def test_a_retry_is_a_new_attempt_and_the_earlier_one_stays_readable(module: Module, state: str) -> None:
    execution = factories.execution(module, state=state, reason="why", message="because", cancel_request="STOP")
    retried = services.retry(execution)
    retried.refresh_from_db()
    assert (retried.state, retried.attempt, retried.message, retried.reason) == (State.QUEUED, 2, "", "")
    assert retried.cancel_request == CancelRequest.NONE
    assert [(one.number, one.state) for one in retried.attempts.all()] == [(1, state), (2, State.QUEUED)]


@pytest.mark.parametrize("state", [State.QUEUED, State.SUBMITTED, State.RUNNING, State.SUCCEEDED])
def test_only_what_ended_badly_can_be_retried(module: Module, state: str) -> None:
    with pytest.raises(services.NotAllowed, match=state):
        services.retry(factories.execution(module, state=state))


def test_a_retried_build_is_pending_again(shipped: None) -> None:
    module = factories.module("fresh", built=False)
    build = module.versions.get().builds.get()
    services.cancel(build.execution)
    services.retry(build.execution)
    build.refresh_from_db()
    assert build.state == BuildState.PENDING
    assert build.execution.state == State.QUEUED


def test_resubmitting_makes_a_new_execution_of_the_same_request(module: Module) -> None:
    first = services.request(module=module, start="2001-03-28T05:00:00", arguments={"threshold": 0.9}).execution
    second = services.resubmit(first)
    assert second.pk != first.pk
    assert (second.start, second.stop, second.arguments) == (first.start, first.stop, first.arguments)
    assert second.state == State.QUEUED


def test_a_module_with_live_executions_cannot_be_removed(module: Module) -> None:
    execution = services.request(module=module).execution
    with pytest.raises(services.StillInUse, match=str(execution.pk)) as caught:
        services.remove_module(module)
    assert caught.value.executions == [execution]
    services.cancel(execution)
    services.remove_module(module)
    assert not Module.objects.present().filter(pk=module.pk).exists()


def test_a_request_takes_few_queries(module: Module, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(11):
        services.request(module=module, idempotency_key="k")
