"""Environments are taken over from a folder that packages could write to, or not at all."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.modules import environments, trees
from app.modules.faults import Faulty

PYTHON = os.path.realpath(sys.executable)
CACHE = "__pycache__"


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    """A staged environment with one package, and an empty folder for bytecode."""
    package = tmp_path / "staging" / "environment" / "lib" / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("")
    environment = tmp_path / "staging" / "environment"
    (environment / "pyvenv.cfg").write_text("")
    (environment / "bin").mkdir()
    (environment / "bin" / "python").symlink_to(PYTHON)
    (environment / "bin" / "python3").symlink_to("python")
    (environment / "lib64").symlink_to("lib")
    (tmp_path / "staging" / "compiled").mkdir()
    return tmp_path / "staging"


def take(staging: Path) -> Path:
    """The environment once it is taken."""
    target = staging.parent / "environments" / "digest"
    environments.take_environment(staging / "environment", target, compiled=staging / "compiled", python=PYTHON)
    return target


def test_bytecode_comes_to_lie_beside_its_source(staging: Path) -> None:
    compiled = staging / "compiled" / "lib" / "package" / CACHE / "one.cpython-311.pyc"
    compiled.parent.mkdir(parents=True)
    compiled.write_bytes(b"code")
    taken = take(staging)
    made = taken / "lib" / "package" / CACHE / compiled.name
    assert made.read_bytes() == b"code"
    assert {path.stat().st_mode & 0o777 for path in taken.rglob("*") if path.is_dir()} == {0o555}


def test_of_what_packages_left_only_bytecode_of_sources_is_taken(staging: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "one.cpython-311.pyc").write_bytes(b"somebody else's")
    compiled = staging / "compiled"
    for place in ("lib/package", "lib/other", "elsewhere"):
        (compiled / place / CACHE).mkdir(parents=True)
    caches = compiled / "lib" / "package" / CACHE
    (caches / "one.cpython-311.pyc").symlink_to(outside / "one.cpython-311.pyc")
    (caches / "unknown.cpython-311.pyc").write_bytes(b"")
    (caches / "one.so").write_bytes(b"")
    (caches / "__init__.cpython-311.pyc").mkdir()
    os.mkfifo(caches / "one.cpython-312.pyc")
    (compiled / "lib" / "package" / "new.py").write_text("")
    (compiled / "lib" / "other" / CACHE / "one.cpython-311.pyc").write_bytes(b"")
    (compiled / "lib64").symlink_to(outside)
    (compiled / CACHE).symlink_to(outside)
    before = {path.relative_to(staging / "environment") for path in (staging / "environment").rglob("*")}
    taken = take(staging)
    assert {path.relative_to(taken) for path in taken.rglob("*")} - before == {Path("lib", "package", CACHE)}
    assert list((taken / "lib" / "package" / CACHE).iterdir()) == []
    assert (outside / "one.cpython-311.pyc").exists()


def test_bytecode_behind_a_link_is_no_bytecode(staging: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "lib" / "package" / CACHE
    outside.mkdir(parents=True)
    (outside / "one.cpython-311.pyc").write_bytes(b"")
    (staging / "compiled").rmdir()
    (staging / "compiled").symlink_to(tmp_path / "outside")
    assert not (take(staging) / "lib" / "package" / CACHE).exists()


def _link_out(environment: Path) -> None:
    (environment / "lib" / "package" / "data").symlink_to("/etc")


def _link_up(environment: Path) -> None:
    (environment / "lib" / "top").symlink_to(environment)
    (environment / "lib" / "sly").symlink_to("top/../..")


def _link_to_nothing(environment: Path) -> None:
    (environment / "lib" / "later").symlink_to("/tmp/not-yet")


def _pipe(environment: Path) -> None:
    os.mkfifo(environment / "lib" / "pipe")


def _socket(environment: Path) -> None:
    here = os.getcwd()
    os.chdir(environment)  # the path of a socket has to be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
    os.chdir(here)


def _set_user(environment: Path) -> None:
    (environment / "bin" / "tool").write_text("")
    (environment / "bin" / "tool").chmod(0o4755)


def _deep(environment: Path) -> None:
    environment.joinpath(*["d"] * (environments.DEEPEST + 2)).mkdir(parents=True)


@pytest.mark.parametrize("make", [_link_out, _link_up, _link_to_nothing, _pipe, _socket, _set_user, _deep])
def test_an_environment_with_what_none_should_hold_is_not_taken(staging: Path, make: Callable[[Path], None]) -> None:
    make(staging / "environment")
    with pytest.raises(Faulty, match="environment"):
        take(staging)
    assert not (staging.parent / "environments").exists()


def test_what_packages_nest_without_end_is_removed(tmp_path: Path) -> None:
    top, here = tmp_path / "top", os.getcwd()
    top.mkdir()
    os.chdir(top)
    try:
        for _ in range(3000):
            os.mkdir("folder")
            os.chdir("folder")
        os.chmod("..", 0)
    finally:
        os.chdir(here)
    trees.discard(top)
    assert not top.exists()
