"""docs/desk.md: its manifest has no fault, its table can be read, and it names every command there is."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from orchestra.workflow import images
from orchestra.workflow.app import app
from orchestra_engine.lint import lint
from orchestra_engine.operate import selectors
from typer.main import get_command

PAGE = Path(__file__).parents[3] / "docs" / "desk.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_pages_manifest_has_no_fault() -> None:
    assert lint({"crossings.yaml": BLOCKS[0]}) == []


def test_the_pages_table_of_images_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "venvs" / "tool" / "bin").mkdir(parents=True)
    (tmp_path / "venvs" / "tool" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "venvs" / "bin").mkdir()
    file = tmp_path / "images.yaml"
    file.write_text(BLOCKS[1].replace("/opt/idl", str(tmp_path / "venvs")))
    assert len(images.read(str(file))) == 3


def test_the_page_names_what_ends_and_what_goes_on() -> None:
    text = PAGE.read_text()
    named = {name for name, command in get_command(app).commands.items() if not command.hidden}
    assert {"stop", "terminate", "retry", "resubmit", "watch", "resume", "delete", "node"} <= named
    assert [name for name in sorted(named) if not re.search(rf"(`|orchestra workflow ){name}\b", text)] == []


def test_the_page_names_the_fields_that_a_selector_can_have() -> None:
    text = PAGE.read_text()
    assert [field for field in selectors.FIELDS if f"`{field}`" not in text] == []
