"""Module trees: plain files below one folder, stored read-only under the digest of their content."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from orchestra_engine.removal import remove_tree

from app.modules.faults import Faulty, fault

# Never part of a module: other tools' state, and what is made again from the rest.
LEFT_OUT = frozenset({
    ".git", ".hg", ".svn", ".venv", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache",
    ".ipynb_checkpoints", "__MACOSX", ".DS_Store",
})  # fmt: skip
INCOMING = ".incoming-"
STALE = 24 * 3600  # s; an unfinished folder this old belongs to nobody any more
_CHUNK = 2**20


class Writer:
    """Fills a new folder with files whose names and contents come from strangers.

    Nothing is ever written through a link: links are made at the end, and only if they stay in the tree. The limits
    are `SOURCE_MAX_BYTES` and `SOURCE_MAX_FILES`. Everything raises `Faulty`.
    """

    def __init__(self, folder: Path, *, path: str) -> None:
        self.folder = folder
        self.path = path  # of the faults: url, path or file
        self.bytes = 0
        self.files = 0
        self._links: list[tuple[str, str]] = []

    def fault(self, message: str) -> Faulty:
        """A fault with this source's path."""
        return fault(self.path, message)

    def file(self, name: str, chunks: Iterator[bytes], *, executable: bool = False) -> None:
        """Write one file; `name` is relative with slashes."""
        target = self._place(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(target, flags, 0o755 if executable else 0o644)
        except (FileExistsError, NotADirectoryError):
            raise self.fault(f"{name!r} is there twice, perhaps once as a file and once as a folder") from None
        except OSError as error:
            raise self.fault(f"{name!r} cannot be stored: {error.strerror}") from None
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                self._count(len(chunk))
                file.write(chunk)

    def link(self, name: str, target: str) -> None:
        """Remember a symbolic link; it is made by `finish`."""
        self._place(name)
        if target.startswith("/") or "\0" in target or len(target.encode("utf-8", "surrogateescape")) > 4000:
            raise self.fault(f"the link {name!r} leaves the module; only relative links within it are taken")
        self._links.append((name, target))

    def finish(self) -> None:
        """Make the links and check where they lead, now that everything that they can lead to is there."""
        for name, target in self._links:
            place = self.folder / name
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(target)
            except OSError as error:
                raise self.fault(f"the link {name!r} cannot be made: {error.strerror}") from None
        root = self.folder.resolve()
        for name, _ in self._links:
            try:
                inside = (self.folder / name).resolve().is_relative_to(root)
            except (OSError, RuntimeError):  # a circle of links
                inside = False
            if not inside:
                raise self.fault(f"the link {name!r} leaves the module; only links within it are taken")

    def _place(self, name: str) -> Path:
        self.files += 1
        if self.files > settings.SOURCE_MAX_FILES:
            raise self.fault(f"has more than {settings.SOURCE_MAX_FILES} files")
        check_name(name, path=self.path)
        return self.folder / name

    def _count(self, size: int) -> None:
        self.bytes += size
        if self.bytes > settings.SOURCE_MAX_BYTES:
            raise self.fault(f"is larger than {settings.SOURCE_MAX_BYTES // 2**20} MiB")


def check_name(name: str, *, path: str) -> None:
    """Raise `Faulty` unless `name` is a relative path with slashes that any file system keeps as it is."""
    parts = name.split("/")
    problem = ""
    if name.startswith("/") or any(part in {"", ".", ".."} for part in parts):
        problem = "leaves the module or is no plain path"
    elif "\\" in name or any(ord(character) < 32 or ord(character) == 127 for character in name):
        problem = "holds a backslash or a control character"
    elif any(0xD800 <= ord(character) <= 0xDFFF for character in name):
        problem = "is not UTF-8"
    elif len(name.encode("utf-8", "replace")) > 1000 or any(
        len(part.encode("utf-8", "replace")) > 255 for part in parts
    ):
        problem = "is too long"
    elif any(part.casefold() == ".git" for part in parts):
        problem = "is git's own folder"
    if problem:
        raise fault(path, f"the name {name[:200]!r} {problem}")


def left_out(name: str) -> bool:
    """Whether a path has a part that is never taken into a tree."""
    return not LEFT_OUT.isdisjoint(name.split("/"))


@contextmanager
def incoming() -> Iterator[Path]:
    """A new folder beside the stored trees, removed at the end unless `store` has renamed it."""
    settings.TREES_DIR.mkdir(parents=True, exist_ok=True)
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=INCOMING, dir=settings.TREES_DIR))
    try:
        yield folder
    finally:
        discard(folder)


def store(folder: Path) -> str:
    """Make a tree read-only, move it to its digest, and return that; a tree that is there already is kept.

    `folder` has to lie on the file system of `TREES_DIR`.
    """
    tree_digest = digest(folder)
    target = settings.TREES_DIR / tree_digest
    if not touch(target):
        _protect(folder)
        try:
            folder.rename(target)
        except OSError:  # somebody else stored the same tree meanwhile
            if not target.is_dir():
                raise
        target.chmod(0o555)
    return tree_digest


def location(tree_digest: str) -> Path:
    """Where a stored tree lies."""
    return Path(settings.TREES_DIR) / tree_digest


def bytecode_location(tree_digest: str, cache_tag: str) -> Path:
    """Where the compiled bytecode of a stored tree lies, in the tree's own layout (`__pycache__` folders only)."""
    return Path(settings.TREES_DIR) / f"{tree_digest}-{cache_tag}"


def digest(folder: Path) -> str:
    """SHA-256 over the sorted lines `kind NUL path NUL sha256 LF`.

    `kind` is f (file), x (executable file) or l (link, hashed over its target). Folders count by what they hold.
    """
    lines = []
    for path in sorted(_walk(folder)):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            kind, content = "l", hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest()
        else:
            with path.open("rb") as file:
                kind, content = "f", hashlib.file_digest(file, "sha256").hexdigest()
            if path.stat().st_mode & stat.S_IXUSR:
                kind = "x"
        lines.append(f"{kind}\0{name}\0{content}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def touch(folder: Path) -> bool:
    """Note that a stored folder is wanted now, which keeps it from being removed for a while; False if it is gone."""
    try:
        os.utime(folder)
    except FileNotFoundError:
        return False
    return True


def discard(folder: Path) -> None:
    """Remove a folder, also one that was made read-only or filled by programs; nothing is done if it is not there."""
    remove_tree(folder)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        for name in files:
            yield Path(parent, name)
        for name in folders:
            if Path(parent, name).is_symlink():
                yield Path(parent, name)


def _protect(folder: Path) -> None:
    """Take away all rights to write, except on the folder itself, which has to be renamed."""
    for path in _walk(folder):
        if not path.is_symlink():
            path.chmod(0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444)
    for parent, _, _ in os.walk(folder):
        if Path(parent) != folder:
            Path(parent).chmod(0o555)


def _sweep() -> None:
    """Remove what a crash left unfinished."""
    for folder in settings.TREES_DIR.glob(f"{INCOMING}*"):
        try:
            if time.time() - folder.stat().st_mtime > STALE:
                discard(folder)
        except FileNotFoundError:
            continue
