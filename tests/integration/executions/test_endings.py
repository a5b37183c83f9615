"""What becomes of an attempt whose outputs cannot be collected: tried again while that may help, then failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import OperationalError

from app.artifacts import repository
from app.executions import collection, endings, services
from app.executions.models import Execution
from app.executions.observations import Ended
from app.executions.states import State
from app.modules.models import Module
from tests.integration.executions.fake_engine import World

pytestmark = pytest.mark.django_db(transaction=True)

Work = Callable[[], None]
Failing = Callable[[Iterator[Exception]], list[Exception]]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Let conclusions fail with these errors, one after the other, and then work; returns those that were raised."""
    conclude = collection.conclude
    monkeypatch.setattr(endings, "RETRY", 0.0)

    def install(errors: Iterator[Exception]) -> list[Exception]:
        raised: list[Exception] = []

        def stumble(ended: Ended, *, claim: int) -> None:
            if error := next(errors, None):
                raised.append(error)
                raise error
            conclude(ended, claim=claim)

        monkeypatch.setattr(collection, "conclude", stumble)
        return raised

    return install


def ended(module: Module, world: World, work: Work) -> Execution:
    """A run that ended well, and whose end the controller has taken note of."""
    execution = services.request(module=module).execution
    work()
    name = f"{execution.kind}-{execution.pk}-1"
    world.start(name)
    repository.write(f"executions/{execution.pk}/1/output/events.txt", b"2001-03-28T00:00:00 2001-03-28T01:00:00\n")
    world.end(name)
    work()
    execution.refresh_from_db()
    return execution


@pytest.mark.parametrize(("error", "times"), [(OSError("disk full"), 4), (OperationalError("is locked"), 30)])
def test_a_fault_that_passes_costs_a_run_nothing(
    module: Module, world: World, work: Work, failing: Failing, error: Exception, times: int
) -> None:
    raised = failing(iter([error] * times))
    execution = ended(module, world, work)
    assert (execution.state, execution.message) == (State.SUCCEEDED, "")
    assert len(raised) == times
    assert services.outputs(execution).count() == 1


@pytest.mark.parametrize(("error", "times"), [(OSError("disk full"), 5), (RuntimeError("a bug"), 1)])
def test_a_fault_that_stays_fails_the_run_and_says_so(
    module: Module, world: World, work: Work, failing: Failing, error: Exception, times: int
) -> None:
    raised = failing(iter([error] * 1000))
    execution = ended(module, world, work)
    assert (execution.state, execution.reason) == (State.FAILED, "CollectionFailed")
    assert execution.message == f"the run ended (Succeeded), but its outputs could not be collected: {error}"
    assert len(raised) == times


def test_a_failure_told_in_characters_that_no_database_holds_still_ends_the_run(
    module: Module, world: World, work: Work
) -> None:
    execution = services.request(module=module).execution
    work()
    name = f"{execution.kind}-{execution.pk}-1"
    world.start(name)
    world.end(name, phase="Failed", message="main: \udcff and \0 are no text")
    work()
    execution.refresh_from_db()
    assert execution.state == State.FAILED
    assert execution.message == "predict failed: main: \ufffd and \ufffd are no text"
