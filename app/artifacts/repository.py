"""The artifact repository: objects under keys, here files in a folder with the keys that S3 would have."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath

from django.conf import settings

CHUNK = 1 << 20  # bytes


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One object: its whole key and its size in bytes."""

    key: str
    size: int


def _path(key: str) -> Path:
    """The file of a key. Raises ValueError for a key that leads out of the repository."""
    parts = PurePosixPath(key).parts
    if not parts or key.startswith("/") or ".." in parts or "\0" in key:
        raise ValueError(f"{key!r} is no key of the artifact repository")
    return Path(settings.REPOSITORY_DIR, *parts)


def write(key: str, content: bytes) -> None:
    """Store an object, whole or not at all; an object of the same key is replaced."""
    path = _path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name[:100]}.{secrets.token_hex(4)}"
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_from(key: str, chunks: Iterator[bytes]) -> None:
    """Store an object piece by piece, whole or not at all."""
    path = _path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name[:100]}.{secrets.token_hex(4)}"
    try:
        with temporary.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def open_object(key: str) -> BufferedReader:
    """An object to read. Raises FileNotFoundError; never follows a symbolic link."""
    descriptor = os.open(_path(key), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    return os.fdopen(descriptor, "rb")


def read(key: str, *, offset: int = 0, limit: int | None = None) -> bytes | None:
    """The bytes of an object from `offset` on, at most `limit`; None if there is no such object."""
    try:
        with open_object(key) as file:
            if offset and offset >= os.fstat(file.fileno()).st_size:
                return b""
            file.seek(offset)
            return file.read(-1 if limit is None else limit)
    except FileNotFoundError:
        return None


def chunks(key: str) -> Iterator[bytes]:
    """The bytes of an object, piece by piece. Raises FileNotFoundError at once."""
    file = open_object(key)

    def pieces() -> Iterator[bytes]:
        with file:
            while piece := file.read(CHUNK):
                yield piece

    return pieces()


def sha256(key: str) -> str:
    """The SHA-256 of an object, in hexadecimal digits."""
    with open_object(key) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def at(key: str) -> list[Stored]:
    """The object of a key, or all objects below it if it is a folder's; nothing if there is neither."""
    path = _path(key)
    if path.is_file() and not path.is_symlink():
        return [Stored(key=key, size=path.stat().st_size)]
    return below(key)


def below(prefix: str) -> list[Stored]:
    """All objects below a prefix (a folder), by key; links and special files are none."""
    root = _path(prefix)
    found: list[Stored] = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                key = f"{prefix.rstrip('/')}/{path.relative_to(root).as_posix()}"
                found.append(Stored(key=key, size=path.stat().st_size))
    return sorted(found, key=lambda one: one.key)
