"""Housekeeping: what nothing needs any more leaves the disk; what a run or build may need stays, whenever it starts."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from app.executions.models import Attempt, Execution, Kind, Lease
from app.executions.states import HELD
from app.modules import leftovers, trees
from app.modules.images import IN_TEXT
from app.modules.leftovers import CacheInUse, Leftover, Size
from app.schemas.models import Schema, SchemaQuerySet, SchemaVersion

logger = logging.getLogger(__name__)

_FIRST = 600.0  # s after a controller has begun to work
_AT_ONCE = 1000  # sent manifests


@dataclass(frozen=True, kw_only=True)
class Found:
    """A leftover and what it takes on the disk."""

    leftover: Leftover
    size: Size


def look(*, older_than: float) -> list[Found]:
    """What `collect` would remove now of what was not used for `older_than` seconds (an hour at least)."""
    return [Found(leftover=one, size=leftovers.size(one.path)) for one in _leftovers(older_than)]


def collect(*, older_than: float) -> list[Found]:
    """Remove what nothing needs, and return that.

    The decision is made while no queue entry can be taken, and each folder is renamed at once, so that whoever comes
    later finds none and makes it anew; only then are its files removed. Any number of processes may do this at once.
    """
    with _nothing_is_taken():
        aside = [
            (one, folder)
            for one in _leftovers(older_than)
            if (folder := leftovers.set_aside(one, older_than=older_than)) is not None
        ]
    removed = []
    for one, folder in aside:
        found = Found(leftover=one, size=leftovers.size(folder))
        trees.discard(folder)
        if folder.exists():
            logger.warning("cannot remove %s; its owner or its rights were changed", folder)
        else:
            removed.append(found)
    return removed


def forgettable(*, older_than: float) -> SchemaQuerySet:
    """The manifests that were sent to be run once so many seconds ago, and that no execution is of any more."""
    executions = Execution.objects.filter(schema_version__schema=OuterRef("pk"))
    before = timezone.now() - timedelta(seconds=older_than)
    return Schema.objects.sent(before=before).filter(~Exists(executions))


@transaction.atomic
def forget_sent(*, older_than: float) -> int:
    """Delete what is `forgettable`; how many there were. Whoever sends the same text again has it stored anew."""
    found = forgettable(older_than=older_than)
    locked = list(found.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True)[:_AT_ONCE])
    unused = found.filter(pk__in=locked)  # looked at again: a request may have come before the rows were locked
    count = unused.count()
    unused.delete()
    return count


def _leftovers(older_than: float) -> list[Leftover]:
    live = Execution.objects.live()
    versions = {*live.values_list("version", flat=True), *live.values_list("fetch_version", flat=True)} - {None}
    return leftovers.leftovers(
        images=_images(),
        live=versions,
        building=Execution.objects.filter(kind=Kind.BUILD, state__in=HELD).exists(),
        older_than=older_than,
    )


def _images() -> set[str]:
    """The modules' images that Workflows name which the engine has, or schemas that may be run."""
    named: set[str] = set()
    for workflow in Attempt.objects.filter(state__in=HELD).values_list("workflow", flat=True).iterator():
        named.update(IN_TEXT.findall(json.dumps(workflow)))
    schemas = SchemaVersion.objects.filter(schema__removed_at=None, text__contains="orchestra/module:")
    for text in schemas.values_list("text", flat=True).iterator():
        named.update(IN_TEXT.findall(text))
    return named


@contextlib.contextmanager
def _nothing_is_taken() -> Iterator[None]:
    """A transaction in which no controller takes a queue entry: each does that with its queue's lease locked."""
    with transaction.atomic():
        list(Lease.objects.select_for_update().order_by("pk").values_list("pk"))
        yield


class Housekeeper:
    """Collects from time to time, in a thread of its own: large folders take long, and nothing waits for them."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._next: float | None = None

    def tick(self, now: float) -> None:
        """Start a collection if it is time for one, at `now` (monotonic seconds)."""
        if settings.COLLECT_EVERY <= 0:
            return
        if self._next is None:
            self._next = now + min(_FIRST, settings.COLLECT_EVERY)
        if now < self._next or (self._thread is not None and self._thread.is_alive()):
            return
        self._next = now + settings.COLLECT_EVERY
        # a daemon: what it leaves half removed when the controller ends is removed the next time
        self._thread = threading.Thread(target=_collect_in_thread, name="housekeeping", daemon=True)
        self._thread.start()


def _collect_in_thread() -> None:
    try:
        for found in collect(older_than=settings.COLLECT_AFTER):
            logger.info(
                "removed the %s %s, %d bytes: %s",
                found.leftover.what, found.leftover.path.name[:12], found.size.freed, found.leftover.why,
            )  # fmt: skip
        if forgotten := forget_sent(older_than=settings.COLLECT_AFTER):
            logger.info("forgot %d sent manifests that no execution is of", forgotten)
        leftovers.prune_cache()
    except (DatabaseError, OSError, CacheInUse) as error:
        logger.warning("housekeeping is put off: %s", error)
    finally:
        connection.close()
