"""The sweeper's orders."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from orchestra_engine.sandbox import sweeper


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    listen, orders = os.pipe()
    os.set_blocking(orders, False)
    yield listen, orders
    for fd in (listen, orders):
        try:
            os.close(fd)
        except OSError:
            continue


def test_orders_are_carried_out_until_nobody_can_give_any(pipe: tuple[int, int], tmp_path: Path) -> None:
    listen, orders = pipe
    result, scratch = tmp_path / "exit.json", tmp_path / "a scratch\nfolder"
    result.write_text("{}")
    (scratch / "deep" / "deeper").mkdir(parents=True)
    assert sweeper.order(orders, sweeper.SYNC, result)
    assert sweeper.order(orders, sweeper.SYNC, tmp_path / "gone meanwhile")
    assert sweeper.order(orders, sweeper.REMOVE, scratch)
    os.close(orders)
    sweeper.sweep(listen)
    assert [each.name for each in tmp_path.iterdir()] == ["exit.json"]


def test_an_order_that_comes_in_pieces_is_one_order(pipe: tuple[int, int], tmp_path: Path) -> None:
    listen, orders = pipe
    kept, doomed = tmp_path / "folder", tmp_path / "folder-of-a-node"
    for folder in (kept, doomed):
        folder.mkdir()
    sweeping = threading.Thread(target=sweeper.sweep, args=[listen])
    sweeping.start()
    text = sweeper.REMOVE + os.fsencode(doomed) + b"\0"
    at = len(sweeper.REMOVE + os.fsencode(kept))
    os.write(orders, text[:at])
    while select.select([listen], [], [], 0)[0]:
        continue
    os.write(orders, text[at:])
    os.close(orders)
    sweeping.join()
    assert list(tmp_path.iterdir()) == [kept]


def test_who_gives_an_order_learns_that_nobody_takes_it(pipe: tuple[int, int], tmp_path: Path) -> None:
    listen, orders = pipe
    while sweeper.order(orders, sweeper.REMOVE, tmp_path / "never"):
        continue
    os.close(listen)
    assert not sweeper.order(orders, sweeper.SYNC, tmp_path)


def test_an_order_that_no_pipe_takes_whole_is_not_given(pipe: tuple[int, int]) -> None:
    assert not sweeper.order(pipe[1], sweeper.REMOVE, "x" * select.PIPE_BUF)
