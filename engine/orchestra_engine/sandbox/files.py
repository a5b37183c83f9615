"""A container's files seen from outside: its inputs are laid down before it starts, its outputs taken after it ended.

User code controls these folders. Links are followed as the container would follow them, never into the machine's own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from .. import artifacts
from ..artifacts import ArtifactError, Budget, Repository
from ..pod import InputArtifact, OutputArtifact, OutputParameter
from ..removal import remove_tree

PARAMETER_BYTES = 1024 * 1024  # of one output parameter
_STAGING = "/var/run/argo/outputs"  # where Argo's executor keeps outputs; part of its messages


class InputError(Exception):
    """An input cannot be laid down; the text is Argo's where Argo has one."""


class View:
    """Paths inside a container → paths on disk. `places` maps absolute folders inside to folders on disk."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = sorted(
            ((self._parts(inside), disk) for inside, disk in places.items()), key=lambda p: -len(p[0])
        )

    @staticmethod
    def _parts(path: str) -> list[str]:
        return [part for part in path.split("/") if part not in ("", ".")]

    def _disk(self, parts: Sequence[str]) -> str:
        for inside, disk in self._places:
            if list(parts[: len(inside)]) == inside:
                return os.path.join(disk, *parts[len(inside) :])
        raise FileNotFoundError("/" + "/".join(parts))

    def _inside(self, target: str) -> list[str]:
        """An absolute link's target; the scratch folder's own path (the plain sandbox shows it) is taken off."""
        for inside, disk in self._places:
            if target == disk or target.startswith(disk + "/"):
                return inside + self._parts(target[len(disk) :])
        return self._parts(target)

    def shown(self, text: object) -> str:
        """A text about places on disk in the container's own words for them; bytes that are no UTF-8 as `\\xff`."""
        told = str(text).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        for inside, disk in sorted(self._places, key=lambda place: -len(place[1])):
            told = told.replace(f"{disk}/", "/".join(["", *inside, ""])).replace(disk, "/" + "/".join(inside))
        return told

    def resolve(self, path: str, *, make: bool = False) -> str:
        """The place on disk of the absolute `path`, links followed as inside. No part of the result is a link.

        With `make` missing parent folders are made, and the last part need not exist. Raises FileNotFoundError,
        NotADirectoryError, ArtifactError (too many links).
        """
        if "\0" in path:
            raise ArtifactError(f"{path!r} is no path")
        pending = self._parts(path)[::-1]
        done: list[str] = []
        links = 0
        while pending:
            part = pending.pop()
            if part == "..":
                done = done[:-1]
                continue
            disk = self._disk([*done, part])
            try:
                mode = os.lstat(disk).st_mode
            except FileNotFoundError:
                if not make:
                    raise
                if pending:
                    os.makedirs(disk)
                done.append(part)
                continue
            if stat.S_ISLNK(mode):
                links += 1
                if links > 40:
                    raise ArtifactError(f"{path}: too many symbolic links")
                target = os.readlink(disk)
                if target.startswith("/"):
                    done = []
                    pending += self._inside(target)[::-1]
                else:
                    pending += self._parts(target)[::-1]
                continue
            done.append(part)
        return self._disk(done)


def lay_inputs(inputs: Sequence[InputArtifact], view: View, repository: Repository, staging: str, size: int) -> None:
    """Put every input at its path (outer folders first). `staging` is an empty folder on the same disk.

    Raises InputError; OSError if the disk fails.
    """
    budget = Budget(size=size)
    for number, artifact in enumerate(sorted(inputs, key=lambda each: each.path.count("/"))):
        try:
            _lay(artifact, view, repository, os.path.join(staging, str(number)), budget)
        except (ArtifactError, NotADirectoryError, UnicodeError) as error:
            raise InputError(f"artifact {artifact.name} failed to load: {view.shown(error)}") from error


def _lay(artifact: InputArtifact, view: View, repository: Repository, staging: str, budget: Budget) -> None:
    target = view.resolve(artifact.path, make=True)
    if artifact.raw is not None:
        _write(target, artifact.raw.encode())
    elif artifact.key is None:
        if not artifact.optional:
            raise InputError(f"artifact {artifact.name} failed to load: nothing supplies it")
        return
    else:
        source = repository.path(artifact.key)
        if not os.path.lexists(source):
            if not artifact.optional:
                raise InputError(f"artifact {artifact.name} failed to load: The specified key does not exist.")
            os.makedirs(target, exist_ok=True)  # what a program finds on Argo: the mount point
            return
        _load(artifact.archive, str(source), target, staging, budget)
    if artifact.mode is not None:
        os.chmod(target, artifact.mode)
        if artifact.recurse_mode and os.path.isdir(target):
            for relative, info in artifacts.walk(target):
                if not stat.S_ISLNK(info.st_mode):
                    os.chmod(os.path.join(target, relative), artifact.mode)


def _write(target: str, data: bytes) -> None:
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(fd, "wb") as out:
        out.write(data)


def _load(archive: str, source: str, target: str, staging: str, budget: Budget) -> None:
    if os.path.isdir(source):
        _copy_tree(source, target, budget)
        return
    unpack = artifacts.unpack_zip if archive == "zip" else artifacts.unpack_tar
    if archive == "zip" or (archive == "tar" and artifacts.is_gzip(source)):
        os.mkdir(staging)
        try:
            with artifacts.open_regular(source) as content:
                unpack(content, staging, budget)
        except artifacts.NOT_AN_ARCHIVE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's fault
            remove_tree(staging)
            if archive == "zip":
                raise ArtifactError(f"it is no zip archive: {error}") from error
        else:
            _move(staging, target)
            return
    with artifacts.open_regular(source) as content, open(target, "xb") as out:
        artifacts.copy(content, out, budget, source)
        os.fchmod(out.fileno(), 0o600)


def _move(unpacked: str, target: str) -> None:
    """What was unpacked goes to `target`: its single entry under that name, else the folder itself, as in Argo."""
    names = os.listdir(unpacked)
    if os.path.isdir(target) and not os.path.islink(target):
        os.rmdir(target)
    if len(names) == 1:
        os.rename(os.path.join(unpacked, names[0]), target)
        os.rmdir(unpacked)
    else:
        os.chmod(unpacked, 0o755)  # noqa: S103 - as any folder in a container
        os.rename(unpacked, target)


def _copy_tree(source: str, target: str, budget: Budget) -> None:
    os.makedirs(target, exist_ok=True)
    for relative, info in artifacts.walk(source):
        path = os.path.join(target, relative)
        if stat.S_ISDIR(info.st_mode):
            os.makedirs(path, exist_ok=True)
        elif stat.S_ISREG(info.st_mode):
            with artifacts.open_regular(os.path.join(source, relative)) as content, open(path, "xb") as out:
                budget.spend(0, path, files=1)
                artifacts.copy(content, out, budget, relative)


class Outputs:
    """What a program left: `values` in Argo's shape, `errors` (the executor's: node Error), `unusable` (main's: 64)."""

    def __init__(self, view: View, repository: Repository, size: int) -> None:
        self.view, self.repository, self.budget = view, repository, Budget(size=size)
        self.values: dict[str, Any] = {}
        self.errors: list[str] = []
        self.unusable = ""

    def parameters(self, wanted: Sequence[OutputParameter]) -> None:
        """Read the files of output parameters; exactly one trailing newline is removed."""
        for each in wanted:
            entry: dict[str, Any] = {"name": each.name}
            self.values.setdefault("parameters", []).append(entry)
            try:
                disk = self.view.resolve(each.path)
                if os.path.isdir(disk):
                    entry["value"] = ""
                    place = f"{_STAGING}/parameters/{each.path}"
                    self.unusable = self.unusable or (
                        f"failed to copy {each.path} to {place}: write {place}: copy_file_range: is a directory"
                    )
                    continue
                with artifacts.open_regular(disk) as content:
                    data = content.read(PARAMETER_BYTES + 1)
                if len(data) > PARAMETER_BYTES:
                    raise ArtifactError(f"{each.path} is larger than {artifacts.human(PARAMETER_BYTES)}")
                entry["value"] = data.decode("utf-8", "replace").removesuffix("\n")
            except FileNotFoundError:
                if each.default is None:
                    self.errors.append(f"open {_STAGING}/parameters{each.path}: no such file or directory")
                else:
                    entry["value"] = each.default
            except (ArtifactError, OSError) as error:
                self.errors.append(f"output parameter {each.name}: {self.view.shown(error)}")

    def artifacts(self, wanted: Sequence[OutputArtifact]) -> None:
        """Store the output artifacts in the repository. Raises TooLarge; OSError ENOSPC if the disk is full."""
        for each in wanted:
            try:
                disk = self.view.resolve(each.path)
            except FileNotFoundError:
                if not each.optional:
                    suffix = {"tar": ".tgz", "zip": ".zip"}.get(each.archive, "")
                    self.errors.append(f"open {_STAGING}/artifacts{each.path}{suffix}: no such file or directory; ")
                continue
            except (ArtifactError, NotADirectoryError) as error:
                self.errors.append(f"output artifact {each.name}: {self.view.shown(error)}")
                continue
            try:
                self._store(each, disk)
            except artifacts.TooLarge as error:
                raise artifacts.TooLarge(self.view.shown(error)) from error
            except ArtifactError as error:
                self.errors.append(f"output artifact {each.name}: {self.view.shown(error)}")
                continue
            entry = {"name": each.name, "path": each.path, "s3": {"key": each.key}}
            self.values.setdefault("artifacts", []).append(entry)

    def _store(self, wanted: OutputArtifact, disk: str) -> None:
        base = os.path.basename(wanted.path.rstrip("/"))
        if wanted.archive == "none":
            if os.path.isdir(disk):
                self.repository.put_tree(wanted.key, disk, self.budget)
                return
            with artifacts.open_regular(disk) as content:
                self.repository.put(wanted.key, lambda out: artifacts.copy(content, out, self.budget, wanted.path))
            return
        if not stat.S_ISDIR(os.lstat(disk).st_mode):
            artifacts.open_regular(disk).close()
        if wanted.archive == "zip":
            self.repository.put(wanted.key, lambda out: artifacts.pack_zip(disk, wanted.name, out, self.budget))
        else:
            level = wanted.compression_level
            self.repository.put(wanted.key, lambda out: artifacts.pack_tar(disk, base, out, self.budget, level=level))
