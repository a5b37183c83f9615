from __future__ import annotations

import select
import socket
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from app.executions import wakeup
from app.executions.wakeup import Listener

pytestmark = pytest.mark.django_db(transaction=True)


def is_woken(listener: Listener, *, within: float = 2.0) -> bool:
    ready, _, _ = select.select(listener.filenos(), [], [], within)
    return bool(ready) and listener.drain()


def test_every_listener_is_woken_after_the_commit_and_not_before() -> None:
    with Listener("a") as first, Listener("b") as second:
        with transaction.atomic():
            wakeup.wake_after_commit()
            assert not is_woken(first, within=0)
        assert is_woken(first)
        assert is_woken(second)
        is_woken(first, within=0.3)  # the database's own notification may come a little later than the byte
        assert not is_woken(first, within=0.05)


def test_who_changes_something_himself_need_not_hear_of_it() -> None:
    with Listener("controller") as own, Listener("stream") as other:
        with transaction.atomic():
            wakeup.wake_after_commit(but=wakeup.own("controller"))
        assert is_woken(other)
        assert not is_woken(own, within=0.05)


def test_nobody_is_woken_by_what_was_rolled_back() -> None:
    with Listener("a") as listener:
        with pytest.raises(RuntimeError), transaction.atomic():
            wakeup.wake_after_commit()
            raise RuntimeError
        assert not is_woken(listener, within=0.05)


def test_waking_needs_no_listener_and_no_folder(settings: Any, tmp_path: Path) -> None:
    settings.RUN_DIR = tmp_path / "nothing" / "here"
    wakeup.wake()


def test_the_socket_of_a_listener_that_died_is_taken_away(settings: Any) -> None:
    dead = Path(settings.RUN_DIR, "dead.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left, wakeup._address(dead.parent, dead.name) as address:
        left.bind(address)
    wakeup.wake()
    assert not dead.exists()


def test_a_folder_with_a_long_path_will_do(settings: Any, tmp_path: Path) -> None:
    settings.RUN_DIR = tmp_path / ("long" * 40)
    with Listener("a") as listener:
        wakeup.wake()
        assert is_woken(listener)


def test_a_listener_that_does_not_listen_stops_nobody() -> None:
    with Listener("a") as listener:
        for _ in range(5_000):
            wakeup._wake_sockets(listener.path.parent)
        assert is_woken(listener)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="NOTIFY is PostgreSQL's")
def test_other_machines_are_woken_through_the_database(settings: Any, tmp_path: Path) -> None:
    with Listener("a") as listener:
        settings.RUN_DIR = tmp_path / "of-another-machine"
        with transaction.atomic():
            wakeup.wake_after_commit()
        assert is_woken(listener)
