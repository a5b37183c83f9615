"""Small modules on disk and in git repositories, for the tests of where modules come from."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

METADATA: dict[str, Any] = {
    "name": "tiny",
    "output": {"type": "TT", "filename": "out.txt"},
    "install": {"python_version": ">=3.11", "requirements": [], "executable": "run"},
}

MakeModule = Callable[..., Path]


@pytest.fixture
def shared_cache(settings: Settings, request: pytest.FixtureRequest) -> None:
    """uv's cache outlives the tests: packages come from the registry once."""
    settings.CACHE_DIR = request.config.cache.mkdir("builds")


@pytest.fixture
def make_module(tmp_path: Path) -> MakeModule:
    """Writes a module's folder: `files` are further ones, other keywords replace keys of metadata.json."""

    def make(folder: str = "source", files: dict[str, str] | None = None, **changes: Any) -> Path:
        root = tmp_path / folder
        root.mkdir(parents=True, exist_ok=True)
        (root / "metadata.json").write_text(json.dumps(METADATA | changes))
        for name, text in {"run.py": "print('ran')\n", **(files or {})}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root

    return make


class Repository:
    """A real git repository that tests commit to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, given: str = "") -> str:
        who = {f"GIT_{role}_{what}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"], **who}
        command = ["git", "-c", "protocol.file.allow=always", *arguments]
        run = subprocess.run(command, cwd=self.path, env=plain, input=given, check=True, capture_output=True, text=True)
        return run.stdout.strip()

    def tree(self, listing: str) -> str:
        """A tree object of entries that `git add` might refuse, each ended by a NUL."""
        return self.git("mktree", "-z", given=listing)

    def commit(self, message: str = "work") -> str:
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    @property
    def url(self) -> str:
        return f"file://{self.path}"


@pytest.fixture
def repository(make_module: MakeModule) -> Repository:
    """A repository whose top folder is a module, with one commit."""
    made = Repository(make_module("repository"))
    made.commit()
    return made
