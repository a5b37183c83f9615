"""The recorded cases, run with real processes by the local engine: same status, outputs, logs and files as in Argo."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from orchestra_engine.sandbox import why_no_private_root

_spec = importlib.util.spec_from_file_location("conformance_suite", Path(__file__).with_name("suite.py"))
assert _spec is not None and _spec.loader is not None
suite = sys.modules["conformance_suite"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(suite)

AREAS = sorted({case.area for case in suite.cases()})


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The results of all cases: run together they take the time of the longest ones."""
    engine = suite.engine_for(tmp_path_factory.mktemp("conformance"))
    try:
        return suite.run(engine, suite.cases())
    finally:
        engine.close()


@pytest.mark.parametrize("area", AREAS)
def test_the_engine_does_what_argo_did(everything: Any, area: str) -> None:
    results = [each for each in everything if each.case.area == area]
    bad = {each.case.name: each.differences for each in results if each.differences}
    assert not bad
    skipped = {each.case.name: each.skipped for each in results if each.skipped}
    if skipped:
        assert why_no_private_root(), f"skipped though this machine has private roots: {skipped}"
        pytest.skip(f"{', '.join(skipped)}: {next(iter(skipped.values()))}")


def test_the_suite_is_whole() -> None:
    assert len(suite.cases()) == 228


def test_a_difference_is_found() -> None:
    recorded = {"phase": "Succeeded", "nodes": {"a": {"phase": "Succeeded", "children": ["b"]}}, "logs": {"a": "x\n"}}
    found = {"phase": "Succeeded", "nodes": {"a": {"phase": "Failed"}, "c": {}}, "logs": {"a": ""}}
    assert suite.differences(recorded, found) == [
        'logs.a: recorded "x\\n", found ""',
        'nodes.a.children: missing, recorded ["b"]',
        'nodes.a.phase: recorded "Succeeded", found "Failed"',
        "nodes.c: not recorded, found {}",
    ]
    assert suite.differences(recorded, recorded) == []
