"""Folders on the disk that no module needs any more: environments, trees, staging folders, and what crashes left.

Nothing here decides what runs: the caller says which images are in use and whether a build is under way, and keeps
both from changing while folders are set aside.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from app.modules import trees
from app.modules.builds import staging_prefix, uv_cache
from app.modules.images import parts
from app.modules.interpreters import uv_program
from app.modules.models import Build, Version

_ASIDE = ".removing-"
_DIGEST = re.compile(r"([0-9a-f]{64})(?:-([\w.-]+))?")
LEAST_AGE = 3600.0  # s
_LOCK_SECONDS = 60
_BLOCK = 512  # bytes, the unit of st_blocks


class CacheInUse(Exception):
    """uv's cache could not be pruned now; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A folder that may be removed: what it is, and why nothing needs it."""

    path: Path
    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Size:
    """Bytes on the disk of a folder: those that its removal frees, and those that have links elsewhere."""

    freed: int
    shared: int


def leftovers(*, images: Collection[str], live: Collection[int], building: bool, older_than: float) -> list[Leftover]:
    """What nothing needs, of what has not been touched for `older_than` seconds and an hour at least.

    `images` are the names in Workflows that run, `live` are the keys of versions that run or
    wait to run. While something is `building` no environment is a leftover: the build may have found it already.
    """
    since = timezone.now() - timedelta(seconds=max(older_than, LEAST_AGE))
    gone = Q(module__removed_at__lt=since) & ~Q(pk__in=live)
    kept = Version.objects.exclude(gone)
    named = [digests for name in images if (digests := parts(name))]
    needed_trees = _Needed(set(kept.values_list("tree_digest", flat=True)), [tree for tree, _ in named])
    built = kept.usable().values_list("environment__digest", flat=True)
    needed_environments = _Needed(set(built), [environment for _, environment in named])
    found = [*_unfinished(), *_trees(needed_trees), *_staging()]
    if not building:
        found += _environments(needed_environments)
    return [one for one in found if _age(one.path) > _least_age(one.path, older_than)]


def set_aside(leftover: Leftover, *, older_than: float) -> Path | None:
    """Rename a leftover, which is then nobody's; None if somebody else was faster, or has touched it just now."""
    path = leftover.path
    if path.name.startswith(_ASIDE):
        return path
    aside = path.parent / f"{_ASIDE}{path.name[:16]}-{secrets.token_hex(4)}"
    try:
        path.rename(aside)
    except OSError:
        return None
    if _age(aside) > _least_age(path, older_than):
        return aside
    try:
        aside.rename(path)  # a registration has found this very tree and counts on it
    except OSError:  # the tree was stored anew meanwhile
        return aside
    return None


def size(folder: Path) -> Size:
    """How large a folder is. Files that are also packages of uv's cache stay there when the folder goes."""
    freed = shared = 0
    for path in _files(folder):
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        if found.st_nlink > 1:
            shared += found.st_blocks * _BLOCK
        else:
            freed += found.st_blocks * _BLOCK
    return Size(freed=freed, shared=shared)


def prune_cache() -> str:
    """Let uv take out of its cache what it will never use again, and return its own sentence about that.

    uv itself waits until no build uses the cache. Raises `CacheInUse` if that takes too long, or uv cannot do it.
    """
    if not uv_cache().is_dir():
        return "there is no cache yet"
    command = [str(uv_program()), "--no-config", "--offline", "cache", "prune"]
    env = {**os.environ, "UV_CACHE_DIR": str(uv_cache()), "NO_COLOR": "1", "UV_LOCK_TIMEOUT": str(_LOCK_SECONDS)}
    run = subprocess.run(command, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    told = run.stderr.strip().rpartition("\n")[2]
    if run.returncode:
        raise CacheInUse(f"uv could not prune its cache: {told or f'exit code {run.returncode}'}")
    return told


@dataclass(frozen=True)
class _Needed:
    """Digests that are needed: whole ones of rows, and the beginnings that names of images hold."""

    whole: set[str]
    beginnings: list[str]

    def __contains__(self, digest: str) -> bool:
        return digest in self.whole or any(digest.startswith(one) for one in self.beginnings)


def _environments(needed: _Needed) -> Iterator[Leftover]:
    for path, digest, tag in _by_digest(settings.ENVIRONMENTS_DIR):
        if not tag and digest not in needed:
            yield Leftover(path=path, what="environment", why="no version of a module uses it")


def _trees(needed: _Needed) -> Iterator[Leftover]:
    for path, digest, tag in _by_digest(settings.TREES_DIR):
        if digest not in needed:
            yield Leftover(path=path, what="bytecode" if tag else "tree", why="its module was removed")


def _staging() -> Iterator[Leftover]:
    """Staging folders of this installation whose builds have ended, or were never stored."""
    prefix = staging_prefix()
    pending = set(map(str, Build.objects.pending().values_list("pk", flat=True)))
    for path in _folders(prefix.parent):
        number = path.name.removeprefix(prefix.name)
        if number != path.name and number.isdecimal() and number not in pending:
            yield Leftover(path=path, what="staging folder", why=f"build {number} has ended")


def _unfinished() -> Iterator[Leftover]:
    """What a crash left: half copies, and what was set aside and not yet removed."""
    for parent in (settings.TREES_DIR, settings.ENVIRONMENTS_DIR, staging_prefix().parent):
        for path in _folders(Path(parent)):
            if path.name.startswith((trees.INCOMING, _ASIDE)):
                yield Leftover(path=path, what="unfinished folder", why="whoever worked on it was interrupted")


def _by_digest(folder: Path) -> Iterator[tuple[Path, str, str]]:
    for path in _folders(Path(folder)):
        if match := _DIGEST.fullmatch(path.name):
            yield path, match[1], match[2] or ""


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink())
    except FileNotFoundError:
        return []


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            yield path


def _least_age(path: Path, older_than: float) -> float:
    """How old, in s, a folder has to be: registrations and builds need time between finding one and saying so."""
    if path.name.startswith(_ASIDE):
        return 0.0
    return max(older_than, trees.STALE if path.name.startswith(trees.INCOMING) else LEAST_AGE)


def _age(path: Path) -> float:
    """Seconds since a folder was made or touched; 0 for one that is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
