"""Fixtures of the engine's acceptance tests: everything in both sandboxes."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from orchestra_engine.sandbox import why_no_private_root

_spec = importlib.util.spec_from_file_location("engine_bench", Path(__file__).with_name("bench.py"))
assert _spec is not None and _spec.loader is not None
bench = sys.modules["engine_bench"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(bench)


def _needs_private(kind: str) -> None:
    if kind == "private" and (reason := why_no_private_root()):
        pytest.skip(f"no private root on this machine: {reason}")


@pytest.fixture(params=["private", "plain"])
def sandbox(request: pytest.FixtureRequest) -> str:
    """Each of the two sandboxes; private is skipped where the kernel forbids it."""
    _needs_private(request.param)
    return str(request.param)


@pytest.fixture
def private() -> str:
    """The private root."""
    _needs_private("private")
    return "private"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes benches in one root and closes them."""
    made = []

    def one(sandbox: str, **settings: Any) -> Any:
        made.append(bench.Bench(tmp_path, sandbox, **settings))
        return made[-1]

    yield one
    for each in made:
        each.close()
