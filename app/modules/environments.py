"""Taking over what a build has staged: an environment is looked at, closed and moved to its digest, or not at all.

Only uv has written to the environment, but what it installs was made by anyone; the bytecode beside it was written by
the packages themselves, and nothing is said of what lies there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path

from app.modules import trees
from app.modules.faults import fault

DEEPEST = 100  # folders in folders; more is no package's need, and too much for programs that walk


def take_environment(staged: Path, target: Path, *, compiled: Path, python: str) -> None:
    """Move a staged environment to its digest, with its bytecode; nothing is done if it is there already.

    `python` is the one file outside that it may point to. Raises `Faulty` if it is none, or holds what none should.
    """
    if target.is_dir():
        return
    if not (staged / "pyvenv.cfg").is_file():
        raise fault("report", "the build has left no environment; rebuild the module")
    _gather(compiled, staged)
    _close(staged, os.path.realpath(python))
    take(staged, target)


def take(staged: Path, target: Path) -> None:
    """Move a folder, whole or not at all; what is there already is kept."""
    if target.is_dir() or not staged.is_dir():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = staged.stat().st_mode & 0o777
    staged.chmod(0o755)  # a folder that moves has to be writable
    try:
        _rename(staged, target)
    except OSError:  # another build of the same was faster
        if not target.is_dir():
            raise
    target.chmod(mode)


def _gather(compiled: Path, environment: Path) -> None:
    """Move bytecode from a folder of the environment's layout to beside its source; whatever else is there is left."""
    if compiled.is_symlink():
        return
    pending = [(compiled, environment)]
    while pending:
        folder, beside = pending.pop()
        for entry in _entries(folder):
            place = beside / entry.name
            if not entry.is_dir(follow_symlinks=False):
                continue
            if entry.name == "__pycache__":
                _gather_files(Path(entry.path), beside)
            elif place.is_dir() and not place.is_symlink():
                pending.append((Path(entry.path), place))


def _gather_files(folder: Path, beside: Path) -> None:
    target = beside / "__pycache__"
    with contextlib.suppress(FileExistsError):
        target.mkdir()
    if target.is_symlink() or not target.is_dir():
        return
    for entry in _entries(folder):
        source = entry.name.partition(".")[0] + ".py"
        if entry.name.endswith(".pyc") and entry.is_file(follow_symlinks=False) and (beside / source).is_file():
            # a second name of it could be anywhere the packages can write, and a copy has the rights of our own files
            shutil.copyfile(entry.path, target / entry.name, follow_symlinks=False)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
        return list(found)
    return []


def _close(environment: Path, python: str) -> None:
    """Make all folders read-only, which keeps later installs out; the files themselves are shared with uv's cache.

    Raises `Faulty` for a link that leaves the environment, a special file, set-user-ID bits, and folders too deep.
    """
    top = os.path.realpath(environment)
    pending = [(str(environment), 0)]
    while pending:
        folder, depth = pending.pop()
        if depth > DEEPEST:
            raise fault("report", f"the environment has folders that are nested more than {DEEPEST} deep")
        for entry in _entries(Path(folder)):
            name = os.path.relpath(entry.path, environment)
            if entry.is_symlink():
                leads_to = os.path.realpath(entry.path)
                if leads_to != python and not leads_to.startswith(top + os.sep):
                    raise fault("report", f"the environment's {name!r} is a link that leads out of it")
            elif entry.is_dir():
                pending.append((entry.path, depth + 1))
            elif not entry.is_file() or entry.stat().st_mode & (stat.S_ISUID | stat.S_ISGID):
                raise fault("report", f"the environment's {name!r} is a special file, or changes the rights of a user")
        Path(folder).chmod(0o555)


def _rename(staged: Path, target: Path) -> None:
    if staged.stat().st_dev == target.parent.stat().st_dev:
        staged.rename(target)
        return
    # the cache was put on another disk: copy beside the target first, so that nobody sees half of it
    near = target.parent / f"{trees.INCOMING}{target.name}-{os.getpid()}"
    trees.discard(near)
    shutil.copytree(staged, near, symlinks=True)
    near.chmod(0o755)
    near.rename(target)
