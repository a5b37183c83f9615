"""The sweeper: one process that does for all shims what nobody has to wait for.

It brings exit files to the disk and removes scratch folders. Orders come on a pipe: SYNC or REMOVE, a path, a zero
byte.
"""

from __future__ import annotations

import contextlib
import os
import select

from ..removal import remove_tree

SYNC, REMOVE = b"+", b"-"


def sweep(listen: int) -> None:
    """Carry out orders until nobody can give any more."""
    rest = b""
    while piece := os.read(listen, 1 << 16):
        *orders, rest = (rest + piece).split(b"\0")
        for order in orders:
            if order.startswith(REMOVE):
                remove_tree(os.fsdecode(order[1:]))
            else:
                with contextlib.suppress(OSError):
                    _sync(order[1:])


def _sync(path: bytes) -> None:
    """Wait until a file and its name are on the disk."""
    for each in (path, os.path.dirname(path)):
        fd = os.open(each, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def order(pipe: int, what: bytes, path: str | os.PathLike[str]) -> bool:
    """Give an order; False if the sweeper is gone or cannot keep up (`pipe` does not block)."""
    text = what + os.fsencode(path) + b"\0"
    if len(text) > select.PIPE_BUF:  # others' orders could come in between
        return False
    try:
        os.write(pipe, text)
    except OSError:
        return False
    return True
