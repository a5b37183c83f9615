"""A module from a folder of this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from app.modules.faults import fault
from app.modules.metadata import FILENAME
from app.modules.trees import LEFT_OUT, Writer, check_name

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


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
    with _opened(folder) as descriptor:
        _copy_folder(descriptor, "", writer)
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
    if any(folder.is_relative_to(own) for own in (settings.WORKFLOWS_DIR, settings.CACHE_DIR)):
        # a module that runs could change these files while they are read, and have read what it may not see itself
        raise fault(
            "path", f"{folder} belongs to what Orchestra runs; register the module from its author's own folder"
        )
    return folder


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """A descriptor of a resolved folder, opened part by part: none of its parts may have become a link meanwhile."""
    descriptor = os.open(folder.anchor, _FOLDER)
    try:
        for part in folder.parts[1:]:
            inner = _open_folder(part, descriptor, str(folder))
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _open_folder(name: str, parent: int, shown: str) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except OSError as error:
        raise fault("path", f"{shown} cannot be read: {error.strerror}") from None


def _copy_folder(descriptor: int, prefix: str, writer: Writer) -> None:
    """Copy what is in a folder. Names are looked up in the open folder, so that nobody can put a link in between."""
    try:
        with os.scandir(descriptor) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise fault("path", f"{prefix or 'the folder'} cannot be read: {error.strerror}") from None
    for entry in entries:
        name = f"{prefix}{entry.name}"
        if entry.name in LEFT_OUT:
            continue
        if entry.is_symlink():
            writer.link(name, _target(entry.name, name, descriptor, writer))
        elif entry.is_dir(follow_symlinks=False):
            check_name(name, path=writer.path)
            inner = _open_folder(entry.name, descriptor, name)
            try:
                _copy_folder(inner, f"{name}/", writer)
            finally:
                os.close(inner)
        else:
            _copy_file(entry.name, name, descriptor, writer)


def _target(name: str, shown: str, parent: int, writer: Writer) -> str:
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError as error:
        raise writer.fault(f"{shown!r} cannot be read: {error.strerror}") from None


def _copy_file(name: str, shown: str, parent: int, writer: Writer) -> None:
    try:
        # without O_NONBLOCK, opening a named pipe would wait for ever
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
    except OSError as error:
        raise writer.fault(f"{shown!r} cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise writer.fault(f"{shown!r} is neither a file nor a folder nor a link")
        writer.file(shown, iter(lambda: file.read(2**20), b""), executable=bool(mode & stat.S_IXUSR))
