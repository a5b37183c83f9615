"""What the README says is what the code does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from orchestra.command import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SERVER_AND_CLIENT = ("script/lib/server.py", "script/lib/demo.py", "client/orchestra/transport.py")


def described() -> dict[str, str]:
    """Variables of the README's table and their defaults as it gives them."""
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|", README.split("## Settings")[1], re.MULTILINE)
    return {name: default.strip() for name, default in rows}


def read_by_settings() -> dict[str, str]:
    """Variables that the settings read, with the text of their default."""
    text = (ROOT / "app" / "settings.py").read_text()
    found = dict.fromkeys(re.findall(r'os\.environ\.get\("(\w+)"', text), "")
    found |= dict(re.findall(r'env\.\w+\(\s*(?:#[^\n]*\s*)?"(\w+)",\s*default=([^,)\n]*)', text))
    assert len(re.findall(r"\benv\.(?:str|int|float|bool|list|database)\(", text)) <= len(found) + 1
    return found


def test_every_setting_is_in_the_table_and_nothing_else() -> None:
    elsewhere = set()
    for name in SERVER_AND_CLIENT:
        elsewhere |= set(re.findall(r'\.get\("(ORCHESTRA_\w+)"', (ROOT / name).read_text()))
    for path in (ROOT / "client" / "orchestra").rglob("*.py"):
        elsewhere |= set(re.findall(r'\benvvar="(\w+)"', path.read_text()))
    assert set(described()) == set(read_by_settings()) | elsewhere


@pytest.mark.parametrize(
    ("name", "default"),
    [
        (name, default)
        for name, default in read_by_settings().items()
        if re.fullmatch(r'"[^"]+"|[\d.]+|True|False', default)
    ],
)
def test_a_plain_default_is_the_one_in_the_table(name: str, default: str) -> None:
    plain = {"True": "true", "False": "false"}.get(default, default.strip('"').removesuffix(".0"))
    assert described()[name] == f"`{plain}`"


def test_each_program_that_the_readme_names_is_there_and_runs() -> None:
    for name in set(re.findall(r"\bscript/[a-z]+\b", README)):
        path = ROOT / name
        assert path.stat().st_mode & 0o111, f"{name} cannot be run"


def commands(group: Any, *path: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        below = hasattr(command, "commands")
        yield from commands(command, *path, name) if below else [(" ".join([*path, name]), command)]


def test_what_asks_a_server_takes_json() -> None:
    options = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in commands(typer.main.get_command(app))
        if not command.hidden
    }
    lacking = [name for name, known in options.items() if "--server" in known and "--json" not in known]
    assert lacking == ["workflow run"], "which has --status-out instead"
    assert "--status-out" in options["workflow run"]


def test_each_page_that_the_readme_points_to_is_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
