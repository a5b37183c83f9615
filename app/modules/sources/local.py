"""A module from a folder of this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from app.modules.faults import fault
from app.modules.metadata import FILENAME
from app.modules.trees import LEFT_OUT, Writer


def copy(path: Path, writer: Writer, *, allow_local: bool) -> Path:
    """Copy a folder's files and links, and return the folder's whole path.

    Raises `Faulty` if local folders are not allowed, if it is no module, or for what no tree can hold.
    """
    if not (settings.SOURCE_LOCAL and allow_local):
        raise fault("path", "folders of the server are not taken here; give a git URL or upload an archive")
    folder = resolve(path)
    if not (folder / FILENAME).is_file():
        inner = sorted(path.parent.name for path in folder.glob(f"*/{FILENAME}"))[:10]
        hint = f"register {' or '.join(inner)} below it" if inner else "a module is a folder with one"
        raise fault("path", f"there is no {FILENAME} in {folder}; {hint}")
    if settings.VAR.is_relative_to(folder):
        raise fault("path", f"{folder} holds Orchestra's own state ({settings.VAR}); register the module's own folder")
    for entry, name in _entries(folder, ""):
        if entry.is_symlink():
            writer.link(name, os.readlink(entry.path))
        else:
            _copy_file(entry.path, name, writer)
    writer.finish()
    return folder


def resolve(path: Path) -> Path:
    """The folder that a person named; raises `Faulty` if there is none."""
    try:
        folder = path.expanduser().resolve(strict=True)
        str(folder).encode()
    except (OSError, RuntimeError, ValueError):
        raise fault("path", f"there is no folder {str(path)[:300]!r} on the server") from None
    if not folder.is_dir():
        raise fault("path", f"{folder} is not a folder")
    return folder


def _entries(folder: Path, prefix: str) -> Iterator[tuple[os.DirEntry[str], str]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise fault("path", f"{folder} cannot be read: {error.strerror}") from None
    for entry in entries:
        if entry.name in LEFT_OUT:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(Path(entry.path), f"{prefix}{entry.name}/")
        else:
            yield entry, f"{prefix}{entry.name}"


def _copy_file(path: str, name: str, writer: Writer) -> None:
    try:
        # without O_NONBLOCK, opening a named pipe would wait for ever
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise writer.fault(f"{name!r} cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise writer.fault(f"{name!r} is neither a file nor a folder nor a link")
        writer.file(name, iter(lambda: file.read(2**20), b""), executable=bool(mode & stat.S_IXUSR))
