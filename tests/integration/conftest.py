"""What tests with a database share: every test has the server's folders to itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connections
from pytest_django.fixtures import Settings


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite in a file, as the server has it: in memory, threads would lock each other out."""
    if connections["default"].vendor == "sqlite":
        connections["default"].settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(autouse=True)
def own_folders(settings: Settings, tmp_path: Path) -> None:
    """Nothing that a test stores is seen by another, or stays."""
    settings.VAR = tmp_path
    settings.STATIC_ROOT = tmp_path
    for name in ("RUN", "TREES", "ENVIRONMENTS", "WORKFLOWS", "REPOSITORY", "CACHE"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        setattr(settings, f"{name}_DIR", folder)
