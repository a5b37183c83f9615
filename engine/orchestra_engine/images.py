"""What an image's name means on this machine: folders that come first on PATH, and folders to show.

Nothing is ever downloaded. `python:3.x` is an interpreter of that minor, `busybox`, `alpine`, `debian` and `ubuntu` are
the machine's own shell and programs; everything else comes from the caller's table.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import parts

MACHINE = ("alpine", "busybox", "debian", "ubuntu")
_PYTHON = re.compile(r"python(?::(?P<minor>3\.\d+)(?:\.\d+)?(?:[-.].*)?|:3(?:-.*)?|:latest|:slim|:alpine)?\Z")
_LIBRARY = re.compile(r"\A(?:(?:index\.)?docker\.io/)?(?:library/)?")
_QUESTION = "import json,sys; print(json.dumps([list(sys.version_info[:2]), sys.executable, sys.base_prefix]))"


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image on this machine: `path` goes before the system's PATH, `readonly` is shown in a private root."""

    path: list[Path] = field(default_factory=list)
    readonly: list[Path] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)


class UnknownImage(ValueError):
    """No entry for this image; the text names what there is."""


def environment(folder: Path, env: Mapping[str, str] | None = None) -> Image:
    """The image that a Python virtual environment is: its programs, itself, and the interpreter that it links to."""
    readonly = [folder]
    link = folder / "bin" / "python"
    while link.is_symlink():
        target = Path(os.path.normpath(link.parent / os.readlink(link)))
        if target.parent != link.parent:
            readonly.append(target.parent.parent)
        link = target
    readonly.append(Path(os.path.realpath(link)).parent.parent)
    system = (Path("/"), Path("/usr"))
    return Image(
        path=[folder / "bin"],
        readonly=[each for each in dict.fromkeys(readonly) if each not in system],
        env=dict(env or {}),
    )


@functools.cache
def ask(interpreter: str) -> tuple[str, str, str] | None:
    """(minor such as 3.11, executable, base prefix) of a Python; None if it does not run."""
    try:
        done = subprocess.run(
            [interpreter, "-I", "-c", _QUESTION], capture_output=True, text=True, timeout=20, check=True, cwd="/"
        )
        (major, minor), executable, prefix = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return f"{major}.{minor}", executable, prefix


def _candidates(minor: str) -> Iterator[str]:
    """Interpreters that may be Python `minor`, the likeliest first."""
    if minor == f"{sys.version_info[0]}.{sys.version_info[1]}":
        yield getattr(sys, "_base_executable", sys.executable)
    for folder in ("/usr/local/bin", "/usr/bin"):
        yield f"{folder}/python{minor}"
    home = os.path.expanduser("~")
    for pattern in (
        f"{home}/.pyenv/versions/{minor}.*/bin/python{minor}",
        f"{home}/.local/share/uv/python/cpython-{minor}*/bin/python{minor}",
        f"/opt/*/bin/python{minor}",
    ):
        yield from sorted(glob.glob(pattern), reverse=True)
    if found := shutil.which(f"python{minor}"):
        yield found
    if uv := shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"):
        command = [uv, "python", "find", "--no-python-downloads", "--no-project", "--system", minor]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd="/")
        if done.returncode == 0:
            yield done.stdout.strip()


@functools.cache
def find_python(minor: str) -> tuple[str, str] | None:
    """(executable, base prefix) of a Python `minor` (`3.11`) on this machine, or None."""
    for candidate in _candidates(minor):
        if os.path.exists(candidate):
            known = ask(candidate)
            if known and known[0] == minor:
                return os.path.realpath(known[1]), known[2]
    return None


def unknown(spec: Mapping[str, Any], table: ImageTable) -> Iterator[tuple[str, str, str]]:
    """The images of a WorkflowSpec that a table does not know: (path, name, why). Names with tags come at run time."""
    for path, template in parts.templates(spec):
        for where, container in parts.containers(template):
            name = str(container.get("image") or "")
            if not name or "{{" in name:
                continue
            try:
                table.resolve(name)
            except UnknownImage as error:
                yield f"{path}.{where}.image", name, str(error)


@contextlib.contextmanager
def looked_at(table: ImageTable) -> Iterator[ImageTable]:
    """The table where nothing is run: what it has to make in order to resolve a name goes afterwards."""
    import tempfile  # it loads much, and what starts nodes has no use for it

    with tempfile.TemporaryDirectory() as links:
        before, table.links = table.links, Path(links)
        try:
            yield table
        finally:
            table.links = before


class ImageTable:
    """Resolves image names. `entries` are exact names; `prefixes` are asked for names that begin so; `pythons` maps a
    minor (`3.11`) to an interpreter, which may belong to a virtual environment."""

    def __init__(
        self,
        *,
        entries: Mapping[str, Image] | None = None,
        prefixes: Mapping[str, Callable[[str], Image | None]] | None = None,
        pythons: Mapping[str, str | Path] | None = None,
    ) -> None:
        self.entries = dict(entries or {})
        self.prefixes = dict(prefixes or {})
        self.pythons = {minor: str(path) for minor, path in (pythons or {}).items()}
        self.links: Path | None = None  # where folders of links may be made; the engine sets it

    def resolve(self, name: str) -> Image:
        """The image of that name. Raises UnknownImage."""
        if name in self.entries:
            return self.entries[name]
        for prefix, find in self.prefixes.items():
            if name.startswith(prefix):
                image = find(name)
                if image is None:
                    raise UnknownImage(f"the image {name!r} has not been built on this machine")
                return image
        short = _LIBRARY.sub("", name).split("@")[0]
        if short.split(":")[0] in MACHINE:
            return Image()
        python = _PYTHON.match(short)
        if python:
            return self._python(name, python["minor"] or f"{sys.version_info[0]}.{sys.version_info[1]}")
        raise UnknownImage(f"the image {name!r} is not known here; there are: {', '.join(self.known())}")

    def known(self) -> list[str]:
        """The names that resolve, for people."""
        return sorted([*self.entries, *(f"{each}…" for each in self.prefixes), *MACHINE, "python:3.x"])

    def _python(self, name: str, minor: str) -> Image:
        if minor in self.pythons:
            given = Path(os.path.abspath(self.pythons[minor]))
            if (given.parent.parent / "pyvenv.cfg").exists():
                return environment(given.parent.parent)
            known = ask(str(given))
            found = (os.path.realpath(given), known[2]) if known else None
        else:
            found = find_python(minor)
        if found is None:
            raise UnknownImage(f"the image {name!r} needs Python {minor}, which was not found on this machine")
        executable, prefix = found
        readonly = [] if prefix in ("/", "/usr", "/usr/local") else [Path(prefix)]
        folder = Path(executable).parent
        if all(os.path.realpath(folder / each) == executable for each in ("python", "python3")):
            return Image(path=[folder], readonly=readonly)
        links = self._links(minor, executable)
        return Image(path=[links], readonly=[*readonly, links])

    def _links(self, minor: str, executable: str) -> Path:
        """A folder in which `python` and `python3` are this interpreter."""
        if self.links is None:
            raise UnknownImage(f"{executable} has no `python` and `python3` beside it, and there is no place for links")
        folder = self.links / f"python-{minor}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("python", "python3", f"python{minor}"):
            link = folder / name
            if not link.is_symlink() or os.readlink(link) != executable:
                temporary = folder / f".{name}.{os.getpid()}"
                temporary.symlink_to(executable)
                os.rename(temporary, link)
        return folder
