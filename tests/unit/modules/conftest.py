"""A folder with the files that the samples of metadata.json name."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run.py").write_text("print('ran')\n")
    (tmp_path / "needs.txt").write_text("# what it needs\nNumPy >= 1.26\nscipy  # for filters\n\n")
    (tmp_path / "model.bin").write_bytes(b"weights")
    return tmp_path
