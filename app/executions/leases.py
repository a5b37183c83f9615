"""The lease of a queue: one controller holds it, beats it, and is fenced by its epoch once another has taken over."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, IntegrityError, close_old_connections, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from app.engines.protocol import LostClaim
from app.executions.models import Execution, Lease

logger = logging.getLogger(__name__)


def _clock() -> float:
    """Seconds that go on while the machine sleeps, so that a holder that was suspended knows it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _process_identity(pid: int) -> str:
    """What tells a process from every other: boot, PID namespace, id and start; empty if it is not there."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        space = os.stat("/proc/self/ns/pid").st_ino
    except (OSError, IndexError):
        return ""
    return "" if state in "ZX" else f"{boot}/{space}/{pid}/{start}"


def _is_dead(holder: str) -> bool:
    """Whether a holder was a process of this boot and this PID namespace that has ended. In doubt: no."""
    parts = holder.split(" ")
    if len(parts) != 3 or parts[1].count("/") != 3:
        return False
    own = _process_identity(os.getpid()).split("/")
    theirs = parts[1].split("/")
    return len(own) == 4 and own[:2] == theirs[:2] and _process_identity(int(theirs[2])) != parts[1]


class Holder:
    """One controller's hold on a queue's lease.

    `epoch` is the claim under which it works. `lost` is called, from the beating thread, when the lease is gone.
    """

    def __init__(self, queue: str, *, lost: Callable[[], None] = lambda: None) -> None:
        self.queue = queue
        self.epoch = 0
        self._ttl = settings.LEASE_SECONDS
        self._name = (
            f"{socket.gethostname()[:120]} {_process_identity(os.getpid()) or os.getpid()} {secrets.token_hex(4)}"
        )
        self._valid_until = 0.0
        self._lost = lost
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self) -> bool:
        """Take the lease if nobody holds it: one UPDATE of the epoch, and what was held before is ours.

        A holder's lease is free once it has expired, or at once if its process on this machine has ended.
        """
        began = _clock()
        with contextlib.suppress(IntegrityError), transaction.atomic():
            Lease.objects.get_or_create(queue=self.queue)
        seen = Lease.objects.get(queue=self.queue)
        free = Q(expires_at=None) | Q(expires_at__lte=Now())
        if seen.holder and _is_dead(seen.holder):
            free |= Q(holder=seen.holder)
        with transaction.atomic():
            taken = Lease.objects.filter(free, queue=self.queue, epoch=seen.epoch).update(
                epoch=F("epoch") + 1, holder=self._name, expires_at=Now() + timedelta(seconds=self._ttl)
            )
            if not taken:
                return False
            self.epoch = seen.epoch + 1
            Execution.objects.held(queue=self.queue).update(claim=self.epoch)
        self._valid_until = began + self._ttl
        return True

    @property
    def held(self) -> bool:
        """Whether the lease is surely still ours, by our own clock."""
        return _clock() < self._valid_until

    def check(self) -> None:
        """Raise `LostClaim` unless the lease is surely still ours; asks no database."""
        if not self.held:
            raise LostClaim(f"the lease of queue {self.queue!r} was not renewed in time, or another controller took it")

    def beat(self) -> None:
        """Renew the lease. Raises `LostClaim` if somebody else has it now."""
        began = _clock()
        mine = Lease.objects.filter(queue=self.queue, epoch=self.epoch, holder=self._name)
        if mine.update(expires_at=Now() + timedelta(seconds=self._ttl)) != 1:
            self._valid_until = 0.0
            raise LostClaim(f"another controller has taken the lease of queue {self.queue!r}")
        self._valid_until = began + self._ttl

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """A transaction in which nobody else can take the lease. Raises `LostClaim` if somebody has it already."""
        with transaction.atomic():
            mine = Lease.objects.select_for_update().filter(queue=self.queue, epoch=self.epoch, holder=self._name)
            if not mine.values_list("epoch", flat=True).first():
                self._valid_until = 0.0
                raise LostClaim(f"another controller has taken the lease of queue {self.queue!r}")
            yield

    def start_beating(self) -> None:
        """Renew the lease three times in its life from now on, in a thread with its own connection."""
        self._thread = threading.Thread(target=self._beat_until_stopped, name=f"lease-{self.queue}", daemon=True)
        self._thread.start()

    def _beat_until_stopped(self) -> None:
        try:
            while not self._stop.wait(self._ttl / 3):
                try:
                    close_old_connections()
                    self.beat()
                except LostClaim:
                    self._lost()
                    return
                except DatabaseError as error:
                    logger.warning("could not renew the lease of queue %r: %s", self.queue, error)
                    connection.close()
                    if not self.held:
                        self._lost()
                        return
        finally:
            connection.close()

    def release(self) -> None:
        """Stop beating and let the next controller have the lease at once."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=self._ttl)
        self._valid_until = 0.0
        with contextlib.suppress(DatabaseError):
            Lease.objects.filter(queue=self.queue, epoch=self.epoch, holder=self._name).update(
                expires_at=None, holder=""
            )
