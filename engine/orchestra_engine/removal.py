"""Removing folders that programs have filled: unreadable ones, and ones nested deeper than any path is long."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(folder: str | Path) -> None:
    """Remove a folder with all that is in it; what cannot be removed stays. No link is followed.

    `shutil.rmtree` calls itself for each level and ends with RecursionError after a thousand; here every inner folder
    is moved up to the top before it is emptied.
    """
    with contextlib.suppress(OSError):
        if os.path.islink(folder):
            return
        os.chmod(folder, 0o700)
        top = os.open(folder, _FOLDER)
        try:
            names = itertools.count()
            pending = _unlink_files(top)
            while pending:
                pending += _empty(pending.pop(), top, names)
        finally:
            os.close(top)
        os.rmdir(folder)


def _empty(name: str, top: int, names: Iterator[int]) -> list[str]:
    """Remove the folder `name` of `top`; the folders that were in it are in `top` now, under the names returned."""
    moved = []
    with contextlib.suppress(OSError):
        inner = os.open(name, _FOLDER, dir_fd=top)
        try:
            for each in _unlink_files(inner):
                with contextlib.suppress(OSError):
                    there = f"removed-{os.getpid()}-{next(names)}"
                    os.rename(each, there, src_dir_fd=inner, dst_dir_fd=top)
                    moved.append(there)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=top)
    return moved


def _unlink_files(folder: int) -> list[str]:
    """Unlink all but the folders of `folder`, and return the names of these, which can then be read and written."""
    folders = []
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        with contextlib.suppress(OSError):
            if is_folder:
                os.chmod(name, 0o700, dir_fd=folder)
                folders.append(name)
            else:
                os.unlink(name, dir_fd=folder)
    return folders
