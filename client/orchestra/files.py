"""Files that the command writes for people."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def whole_file(place: Path) -> Iterator[BinaryIO]:
    """A file to be written, which appears under its name only when it is whole.

    A link is followed; a device or a pipe is written to, never replaced. Raises OSError.
    """
    target = Path(os.path.realpath(place))
    if target.exists() and not target.is_file():
        with target.open("wb") as out:
            yield out
        return
    temporary = temporary_beside(target)
    try:
        with temporary.open("wb") as out:
            yield out
        temporary.rename(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def temporary_beside(target: Path) -> Path:
    """Where a file grows until it is whole."""
    return target.with_name(f".{target.name}.{os.getpid()}")
