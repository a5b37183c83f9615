"""One controller at a time: the lease, takeovers, and what a controller that lost its lease can no longer do."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from app.artifacts import repository
from app.catalogs.models import Event
from app.engines.protocol import LostClaim
from app.executions import collection, leases, services
from app.executions.controller import Controller
from app.executions.leases import Holder
from app.executions.models import Change, Execution, Lease
from app.executions.observations import observe
from app.executions.states import State
from app.modules.models import Module
from tests import factories
from tests.integration.executions.conftest import settle
from tests.integration.executions.fake_engine import World

pytestmark = pytest.mark.django_db(transaction=True)

Standby = Callable[[], Controller]


def name(execution: Execution) -> str:
    return f"{execution.kind}-{execution.pk}-{execution.attempt}"


def expire() -> None:
    """Let the lease run out, as if its holder had been frozen for that long."""
    Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


@pytest.fixture
def standby(world: World) -> Iterator[Standby]:
    """Makes further controllers of the same queue and the same engine's root."""
    made: list[Controller] = []

    def make() -> Controller:
        made.append(Controller(open_engine=world.engine))
        return made[-1]

    yield make
    for controller in made:
        controller.close()


def take_over(standby: Standby) -> Controller:
    expire()
    taken = standby()
    assert taken.acquire()
    return taken


def test_a_lease_is_held_by_one_at_a_time() -> None:
    first, second = Holder("q"), Holder("q")
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    assert second.epoch == first.epoch + 1


def test_queues_have_leases_of_their_own() -> None:
    assert Holder("q").acquire()
    assert Holder("other").acquire()


def test_of_many_who_ask_at_once_one_gets_the_lease() -> None:
    barrier = threading.Barrier(6)
    got: list[bool] = []

    def ask() -> None:
        try:
            barrier.wait()
            got.append(Holder("q").acquire())
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 5 + [True]
    assert Lease.objects.get(queue="q").epoch == 1


def test_a_lease_that_is_not_renewed_in_time_can_be_taken() -> None:
    first, second = Holder("q"), Holder("q")
    assert first.acquire()
    expire()
    assert second.acquire()
    with pytest.raises(LostClaim):
        first.beat()
    with pytest.raises(LostClaim):
        first.check()
    with pytest.raises(LostClaim), first.locked():
        raise AssertionError("the lease is another's")


def test_a_beat_renews_the_lease() -> None:
    holder = Holder("q")
    assert holder.acquire()
    soon = timezone.now() + timedelta(seconds=1)
    Lease.objects.update(expires_at=soon)
    holder.beat()
    assert Lease.objects.filter(expires_at__gt=soon).exists()
    holder.check()


def test_a_holder_that_was_frozen_knows_it_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = Holder("q")
    assert holder.acquire()
    later = leases._clock() + 31
    monkeypatch.setattr(leases, "_clock", lambda: later)
    with pytest.raises(LostClaim):
        holder.check()


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="processes are told apart by /proc")
def test_the_lease_of_a_dead_process_of_this_machine_is_free_at_once() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = leases._process_identity(process.pid)
    until = timezone.now() + timedelta(hours=1)
    Lease.objects.create(queue="q", holder=f"here {identity} abcd", epoch=7, expires_at=until)
    assert not Holder("q").acquire()
    process.kill()
    process.communicate()
    holder = Holder("q")
    assert holder.acquire()
    assert holder.epoch == 8


def test_the_lease_of_another_machine_is_free_only_when_it_expires() -> None:
    until = timezone.now() + timedelta(hours=1)
    for holder in ("there another-boot/1/1/1 abcd", "there 4711 abcd", "nonsense"):
        Lease.objects.update_or_create(queue="q", defaults={"holder": holder, "epoch": 7, "expires_at": until})
        assert not Holder("q").acquire()


def test_what_runs_is_adopted_and_not_submitted_again(
    module: Module, world: World, controller: Controller, standby: Standby
) -> None:
    execution = services.request(module=module).execution
    settle(controller)
    world.start(name(execution))
    settle(controller)
    taken = take_over(standby)
    repository.write(f"executions/{execution.pk}/1/output/events.txt", b"")
    world.end(name(execution))
    settle(taken)
    execution.refresh_from_db()
    assert (execution.state, execution.claim) == (State.SUCCEEDED, taken.claim)
    assert world.submitted == [name(execution)]


def test_what_ended_while_nobody_looked_is_concluded(
    module: Module, world: World, controller: Controller, standby: Standby
) -> None:
    execution = services.request(module=module).execution
    settle(controller)
    world.start(name(execution))
    repository.write(f"executions/{execution.pk}/1/output/events.txt", b"")
    world.end(name(execution))
    world.changed.clear()
    settle(take_over(standby))
    execution.refresh_from_db()
    assert execution.state == State.SUCCEEDED


def test_what_was_taken_but_never_reached_the_engine_is_submitted_again_under_the_same_name(
    module: Module, world: World, controller: Controller, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = services.request(module=module).execution
    monkeypatch.setattr(controller.engine, "submit", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        controller.turn(timeout=0)
    execution.refresh_from_db()
    assert (execution.state, world.submitted) == (State.SUBMITTED, [])
    settle(take_over(standby))
    assert world.submitted == [name(execution)]


def test_what_never_reached_the_engine_and_was_cancelled_is_not_started(
    module: Module, world: World, controller: Controller, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = services.request(module=module).execution
    monkeypatch.setattr(controller.engine, "submit", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    settle(controller)
    services.cancel(execution)
    settle(take_over(standby))
    execution.refresh_from_db()
    assert (execution.state, world.submitted) == (State.CANCELLED, [])


def test_a_full_disk_is_tried_again(
    module: Module, world: World, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = services.request(module=module).execution
    with monkeypatch.context() as broken:
        broken.setattr(repository, "write", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        settle(controller)
    assert world.submitted == []
    controller.reconcile()
    assert world.submitted == [name(execution)]


def test_a_fault_of_ours_ends_one_execution_and_not_the_others(
    module: Module, world: World, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = services.request(module=module).execution
    submit = controller.engine.submit

    def stumble(workflow: dict[str, Any], **more: Any) -> str:
        if workflow["metadata"]["name"] == name(poisoned):
            raise TypeError("a bug")
        return submit(workflow, **more)

    monkeypatch.setattr(controller.engine, "submit", stumble)
    other = services.request(module=module).execution
    settle(controller)
    poisoned.refresh_from_db()
    assert (poisoned.state, poisoned.reason) == (State.FAILED, "SubmissionFailed")
    assert "a bug" in poisoned.message
    assert world.submitted == [name(other)]


def test_cancel_requests_are_passed_on_again_after_a_takeover(
    module: Module, world: World, controller: Controller, standby: Standby
) -> None:
    execution = services.request(module=module).execution
    settle(controller)
    world.start(name(execution))
    settle(controller)
    services.cancel(execution)
    settle(take_over(standby))
    assert world.cancelled == [(name(execution), False)]


# --- the zombie: a controller that was frozen, and goes on after another has taken over ---------------------------
@pytest.fixture
def zombie(module: Module, world: World, controller: Controller, standby: Standby) -> dict[str, Any]:
    """A run that a frozen controller had, and the controller that has taken over."""
    execution = services.request(module=module).execution
    settle(controller)
    world.start(name(execution))
    settle(controller)
    taken = take_over(standby)
    settle(taken)
    return {"execution": execution, "taken": taken}


def test_a_zombie_ends_at_its_next_turn(zombie: dict[str, Any], controller: Controller) -> None:
    with pytest.raises(LostClaim):
        controller.turn(timeout=0)


def test_a_zombie_takes_nothing_from_the_queue(
    zombie: dict[str, Any], module: Module, world: World, controller: Controller
) -> None:
    execution = services.request(module=module).execution
    with pytest.raises(LostClaim):
        controller._submit_ready()
    execution.refresh_from_db()
    assert execution.state == State.QUEUED
    assert name(execution) not in world.submitted


def test_a_zombie_writes_no_state(zombie: dict[str, Any], world: World, controller: Controller) -> None:
    execution = zombie["execution"]
    changes = Change.objects.count()
    attempt = execution.attempts.get()
    verdict = collection.Verdict(state=State.FAILED, reason="Zombie")
    with pytest.raises(LostClaim):
        collection.write(attempt, verdict, claim=controller.claim)
    world.vanish(name(execution))
    ended = observe(zombie["taken"].engine.get(name=name(execution)), claim=controller.claim)
    assert ended is not None
    with pytest.raises(LostClaim):
        collection.conclude(ended, claim=controller.claim)
    execution.refresh_from_db()
    assert execution.state == State.RUNNING
    assert Change.objects.count() == changes


def test_a_zombie_writes_no_result(zombie: dict[str, Any], world: World, controller: Controller) -> None:
    execution = zombie["execution"]
    repository.write(f"executions/{execution.pk}/1/output/events.txt", b"2001-03-28T00:00:00 2001-03-28T01:00:00\n")
    world.end(name(execution))
    ended = observe(zombie["taken"].engine.get(name=name(execution)), claim=zombie["taken"].claim)
    assert ended is not None
    with pytest.raises(LostClaim):
        collection.conclude(ended, claim=controller.claim)
    assert not services.outputs(execution).exists()
    assert not Event.objects.exists()
    collection.conclude(ended, claim=zombie["taken"].claim)
    execution.refresh_from_db()
    assert execution.state == State.SUCCEEDED
    assert Event.objects.count() == 1


def test_a_zombies_word_on_a_finished_run_changes_nothing(
    zombie: dict[str, Any], world: World, controller: Controller
) -> None:
    execution = zombie["execution"]
    repository.write(f"executions/{execution.pk}/1/output/events.txt", b"")
    world.end(name(execution))
    settle(zombie["taken"])
    before = Execution.objects.values().get(pk=execution.pk)
    collection.write(execution.attempts.get(), collection.Verdict(state=State.FAILED), claim=controller.claim)
    assert Execution.objects.values().get(pk=execution.pk) == before


def test_an_interrupted_collection_is_done_again_from_the_start(
    module: Module, world: World, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = services.request(module=module).execution
    settle(controller)
    world.start(name(execution))
    repository.write(f"executions/{execution.pk}/1/output/events.txt", b"2001-03-28T00:00:00 2001-03-28T01:00:00\n")
    world.end(name(execution))
    ended = observe(controller.engine.get(name=name(execution)), claim=controller.claim)
    assert ended is not None
    with monkeypatch.context() as broken:
        broken.setattr(collection, "write", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            collection.conclude(ended, claim=controller.claim)
    assert Event.objects.count() == 1
    collection.conclude(ended, claim=controller.claim)
    execution.refresh_from_db()
    assert execution.state == State.SUCCEEDED
    assert Event.objects.count() == 1
    assert services.outputs(execution).count() == 1


def test_two_controllers_never_take_the_same_entry(
    module: Module, world: World, controller: Controller, standby: Standby
) -> None:
    runs = [services.request(module=module).execution for _ in range(3)]
    [other] = [standby()]
    other._holder.epoch = controller.claim  # as if it believed to hold the lease
    other._holder._valid_until = leases._clock() + 30
    with pytest.raises(LostClaim):
        other._take(Execution.objects.select_related("version__environment").get(pk=runs[0].pk))
    settle(controller)
    assert world.submitted == [name(run) for run in runs]


def test_an_orderly_end_lets_the_next_one_begin_at_once(world: World, standby: Standby) -> None:
    first = Controller(open_engine=world.engine)
    assert first.acquire()
    first.close()
    second = standby()
    assert second.acquire()


def test_a_lease_lost_while_sleeping_ends_the_controller(world: World, controller: Controller) -> None:
    Lease.objects.update(epoch=99, holder="another")
    with pytest.raises(LostClaim):
        controller._holder.beat()
    with pytest.raises(LostClaim):
        controller.turn(timeout=0)


def test_a_retry_is_refused_to_a_second_caller(module: Module) -> None:
    execution = factories.execution(module, state=State.FAILED)
    services.retry(execution)
    with pytest.raises(services.NotAllowed):
        services.retry(execution)
