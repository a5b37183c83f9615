"""Files that the command writes, each whole or not at all."""

from __future__ import annotations

import contextlib
import json
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


def write_json(path: Path, value: object) -> None:
    """Replace a file of the desk's folder, which only its owner reads. Raises OSError."""
    from orchestra_engine.store import write_atomically

    text = json.dumps(value, ensure_ascii=False, indent=1)
    write_atomically(path, text.encode(errors="surrogateescape"), sync=False)
