"""Artifacts: how files are packed and unpacked, and the repository, a folder with the keys that S3 would have.

What is packed was written by user code and what is unpacked may be anyone's: no link is followed out of its folder, no
special file is taken, sizes are bounded. Member names are Argo's: tar members begin with the base name of the path, zip
members with the artifact's name; archive `none` stores each file as one object.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .removal import remove_tree

if TYPE_CHECKING:
    import zipfile

_CHUNK = 1 << 20
DEEPEST = 200  # folders in folders of an output
_SPECIAL = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class ArtifactError(Exception):
    """An artifact cannot be stored or read; the text says which file and why."""


class BadArchive(Exception):
    """What is to be unpacked is no archive of that kind, or a broken one."""


class TooLarge(ArtifactError):
    """More bytes or files than the bound."""


class Budget:
    """Bounds on what may still be written: bytes and files. Raises TooLarge."""

    def __init__(self, *, size: int, files: int = 1_000_000) -> None:
        self.size, self.left, self.files = size, size, files

    def spend(self, size: int, path: str, *, files: int = 0) -> None:
        """Take `size` bytes and `files` files, for the sake of `path`."""
        self.left -= size
        self.files -= files
        if self.left < 0:
            raise TooLarge(f"{path}: more than the limit of {human(self.size)}")
        if self.files < 0:
            raise TooLarge(f"{path}: too many files")


def human(size: int) -> str:
    """A number of bytes for people: `200 MiB`."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.4g} {unit}"
        value /= 1024
    return f"{value:.4g} TiB"


def copy(source: IO[bytes], target: IO[bytes], budget: Budget, name: str) -> None:
    """Copy a stream within the budget."""
    while piece := source.read(_CHUNK):
        budget.spend(len(piece), name)
        target.write(piece)


def open_regular(path: str) -> IO[bytes]:
    """Open a regular file for reading; a link or a special file raises ArtifactError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if os.path.islink(path):
            raise ArtifactError(f"{path} is a symbolic link; write the file itself") from error
        raise ArtifactError(f"{path}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise ArtifactError(f"{path} is {_kind(os.lstat(path).st_mode)}, not a file")
    return os.fdopen(fd, "rb")


def _kind(mode: int) -> str:
    return _SPECIAL.get(stat.S_IFMT(mode), "a folder" if stat.S_ISDIR(mode) else "no regular file")


def walk(top: str) -> Iterator[tuple[str, os.stat_result]]:
    """Paths relative to `top`, in order, folders before their contents, with their lstat; no link is followed.

    Raises ArtifactError on special files and beyond `DEEPEST`.
    """
    stack = [""]
    while stack:
        relative = stack.pop()
        path = os.path.join(top, relative) if relative else top
        info = os.lstat(path)
        if stat.S_IFMT(info.st_mode) in _SPECIAL:
            raise ArtifactError(f"{path} is {_kind(info.st_mode)}, which cannot be stored")
        if relative.count("/") >= DEEPEST:
            raise ArtifactError(f"{path[:200]}…: nested more than {DEEPEST} folders deep")
        if relative:
            yield relative, info
        if stat.S_ISDIR(info.st_mode):
            try:
                names = sorted(os.listdir(path), reverse=True)
            except PermissionError:
                os.chmod(path, 0o700)
                names = sorted(os.listdir(path), reverse=True)
            stack.extend(os.path.join(relative, name) for name in names)


def pack_tar(source: str, name: str, target: IO[bytes], budget: Budget, *, level: int | None = None) -> None:
    """Write `source` (a file or a folder, no link) as tar and gzip; members begin with `name`."""
    compressed = gzip.GzipFile(
        filename="", fileobj=target, mode="wb", compresslevel=6 if level is None else level, mtime=0
    )
    with compressed, tarfile.open(fileobj=compressed, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        info = os.lstat(source)
        _add(archive, source, name, info, budget)
        if stat.S_ISDIR(info.st_mode):
            for relative, each in walk(source):
                _add(archive, os.path.join(source, relative), f"{name}/{relative}", each, budget)


def _add(archive: tarfile.TarFile, path: str, name: str, info: os.stat_result, budget: Budget) -> None:
    member = tarfile.TarInfo(name)
    member.mtime, member.mode = int(info.st_mtime), stat.S_IMODE(info.st_mode)
    if stat.S_ISDIR(info.st_mode):
        member.type = tarfile.DIRTYPE
        archive.addfile(member)
    elif stat.S_ISLNK(info.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, os.readlink(path)
        archive.addfile(member)
    else:
        with open_regular(path) as content:
            member.size = os.fstat(content.fileno()).st_size
            budget.spend(member.size, path, files=1)
            archive.addfile(member, content)


def pack_zip(source: str, name: str, target: IO[bytes], budget: Budget, *, level: int | None = None) -> None:
    """Write `source` as zip; members begin with `name` (the artifact's). Empty folders are lost, as in Argo."""
    import zipfile  # seldom needed, and with it comes threading, which costs each fork of the spawner

    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for path, member in _files(source, name):
            if not _is_text(member):
                raise ArtifactError(f"{path!r} is not UTF-8; only the archive `tar` can store such a name")
            with open_regular(path) as content, archive.open(zipfile.ZipInfo(member), "w", force_zip64=True) as out:
                budget.spend(0, path, files=1)
                copy(content, out, budget, path)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _files(source: str, name: str) -> Iterator[tuple[str, str]]:
    """(path, member) of the file `source` or of each file below the folder; a link raises ArtifactError."""
    if not stat.S_ISDIR(os.lstat(source).st_mode):
        yield source, name
        return
    for relative, info in walk(source):
        path = os.path.join(source, relative)
        if stat.S_ISLNK(info.st_mode):
            raise ArtifactError(f"{path} is a symbolic link; write the file itself (only `tar` archives keep links)")
        if not stat.S_ISDIR(info.st_mode):
            yield path, f"{name}/{relative}"


def unpack_tar(source: IO[bytes], folder: str, budget: Budget) -> None:
    """Extract tar and gzip into the empty `folder`.

    Raises ArtifactError for a member that leaves the folder, a link that points out of it, or a special file; EOFError,
    OSError, zlib.error and tarfile.TarError if it is no such archive.
    """
    modes: dict[str, int] = {}
    with tarfile.open(fileobj=source, mode="r:gz") as archive:
        for member in archive:
            target = _target(folder, member.name)
            if target == folder:
                continue
            budget.spend(0, member.name, files=1)
            if member.isdir():
                os.makedirs(target, exist_ok=True)
                modes[target] = member.mode
            elif member.isreg():
                content = archive.extractfile(member)
                if content is not None:
                    _write(target, content, budget, member.mode)
            elif member.issym():
                _link(folder, target, member)
            elif member.islnk():
                origin = _target(folder, member.linkname)
                with open_regular(origin) as content:
                    _write(target, content, budget, stat.S_IMODE(os.fstat(content.fileno()).st_mode))
            else:
                raise ArtifactError(f"member {member.name!r} is a special file")
    for path, mode in reversed(modes.items()):
        os.chmod(path, (mode & 0o777) | 0o700)


def unpack_zip(source: IO[bytes], folder: str, budget: Budget) -> None:
    """Extract a zip into the empty `folder`; errors as `unpack_tar` (BadArchive if it is none)."""
    import zipfile

    try:
        with zipfile.ZipFile(source) as archive:
            for member in archive.infolist():
                _unpack_member(archive, member, folder, budget)
    except zipfile.BadZipFile as error:
        raise BadArchive(str(error)) from error


def _unpack_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: str, budget: Budget) -> None:
    target = _target(folder, member.filename)
    if member.is_dir():
        os.makedirs(target, exist_ok=True)
    elif stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        raise ArtifactError(f"member {member.filename!r} is a link or a special file")
    else:
        budget.spend(0, member.filename, files=1)
        with archive.open(member) as content:
            _write(target, content, budget, (member.external_attr >> 16) or 0o644)


def _target(folder: str, name: str) -> str:
    """Where member `name` goes; its parents are made and are no links."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise ArtifactError(f"member {name!r} leaves its folder")
    path = folder
    for part in parts[:-1]:
        path = os.path.join(path, part)
        if os.path.islink(path) or (os.path.lexists(path) and not os.path.isdir(path)):
            raise ArtifactError(f"member {name!r} leads through a link or a file")
        os.makedirs(path, exist_ok=True)
    return os.path.join(path, parts[-1]) if parts else folder


def _write(target: str, content: IO[bytes], budget: Budget, mode: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as out:
        copy(content, out, budget, target)
        os.fchmod(fd, (mode & 0o777) | 0o600)


def _link(folder: str, target: str, member: tarfile.TarInfo) -> None:
    place = os.path.relpath(os.path.dirname(target), folder)
    reached = os.path.normpath(os.path.join(place, member.linkname))
    if member.linkname.startswith("/") or reached == ".." or reached.startswith("../"):
        raise ArtifactError(f"member {member.name!r} is a link out of its folder (to {member.linkname!r})")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)
    os.symlink(member.linkname, target)


def is_gzip(path: str) -> bool:
    """Does the file begin as gzip does?"""
    with open_regular(path) as content:
        return content.read(2) == b"\x1f\x8b"


class Repository:
    """The artifact repository: objects are files, a key is a path below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        """The file or folder of `key`. Raises ArtifactError for a key that is no relative path."""
        parts = key.rstrip("/").split("/")
        if (
            any(part in ("", ".", "..") or "\0" in part or len(part.encode()) > 255 for part in parts)
            or parts[0] == ".tmp"
        ):
            raise ArtifactError(f"the key {key!r} is not allowed: it must be a path such as `folder/name.tgz`")
        return self.root.joinpath(*parts)

    def put(self, key: str, fill: Callable[[IO[bytes]], None]) -> None:
        """Store what `fill` writes under `key`, whole or not at all."""
        target = self.path(key)
        with self._temporary() as folder:
            with open(folder / "object", "xb") as out:
                fill(out)
                out.flush()
                os.fsync(out.fileno())
            self._replace(folder / "object", target, key)

    def put_tree(self, key: str, source: str, budget: Budget) -> None:
        """Store each file below the folder `source` as an object below `key`; what was there is replaced."""
        target = self.path(key)
        with self._temporary() as folder:
            tree = folder / "object"
            tree.mkdir()
            for path, member in _files(source, str(tree)):
                os.makedirs(os.path.dirname(member), exist_ok=True)
                with open_regular(path) as content, open(member, "xb") as out:
                    budget.spend(0, path, files=1)
                    copy(content, out, budget, path)
            self._replace(tree, target, key)

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[Path]:
        base = self.root / ".tmp"
        base.mkdir(parents=True, exist_ok=True)
        folder = base / os.urandom(8).hex()
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            remove_tree(folder)

    def _replace(self, made: Path, target: Path, key: str) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                os.rename(target, made.with_name("old"))
            os.rename(made, target)
        except (NotADirectoryError, FileExistsError) as error:
            raise ArtifactError(f"the key {key!r} runs through another object ({error.filename})") from error

    def delete(self, key: str) -> None:
        """Remove the object or all objects below `key`; nothing happens if there is none."""
        target = self.path(key)
        if target.is_dir():
            remove_tree(target)
        else:
            target.unlink(missing_ok=True)


NOT_AN_ARCHIVE = (tarfile.TarError, EOFError, OSError, zlib.error, gzip.BadGzipFile, BadArchive)
