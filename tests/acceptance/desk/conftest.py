"""Fixtures of the desk's tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from orchestra_engine.sandbox import why_no_private_root

from tests.acceptance.desk.command import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    for process in made.running:
        if process.poll() is None:
            process.kill()
            process.communicate()
    if (tmp_path / ".orchestra").exists():
        for name in json.loads(made.call("workflow", "list", "--json").stdout or "[]"):
            if name["phase"] not in ("Succeeded", "Failed", "Error"):
                made.call("workflow", "terminate", name["name"])


@pytest.fixture(params=["private", "plain"])
def sandbox(request: pytest.FixtureRequest) -> str:
    """Each of the two sandboxes; private is skipped where the kernel forbids it."""
    if request.param == "private" and (reason := why_no_private_root()):
        pytest.skip(f"no private root on this machine: {reason}")
    return str(request.param)
