"""A workflow that an engine runs: what waits for the next look at it, and when its status is written."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any

from .operate import queues
from .pod import PodStatus
from .store import Record, Store

log = logging.getLogger(__name__)

_SHARE = 10  # writing a large status takes at most one part in so many of the time
_LARGE_SECONDS = 0.002  # what writing a small one takes at most
_RETRY_SECONDS = 1.0  # after a failed write


@dataclass(kw_only=True)
class Run:
    """A workflow that is not finished."""

    record: Record
    waiting: list[PodStatus] = field(default_factory=list)
    wake_at: float | None = None  # seconds since 1970
    save_at: float | None = None  # monotonic
    dirty: bool = True
    unsaved: bool = False
    stance: queues.Stance = field(init=False)
    saved: float = 0.0  # monotonic
    cost: float = 0.0  # of the last writing, in seconds

    def __post_init__(self) -> None:
        self.stance = queues.stance(self.record.workflow, self.status)

    @property
    def name(self) -> str:
        """The workflow's name."""
        return str(self.record.workflow["metadata"]["name"])

    @property
    def uid(self) -> str:
        """The workflow's uid."""
        return self.record.uid

    @property
    def status(self) -> dict[str, Any]:
        """Its status, not to be changed."""
        status: dict[str, Any] = self.record.workflow["status"]
        return status

    @property
    def turn(self) -> tuple[int, str]:
        """What workflows are sorted by: so they may take locks."""
        return queues.turn(self.record.workflow)

    def save(self, store: Store, *, sync: bool, soon: bool = False) -> bool:
        """Write the status; with `soon` a large one perhaps later, so that writing stays a small part of the work.

        Nothing is lost by that: what the nodes did is in their own files, and the core decides the same again. False if
        it is still to be written, at `save_at`. Raises Gone if somebody has removed the workflow, LostClaim.
        """
        now = time.monotonic()
        self.unsaved = True
        if soon and self.save_at is not None:
            return False
        if soon and self.cost > _LARGE_SECONDS and now < self.saved + self.cost * _SHARE:
            self.save_at = self.saved + self.cost * _SHARE
            return False
        try:
            store.save(self.record, sync=sync)
        except OSError as error:
            log.warning("the status of %s cannot be written, trying again: %s", self.name, error)
            self.save_at = now + _RETRY_SECONDS
            return False
        self.saved = time.monotonic()
        self.cost, self.save_at, self.unsaved = self.saved - now, None, False
        return True
