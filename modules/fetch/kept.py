"""Answers kept on disk, so that the same question costs AMDA nothing twice.

speasy has a cache of data, but it locks what a process is about to fetch for ten minutes, even if that process is
killed, and it is made of pickles. This one is made of plain arrays and has no locks.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
from amda import Parameter, Series

_MOST_BYTES = 5_000_000_000


class Kept:
    """A folder of answers of one server to one account."""

    def __init__(self, folder: Path, *, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def find(self, parameter: Parameter, start: datetime, stop: datetime) -> Series | None:
        """The answer for exactly this interval, if the dataset has not changed since; None otherwise."""
        path = self._path(parameter, start, stop)
        if path is None:
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                series = Series(
                    time=file["time"],
                    values=file["values"],
                    names=tuple(about["names"]),
                    fetched=about["fetched"],
                    axis=about["axis"],
                )
            os.utime(path)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None
        return series

    def keep(self, parameter: Parameter, start: datetime, stop: datetime, series: Series) -> None:
        """Keep an answer; nothing is kept of what AMDA may still add to."""
        path = self._path(parameter, start, stop)
        if path is None:
            return
        about = json.dumps({"names": series.names, "fetched": series.fetched, "axis": series.axis})
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".unfinished", delete=False) as file:
            np.savez_compressed(file, time=series.time, values=series.values, about=np.array(about))
        os.replace(file.name, path)
        self._make_room()

    def _path(self, parameter: Parameter, start: datetime, stop: datetime) -> Path | None:
        # Beyond the dataset's last record AMDA appends without changing the date of the last update.
        if not parameter.last_update or parameter.last is None or stop > parameter.last:
            return None
        key = [parameter.id, parameter.last_update, start.isoformat(), stop.isoformat()]
        return self._folder / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:40]}.npz"

    def _make_room(self) -> None:
        """Remove what was not used for longest until the rest fits."""
        entries = []
        for path in self._folder.iterdir():
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            entries.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self._most_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
