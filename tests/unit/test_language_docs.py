"""docs/language.md is what the engine's own tables say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from orchestra_engine.language.sprig import PURE, REFUSED
from orchestra_engine.validate import fields, leaves

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")


def test_the_page_agrees_with_the_code() -> None:
    script = ROOT / "script" / "write-language-docs"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("table", ["SPEC", "TEMPLATE", "CONTAINER"])
def test_every_field_has_a_row_with_its_fate(table: str) -> None:
    words = {fields.RUN: "runs", fields.IGNORED: "ignored", fields.REFUSED: "**refused**"}
    rows = [[part.strip() for part in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")]
    for name, field in getattr(fields, table).items():
        assert any(row[0] == f"`{name}`" and row[2:3] == [words[field.fate]] for row in rows if len(row) == 4), name


def test_places_of_artifacts_and_functions_are_listed() -> None:
    assert all(f"| `{place}` |" in PAGE for place in leaves.LOCATIONS)
    assert all(f"`{name}`" in PAGE for name in PURE)
    assert all(f"`sprig.{name}`" in PAGE for name in REFUSED)
