"""What the commands that need no server share: the engine's package, files as they are given, how people are told."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

import typer

from orchestra import screen
from orchestra.endings import USAGE

STDIN = "-"
STDIN_NAME = "<stdin>"
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
    with open(file, "rb") as source:
        return source.read(MOST_READ)


def shown_name(file: str) -> str:
    """How a file is called in messages."""
    return STDIN_NAME if file == STDIN else file


def manifests(given: Sequence[str]) -> Iterable[str]:
    """The files that are meant: those given, and of folders all *.yaml, *.yml and *.json below them."""
    for one in given:
        path = Path(one)
        if one != STDIN and path.is_dir():
            yield from sorted(str(each) for each in path.rglob("*") if each.suffix in (".yaml", ".yml", ".json"))
        else:
            yield one
