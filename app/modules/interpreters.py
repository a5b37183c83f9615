"""The Python interpreters of this machine, as uv finds them; none is ever downloaded."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import uv
from packaging.specifiers import SpecifierSet

from app.modules.normal import python_specifier

_TIMEOUT = 60  # s, of one look around
_PROBE = (
    "import json, platform, sys, sysconfig; print(json.dumps([sys.executable, platform.python_version(), "
    "sysconfig.get_platform(), sys.base_prefix, sys.implementation.cache_tag]))"
)
_found: dict[str, Interpreter] = {}  # looking around takes uv a second
OLDEST = (3, 8)  # what the build's own script runs with


class NoInterpreter(Exception):
    """No Python of this machine is what a module asks for; the text says which there are."""


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python that environments can be made with."""

    path: str
    version: str  # 3.11.7
    platform: str  # linux-x86_64
    base_prefix: str
    cache_tag: str  # cpython-311


def find(python_version: str) -> Interpreter:
    """The interpreter for a module's `python_version`: Orchestra's own if it fits, else the newest that does.

    Raises `NoInterpreter`.
    """
    if (earlier := _found.get(python_version)) and Path(earlier.path).exists():
        return earlier
    found = _found[python_version] = _search(python_version)
    return found


def _search(python_version: str) -> Interpreter:
    wanted = python_specifier(python_version)
    own = _own()
    if own.version in wanted:
        return own
    for path, version in _installed():
        if version in wanted and (found := _probe(path)) is not None and found.version in wanted:
            return found
    there = sorted({own.version, *(version for _, version in _installed())}, key=_numbers, reverse=True)
    raise NoInterpreter(
        f"no Python on this machine is {python_version}; there is {', '.join(there)}. {_advice(wanted)} "
        f"python_version in the module's metadata.json (>={there[0].rpartition('.')[0]} takes {there[0]})"
    )


def _advice(wanted: SpecifierSet) -> str:
    """What to do where no interpreter fits, up to the word that changing python_version is said with."""
    releases = [version for version in _released() if version in wanted]
    if not releases:
        return f"No release of Python that Orchestra can use ({'.'.join(map(str, OLDEST))} or newer) is that: change"
    return f"Install one that fits (uv python install {releases[0].rpartition('.')[0]}), or change"


def uv_program() -> Path:
    """The uv that came with Orchestra's dependencies."""
    return Path(uv.find_uv_bin())


@lru_cache(maxsize=1)
def _own() -> Interpreter:
    base = getattr(sys, "_base_executable", "") or sys.executable
    return Interpreter(
        path=os.path.realpath(base),
        version=platform.python_version(),
        platform=sysconfig.get_platform(),
        base_prefix=sys.base_prefix,
        cache_tag=sys.implementation.cache_tag or "",
    )


def _installed() -> list[tuple[str, str]]:
    """Path and version of what uv finds, newest first; other implementations than CPython are left out."""
    found = {(entry["path"], entry["version"]) for entry in _listed("--only-installed") if entry.get("path")}
    return sorted(found, key=lambda one: (_numbers(one[1]), one[0]), reverse=True)


def _released() -> list[str]:
    """The versions that uv could install here, as its own list has them, newest first, and none of trial."""
    listed = {entry["version"] for entry in _listed("--only-downloads", "--all-versions")}
    found = {version for version in listed if version.replace(".", "").isdecimal()}
    return sorted(found, key=_numbers, reverse=True)


def _listed(*words: str) -> list[dict[str, Any]]:
    """What uv tells of CPython's versions that are not too old; nothing if it cannot."""
    run = subprocess.run(
        [uv_program(), "python", "list", *words, "--offline", "--no-config", "--output-format", "json"],
        env={**os.environ, "PATH": _search_path()}, capture_output=True, timeout=_TIMEOUT, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if run.returncode:
        return []
    return [
        entry
        for entry in json.loads(run.stdout)
        if entry["implementation"] == "cpython" and _numbers(entry["version"]) >= OLDEST
    ]


def _search_path() -> str:
    """PATH, and behind it pyenv's interpreters themselves, whose shims only start the version that is switched on."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = [folder for folder in os.get_exec_path() if Path(folder) != root / "shims"]
    return os.pathsep.join([*folders, *map(str, sorted(root.glob("versions/*/bin")))])


@lru_cache(maxsize=64)
def _probe(path: str) -> Interpreter | None:
    """What an interpreter says of itself; None if it does not start."""
    try:
        run = subprocess.run(
            [path, "-I", "-S", "-c", _PROBE],
            capture_output=True,
            timeout=_TIMEOUT,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        executable, version, platform_, base_prefix, cache_tag = json.loads(run.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Interpreter(
        path=os.path.realpath(executable),
        version=version,
        platform=platform_,
        base_prefix=base_prefix,
        cache_tag=cache_tag,
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
