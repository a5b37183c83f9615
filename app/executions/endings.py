"""What is being concluded: attempts whose Workflows are over, each in a thread, until its final state is written."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Protocol

from django.db import InterfaceError, OperationalError, connection

from app.engines.protocol import LostClaim
from app.executions import collection
from app.executions.models import Execution
from app.executions.observations import Ended

logger = logging.getLogger(__name__)

RETRY = 2.0  # s after a fault of database or disk
GONE = (OperationalError, InterfaceError)  # the database cannot be reached, or is locked for too long
_TRIES = 5  # conclusions of one attempt that may fail for a fault that is not the database's


class Fail(Protocol):
    """What ends an attempt as FAILED, for programs and for people."""

    def __call__(self, execution: Execution, *, reason: str, message: str) -> None: ...


@dataclass(kw_only=True)
class _Ending:
    """An attempt that is being concluded, or will be again at `again_at` (monotonic seconds)."""

    ended: Ended
    claim: int
    future: Future[None] | None = None
    again_at: float = 0.0
    tries: int = 0


class Endings:
    """The attempts that are being concluded, by their executions; the controller's loop itself waits for none."""

    def __init__(
        self, pool: Executor, *, ended: Callable[[], object], fail: Fail, let_go: Callable[[str], object]
    ) -> None:
        self._pool = pool
        self._ended = ended  # called, in any thread, when there is something to reap
        self._fail = fail
        self._let_go = let_go  # told the name of the Workflow that is over
        self._endings: dict[int, _Ending] = {}

    def __contains__(self, execution: int) -> bool:
        return execution in self._endings

    def __len__(self) -> int:
        return len(self._endings)

    def add(self, ended: Ended, *, claim: int) -> None:
        """Conclude an attempt, unless that is under way."""
        if ended.execution not in self._endings:
            self._endings[ended.execution] = ending = _Ending(ended=ended, claim=claim)
            self._conclude(ending)

    def reap(self, now: float) -> None:
        """Take note of what has been concluded, at `now` (monotonic seconds). Raises `LostClaim`."""
        for ending in list(self._endings.values()):
            if ending.future is None:
                if now >= ending.again_at:
                    self._conclude(ending)
            elif ending.future.done() and self._is_over(ending, now):
                del self._endings[ending.ended.execution]
                self._let_go(ending.ended.name)

    def _conclude(self, ending: _Ending) -> None:
        ending.tries += 1
        ending.future = self._pool.submit(_conclude, ending.ended, ending.claim)
        ending.future.add_done_callback(lambda _: self._ended())

    def _is_over(self, ending: _Ending, now: float) -> bool:
        """Whether a conclusion has come to its end; else it is tried again later. Raises `LostClaim`."""
        assert ending.future is not None
        error = ending.future.exception()
        if error is None:
            return True
        if isinstance(error, LostClaim):
            raise error
        number = ending.ended.execution
        if isinstance(error, GONE) or (isinstance(error, OSError) and ending.tries < _TRIES):
            logger.warning("cannot conclude execution %s yet, trying again: %s", number, error)
            ending.future, ending.again_at = None, now + RETRY
            return False
        logger.error("could not conclude execution %s", number, exc_info=error)
        self._fail(
            Execution.objects.get(pk=number),
            reason="CollectionFailed",
            message=f"the run ended ({ending.ended.outcome}), but its outputs could not be collected: {error}",
        )
        return True


def _conclude(ended: Ended, claim: int) -> None:
    """Conclude in a thread of the pool, with a connection of its own."""
    try:
        collection.conclude(ended, claim=claim)
    finally:
        connection.close()
