"""The files that an execution gave out, as they are served: time tables and catalogs with AMDA's header."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from io import RawIOBase
from typing import Any

from app.artifacts import repository
from app.catalogs import services as catalogs
from app.catalogs.models import Catalog
from app.executions.models import Execution, ExecutionArtifact
from app.executions.queries import outputs

_FLUSH = 1 << 18  # bytes of a zip that are sent at a time

Opened = tuple[Iterator[bytes], int | None, str, str]


def open_artifact(artifact: ExecutionArtifact, *, original: bool = False) -> Opened:
    """A file to send: its bytes in pieces, their number if it is known, its media type and its name.

    A time table or catalog comes with AMDA's header, written anew from its events, unless the `original` is asked for.
    Raises FileNotFoundError if the file is gone.
    """
    name = artifact.name.rpartition("/")[2]
    stored = artifact.artifact
    if not original and (catalog := Catalog.objects.filter(artifact=stored).first()):
        return catalogs.text(catalog), None, "text/plain; charset=utf-8", name
    return repository.chunks(stored.key), stored.size, stored.media_type, name


def zip_outputs(execution: Execution, *, attempt: int | None = None) -> Iterator[bytes]:
    """All files of an attempt as a zip archive, made while it is sent; served forms where there are any."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=1, allowZip64=True) as archive:
        for artifact in outputs(execution, attempt):
            pieces, size, _, _ = open_artifact(artifact)
            info = zipfile.ZipInfo(member_of(artifact.name), date_time=artifact.artifact.created_at.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            with archive.open(info, "w", force_zip64=size is None or size > _FLUSH) as member:
                for piece in pieces:
                    member.write(piece)
                    if sink.size > _FLUSH:
                        yield sink.take()
    yield sink.take()


def member_of(name: str) -> str:
    """The name of a file in a zip, which lies in the folder that it is unpacked into, whatever unpacks it, and where.

    What would lead out of it on any system (`..`, a backslash, a drive's letter) is written as in a URL.
    """
    parts = name.replace("\\", "%5C").split("/")
    parts = [part.replace(".", "%2E") if part in {".", ".."} else part for part in parts if part]
    return re.sub(r"^([A-Za-z]):", r"\1%3A", "/".join(parts))


class _Sink(RawIOBase):
    """A stream that only grows, and is emptied from its other end."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        self.size += len(piece)
        return len(piece)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return taken
