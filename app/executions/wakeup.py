"""Waking whoever waits for news: one byte to each Unix datagram socket in the run folder, and PostgreSQL's NOTIFY.

A wake-up carries no news and may get lost; each listener looks at the database, and does so every second anyway.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.db import DatabaseError, connection, transaction

logger = logging.getLogger(__name__)

CHANNEL = "orchestra"
CONTROLLER = "controller"  # the name of controllers' listeners
_SUFFIX = ".sock"
_LONGEST = 100  # bytes; a socket's address holds 108 on Linux and 104 elsewhere


def wake_after_commit(*, but: str = "") -> None:
    """Wake all listeners once the surrounding transaction is committed; at once if there is none.

    Not those whose names begin with `but`, as `own` gives it: who changes something himself need not hear of it.
    """
    transaction.on_commit(partial(wake, but=but), robust=True)


def own(who: str) -> str:
    """How the names of this process's listeners of that kind begin."""
    return f"{who}-{socket.gethostname()[:40]}-{os.getpid()}-"


def wake(*, but: str = "") -> None:
    """Wake all listeners now: those of this machine through their sockets, others through the database."""
    _wake_sockets(Path(settings.RUN_DIR), but=but)
    if connection.vendor == "postgresql":
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, but])
        except DatabaseError as error:
            logger.warning("could not notify other machines: %s", error)


def _wake_sockets(folder: Path, *, but: str = "") -> None:
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.name.endswith(_SUFFIX)]
    except FileNotFoundError:
        return
    names = [name for name in names if not (but and name.startswith(but))]
    if not names:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for name in names:
            try:
                with _address(folder, name) as address:
                    sender.sendto(b"\0", address)
            except ConnectionRefusedError:  # its owner died without taking it away
                with contextlib.suppress(OSError):
                    os.unlink(folder / name)
            except OSError:  # a full buffer: the listener has enough to wake it; or just gone
                continue


@contextlib.contextmanager
def _address(folder: Path, name: str) -> Iterator[str]:
    """The address of a socket, by a short detour where the path is too long for one."""
    path = str(folder / name)
    if len(os.fsencode(path)) <= _LONGEST:
        yield path
        return
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


class Listener:
    """A place where wake-ups arrive: descriptors to wait on, and `drain` to forget what came.

    `who` becomes part of the socket's name, so that an operator sees who listens. On PostgreSQL it LISTENs too, on a
    connection of its own.
    """

    def __init__(self, who: str) -> None:
        folder = Path(settings.RUN_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        self.name = f"{own(who)}{secrets.token_hex(3)}"
        self.path = folder / f"{self.name}{_SUFFIX}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        with _address(folder, self.path.name) as address:
            self._socket.bind(address)
        self._notifications: Any = None
        self._listen()

    def _listen(self) -> None:
        if connection.vendor != "postgresql":
            return
        parameters = connection.get_connection_params()
        try:
            self._notifications = connection.Database.connect(
                **{key: value for key, value in parameters.items() if key not in {"cursor_factory", "context"}}
            )
            self._notifications.autocommit = True
            with self._notifications.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
        except connection.Database.Error as error:
            logger.warning("cannot listen to the database, looking each second instead: %s", error)
            self._notifications = None

    def filenos(self) -> list[int]:
        """The descriptors that become readable with a wake-up."""
        if self._notifications is None:
            return [self._socket.fileno()]
        return [self._socket.fileno(), self._notifications.fileno()]

    def drain(self) -> bool:
        """Forget all wake-ups that have arrived; True if there were any."""
        woken = False
        with contextlib.suppress(BlockingIOError):
            while self._socket.recv(64):
                woken = True
        if self._notifications is None:
            return woken
        try:
            self._notifications.poll()
        except connection.Database.Error:
            with contextlib.suppress(Exception):
                self._notifications.close()
            self._notifications = None
            return True
        heard = [one for one in self._notifications.notifies if not (one.payload and self.name.startswith(one.payload))]
        woken = woken or bool(heard)
        self._notifications.notifies.clear()
        return woken

    def relisten(self) -> None:
        """Listen to the database again if the connection broke."""
        if self._notifications is None:
            self._listen()

    def close(self) -> None:
        """Stop listening and take the socket away."""
        self._socket.close()
        with contextlib.suppress(OSError):
            self.path.unlink()
        if self._notifications is not None:
            with contextlib.suppress(Exception):
                self._notifications.close()
            self._notifications = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
