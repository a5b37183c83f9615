"""The controller: takes queue entries, hands Workflows to the engine, and applies what the engine reports.

One process holds the queue's lease and runs this loop; others stand by. The loop itself does nothing long: what ends is
concluded in a pool of threads. It may be killed at any moment: what it had taken is found again by `reconcile`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from django.conf import settings
from django.db import connection

from app.artifacts import repository
from app.engines import services as engines
from app.engines.protocol import Engine, LostClaim, Observation, Refused
from app.executions import collection, manifests, pruning, resumptions
from app.executions.endings import GONE, RETRY, Endings
from app.executions.housekeeping import Housekeeper
from app.executions.leases import Holder
from app.executions.models import Attempt, Execution
from app.executions.observations import observe
from app.executions.requests import workflow_name
from app.executions.states import CancelRequest, State
from app.executions.transitions import claim_queued
from app.executions.wakeup import CONTROLLER, Listener
from app.modules import services as modules

logger = logging.getLogger(__name__)

TICK = 1.0  # s between two looks when no wake-up comes
RECONCILE = 15.0  # s between two comparisons of what we hold with what the engine has
_PRUNE = 60.0  # s
_MANY_NODES = 50  # of a Workflow whose status is not written at each change
_MANY_NODES_PAUSE = 0.5  # s between two writes of such a status

OpenEngine = Callable[[int], Engine]


def _open_engine(claim: int) -> Engine:
    return engines.engine(claim=claim, images=modules.resolve_image)


class Controller:
    """One controller of one queue."""

    def __init__(self, *, queue: str = "default", open_engine: OpenEngine = _open_engine) -> None:
        self.queue = queue
        self.stopping = False
        self._open_engine = open_engine
        self._engine: Engine | None = None
        self._self_read, self._self_write = os.pipe()
        for descriptor in (self._self_read, self._self_write):
            os.set_blocking(descriptor, False)
        self._listener = Listener(CONTROLLER)
        self._holder = Holder(queue, lost=self.interrupt)
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="conclude")
        self.endings = Endings(self._pool, ended=self.interrupt, fail=self._fail, let_go=self._let_go)
        self._held: set[str] = set()  # names of the Workflows that the engine has, or is about to get
        self._look = True  # whether there is more room in the engine than at the last look
        self._cancels: dict[str, str] = {}
        self._written_at: dict[str, float] = {}
        self._late: dict[str, Observation] = {}
        self._housekeeper = Housekeeper()
        self._pruning: Future[list[str]] | None = None
        self._tick_at = self._reconcile_at = self._prune_at = 0.0

    @property
    def claim(self) -> int:
        """The epoch of the lease under which this controller works; 0 while it has none."""
        return self._holder.epoch

    @property
    def engine(self) -> Engine:
        """The engine, which this controller has while it holds the lease."""
        if self._engine is None:
            raise RuntimeError("a controller without the lease has no engine")
        return self._engine

    # --- its life -----------------------------------------------------------------------------------------------
    def stop(self) -> None:
        """End the loop after the present turn; what runs goes on. May be called from a signal handler."""
        self.stopping = True
        self.interrupt()

    def interrupt(self) -> None:
        """Make a sleeping turn return; any thread may call this."""
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._self_write, b"w")

    def run(self, *, until_idle: bool = False) -> None:
        """Wait for the lease, then work until `stop`, or until nothing is left to do. Raises `LostClaim`."""
        try:
            if self.acquire():
                while not (self.stopping or (until_idle and self.idle())):
                    self.turn()
        finally:
            self.close()

    def acquire(self) -> bool:
        """Stand by until the lease is ours, take the engine and adopt what runs; False if stopped meanwhile."""
        said = False
        while not self.stopping:
            with self._tolerant("asking for the lease"):
                if self._holder.acquire():
                    break
                if not said:
                    logger.info("another controller works queue %r; standing by", self.queue)
                    said = True
            self._sleep(TICK)
        else:
            return False
        self._holder.start_beating()
        self._engine = self._open_engine(self.claim)
        logger.info("working queue %r with claim %d", self.queue, self.claim)
        return True

    def _sleep(self, seconds: float) -> None:
        import select

        select.select([self._self_read, *self._listener.filenos()], [], [], seconds)
        self._drain()

    def close(self) -> None:
        """Let go of everything: what runs goes on, and the next controller may begin at once."""
        held = self._holder.held
        self._pool.shutdown(wait=held, cancel_futures=True)
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        self._holder.release()
        self._listener.close()
        for descriptor in (self._self_read, self._self_write):
            os.close(descriptor)

    def idle(self) -> bool:
        """Whether nothing is queued that could run, and nothing runs."""
        waits = Execution.objects.live().filter(queue=self.queue)
        return not self.endings and not waits.exists()

    # --- the loop -----------------------------------------------------------------------------------------------
    def turn(self, *, timeout: float = TICK) -> None:
        """Sleep until something happens, and do all that has to be done then. Raises `LostClaim`."""
        now = time.monotonic()
        wait = max(0.0, min(self._tick_at - now, timeout))
        observations = self.engine.poll(timeout=wait, wake=[self._self_read, *self._listener.filenos()])
        self._holder.check()
        with self._tolerant("working the queue"):
            self._work(observations)

    def _work(self, observations: list[Observation]) -> None:
        for observation in observations:
            self._observe(observation)
        now = time.monotonic()
        if now >= self._reconcile_at:
            self._reconcile_at = now + RECONCILE
            self.reconcile()
        self.endings.reap(now)
        if self._drain() or self._look or now >= self._tick_at:
            self._look = False
            self._pass_on_cancels()
            self._submit_ready()
            if self._held:
                resumptions.pass_on(engine=self.engine, queue=self.queue, claim=self.claim)
        if now >= self._tick_at:
            self._tick_at = now + TICK
            self._tick(now)

    def _tick(self, now: float) -> None:
        self._listener.relisten()
        collection.fail_stranded(self.queue)
        for observation in [one for one in self._late.values() if now - self._written_at[one.name] > _MANY_NODES_PAUSE]:
            del self._late[observation.name]
            self._observe(observation)
        if now >= self._prune_at:
            self._prune_at = now + _PRUNE
            self.prune_now()
        self._housekeeper.tick(now)

    def _drain(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._self_read, 4096):
                pass
        return self._listener.drain()

    @contextlib.contextmanager
    def _tolerant(self, what: str) -> Iterator[None]:
        """Go on after a fault of the database: later everything is looked at again, and what was reported asked for."""
        try:
            yield
        except GONE as error:
            logger.warning("the database failed while %s, trying again: %s", what, error)
            connection.close()
            self._tick_at = self._reconcile_at = time.monotonic() + RETRY

    # --- taking queue entries -----------------------------------------------------------------------------------
    def _submit_ready(self) -> None:
        capacity = self.engine.capacity
        free = None if capacity is None else capacity - len(self._held)
        if free is not None and free <= 0:
            return
        # mostly there is nothing, so what is there is only read when there is something
        ready = list(Execution.objects.ready(self.queue).values_list("pk", flat=True)[:free])
        if not ready:
            return
        entries = Execution.objects.to_submit().in_bulk(ready)
        for execution in [entries[key] for key in ready]:
            self._holder.check()
            with self._isolated(execution):
                self._take(execution)

    @contextlib.contextmanager
    def _isolated(self, execution: Execution) -> Iterator[None]:
        """Whatever is wrong with one execution must not stop the others: a fault of ours ends this one alone."""
        try:
            yield
        except (LostClaim, *GONE):
            raise
        except OSError as error:
            logger.warning("cannot hand over execution %s, trying again: %s", execution.pk, error)
            self._reconcile_at = time.monotonic() + RETRY
        except Exception as error:
            logger.exception("cannot submit execution %s", execution.pk)
            self._refuse(execution, reason="SubmissionFailed", message=f"Orchestra could not submit it: {error}")

    def _take(self, execution: Execution) -> None:
        submission = self._submission(execution)
        if submission is None:
            return
        with self._holder.locked():
            taken = claim_queued(execution=execution, claim=self.claim, workflow=submission.workflow)
        if taken:
            self._hand_over(execution, submission)

    def _submission(self, execution: Execution) -> manifests.Submission | None:
        """What the engine gets; None if it cannot be made, which ends the attempt."""
        try:
            return manifests.submission(execution)
        except modules.NoInterpreter as error:
            self._refuse(execution, reason="BuildFailed", message=str(error))
        except modules.UnknownImage as error:
            self._refuse(execution, reason="Refused", message=str(error))
        return None

    def _hand_over(self, execution: Execution, submission: manifests.Submission) -> None:
        """Give a taken attempt to the engine; doing it again is harmless."""
        self._held.add(workflow_name(execution))
        for key, content in submission.objects.items():
            repository.write(key, content)
        try:
            self.engine.submit(
                submission.workflow, grants=dict(submission.grants), templates=dict(submission.templates)
            )
        except Refused as error:
            faults = "; ".join(f"{fault.path}: {fault.message}" for fault in error.faults)
            self._fail(execution, reason="Refused", message=f"the engine cannot run this: {faults}")

    def _refuse(self, execution: Execution, *, reason: str, message: str) -> None:
        """Fail an attempt that is queued, or was taken and did not reach the engine."""
        with self._holder.locked():
            claim_queued(execution=execution, claim=self.claim, workflow={})
        self._fail(execution, reason=reason, message=message)

    def _fail(self, execution: Execution, *, reason: str, message: str) -> None:
        attempt = Attempt.objects.select_related("execution__build").get(execution=execution, number=execution.attempt)
        verdict = collection.Verdict(state=State.FAILED, reason=reason, message=message)
        collection.write(attempt, verdict, claim=self.claim)
        self._let_go(workflow_name(execution))

    # --- what is held -------------------------------------------------------------------------------------------
    def reconcile(self) -> None:
        """Compare what this claim holds with what the engine has, and set right what differs.

        A Workflow that the engine never got is submitted again, under the same name; one that is gone is LOST; one that
        changed unnoticed is observed.
        """
        held = list(Execution.objects.held(queue=self.queue).filter(claim=self.claim).to_submit())
        self._held = {workflow_name(execution) for execution in held}
        self._look = True
        for execution in held:
            if execution.pk in self.endings:
                continue
            seen = self.engine.get(name=workflow_name(execution))
            if seen.status is not None or self._was_seen(execution):
                self._observe(seen)
            else:
                with self._isolated(execution):
                    self._hand_over_again(execution)

    def _was_seen(self, execution: Execution) -> bool:
        attempts = Attempt.objects.filter(execution=execution, number=execution.attempt)
        return attempts.exclude(workflow_uid="").exists()

    def _hand_over_again(self, execution: Execution) -> None:
        if execution.cancel_request != CancelRequest.NONE:
            attempt = Attempt.objects.select_related("execution__build").get(
                execution=execution, number=execution.attempt
            )
            verdict = collection.Verdict(
                state=State.CANCELLED, reason="Cancelled", message="cancelled before it started"
            )
            collection.write(attempt, verdict, claim=self.claim)
            self._let_go(workflow_name(execution))
            return
        if submission := self._submission(execution):
            self._hand_over(execution, submission)

    def _pass_on_cancels(self) -> None:
        """Tell the engine of each cancel request once; it is told again after a takeover."""
        if not self._held:
            self._cancels.clear()
            return
        asked = (
            Execution.objects.held(queue=self.queue).filter(claim=self.claim).exclude(cancel_request=CancelRequest.NONE)
        )
        wanted = {workflow_name(one): one.cancel_request for one in asked.only("kind", "attempt", "cancel_request")}
        for name, request in wanted.items():
            if self._cancels.get(name) != request:
                self.engine.cancel(name=name, terminate=request == CancelRequest.TERMINATE)
        self._cancels = wanted

    # --- what the engine says -----------------------------------------------------------------------------------
    def _observe(self, observation: Observation) -> None:
        now = time.monotonic()
        nodes = (observation.status or {}).get("nodes") or {}
        over = observation.status is None or observation.status.get("finishedAt")
        if (
            not over
            and len(nodes) > _MANY_NODES
            and now - self._written_at.get(observation.name, 0.0) < _MANY_NODES_PAUSE
        ):
            self._late[observation.name] = observation
            return
        self._late.pop(observation.name, None)
        self._written_at[observation.name] = now
        try:
            ended = observe(observation, claim=self.claim)
        except (LostClaim, *GONE):
            raise
        except Exception:
            logger.exception("cannot apply what the engine says of %s", observation.name)
            return
        if ended:
            self.endings.add(ended, claim=self.claim)

    def _let_go(self, name: str) -> None:
        """There is room for another Workflow now."""
        self._held.discard(name)
        self._written_at.pop(name, None)
        self._late.pop(name, None)
        self._look = True

    # --- tidying up ---------------------------------------------------------------------------------------------
    def prune_now(self) -> None:
        """Let the engine forget Workflows that ended long ago, once their logs are copied."""
        if self._pruning is not None:
            if not self._pruning.done():
                return
            done, self._pruning = self._pruning, None
            if error := done.exception():
                logger.warning("cannot keep the logs of old Workflows, trying again: %s", error)
                return
            for name in done.result():
                self.engine.delete(name=name)
                pruning.pruned(name)
        self._pruning = self._pool.submit(pruning.keep_logs, older_than=settings.WORKFLOW_KEEP)
