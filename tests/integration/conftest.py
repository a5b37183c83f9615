"""What tests with a database share: every test has the server's folders to itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings


@pytest.fixture(autouse=True)
def own_folders(settings: Settings, tmp_path: Path) -> None:
    """Nothing that a test stores is seen by another, or stays."""
    settings.VAR = tmp_path
    settings.STATIC_ROOT = tmp_path
    for name in ("RUN", "TREES", "ENVIRONMENTS", "STAGING", "WORKFLOWS", "REPOSITORY", "CACHE"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        setattr(settings, f"{name}_DIR", folder)
