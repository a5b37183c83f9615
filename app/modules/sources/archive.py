"""Modules from an uploaded zip: each topmost folder with a metadata.json is one."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from django.conf import settings

from app.modules.metadata import FILENAME
from app.modules.trees import Writer, left_out

MAX_MODULES = 100
_ENCRYPTED = 0x1


def extract(file: IO[bytes], writer: Writer) -> list[str]:
    """Unpack an archive and return the folders of its modules, `.` if the archive itself is one.

    Raises `Faulty`: no zip, names that leave the folder, links, encrypted or damaged entries, too much of anything.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            _unpack(archive, writer)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise writer.fault(f"is not a zip archive that can be read: {error}") from None
    writer.finish()
    return _modules(writer)


def _unpack(archive: zipfile.ZipFile, writer: Writer) -> None:
    entries = archive.infolist()
    if len(entries) > settings.SOURCE_MAX_FILES:
        raise writer.fault(f"has more than {settings.SOURCE_MAX_FILES} entries")
    if sum(entry.file_size for entry in entries) > settings.SOURCE_MAX_BYTES:
        raise writer.fault(f"is larger than {settings.SOURCE_MAX_BYTES // 2**20} MiB when unpacked")
    for entry in entries:
        # zipfile has changed names that hold a NUL or, on some systems, a backslash; the original counts
        name = entry.orig_filename
        if entry.is_dir() or left_out(name.rstrip("/")):
            continue
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in {0, stat.S_IFREG}:
            word = "a link" if kind == stat.S_IFLNK else "neither a file nor a folder"
            raise writer.fault(f"{name[:200]!r} is {word}; archives may hold files only")
        if entry.flag_bits & _ENCRYPTED:
            raise writer.fault(f"{name[:200]!r} is encrypted")
        executable = bool((entry.external_attr >> 16) & stat.S_IXUSR)
        with archive.open(entry) as content:
            writer.file(name, _chunks(content), executable=executable)


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    while chunk := content.read(2**18):
        yield chunk


def _modules(writer: Writer) -> list[str]:
    """The topmost folders with a metadata.json; what lies below one of them is part of it."""
    roots: list[str] = []
    found = sorted(writer.folder.rglob(FILENAME), key=lambda path: len(path.parts))
    for path in found:
        root = path.parent.relative_to(writer.folder)
        if not any(PurePosixPath(root).is_relative_to(earlier) for earlier in roots):
            roots.append(root.as_posix())
    if not roots:
        raise writer.fault(f"there is no {FILENAME} in the archive; a module is a folder with one")
    if len(roots) > MAX_MODULES:
        raise writer.fault(f"holds more than {MAX_MODULES} modules")
    return sorted(roots)
