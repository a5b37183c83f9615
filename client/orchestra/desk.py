"""What the commands that need no server share: the engine's package, files as they are given, how people are told."""

from __future__ import annotations

import errno
import importlib.util
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import typer

from orchestra import screen
from orchestra.endings import USAGE

STDIN = "-"
STDIN_NAME = "<stdin>"
_ADDRESSES = ("http://", "https://")
MOST_READ = 64 * 2**20  # bytes; far more than any engine takes


class DeskError(Exception):
    """What was asked of this machine cannot be done; the text is for people."""


def fail(text: str, code: int = USAGE) -> NoReturn:
    """Say what is wrong on stderr and end the command."""
    screen.note(screen.shown(text))
    raise typer.Exit(code)


def need_engine() -> None:
    """End the command with a sentence if the local engine's package is not installed."""
    if importlib.util.find_spec("orchestra_engine") is None:
        fail("This command needs the local engine: pip install orchestra-engine (or orchestra[engine]).")


def read_manifest(file: str) -> bytes:
    """The content of a file, or of standard input for `-`, as far as its size is worth telling. Raises OSError."""
    if file == STDIN:
        return sys.stdin.buffer.read(MOST_READ)
    if file.startswith(_ADDRESSES) and not os.path.exists(file):
        way = f"nothing is fetched from addresses; pipe it in: curl -fsSL {shlex.quote(file)} | orchestra … -"
        raise FileNotFoundError(errno.ENOENT, way, file)
    with open(file, "rb") as source:
        return source.read(MOST_READ)


def shown_name(file: str) -> str:
    """How a file is called in messages."""
    return STDIN_NAME if file == STDIN else file


def manifests(given: Sequence[str]) -> Iterable[str]:
    """The files that are meant: those given, and of folders all *.yaml, *.yml and *.json below them that a listing
    shows: what begins with a dot is a program's own (.git, .venv, .orchestra).
    """
    for one in given:
        if one != STDIN and Path(one).is_dir():
            yield from sorted(str(each) for each in _below(one) if each.suffix in (".yaml", ".yml", ".json"))
        else:
            yield one


def _below(top: str) -> Iterator[Path]:
    for folder, folders, names in os.walk(top):
        folders[:] = [each for each in folders if not each.startswith(".")]
        yield from (Path(folder, each) for each in names if not each.startswith("."))
