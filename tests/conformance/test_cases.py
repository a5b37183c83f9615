"""The recorded cases, run with real processes by the local engine: same status, outputs, logs and files as in Argo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from orchestra_engine.sandbox import why_no_private_root

from tests.conformance import suite
from tests.conformance.recorded import CASES, cases, differences

AREAS = sorted({case.area for case in cases()})


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The results of all cases: run together they take the time of the longest ones."""
    engine = suite.engine_for(tmp_path_factory.mktemp("conformance"))
    try:
        return suite.run(engine, cases())
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
    assert len(cases(folders=[CASES])) == 228
    assert all(case.record for case in cases()), "a case without what Argo made of it"


def test_what_the_plain_sandbox_cannot_do_is_skipped_with_the_reason(tmp_path: Path) -> None:
    engine = suite.engine_for(tmp_path, sandbox="plain")
    try:
        wanted = ("artifacts/01-raw-input", "basics/08-working-dir", "containerset/01-dependencies")
        results = suite.run(engine, [case for case in cases() if case.name in wanted])
    finally:
        engine.close()
    assert [(each.case.name, each.differences, bool(each.skipped)) for each in results] == [
        (name, [], True) for name in wanted
    ]


def test_a_difference_is_found() -> None:
    recorded = {"phase": "Succeeded", "nodes": {"a": {"phase": "Succeeded", "children": ["b"]}}, "logs": {"a": "x\n"}}
    found = {"phase": "Succeeded", "nodes": {"a": {"phase": "Failed"}, "c": {}}, "logs": {"a": ""}}
    assert differences(recorded, found) == [
        'logs.a: recorded "x\\n", found ""',
        'nodes.a.children: missing, recorded ["b"]',
        'nodes.a.phase: recorded "Succeeded", found "Failed"',
        "nodes.c: not recorded, found {}",
    ]
    assert differences(recorded, recorded) == []
