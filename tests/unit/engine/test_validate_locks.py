"""Locks that only a database could keep are refused before anything runs, by path."""

from __future__ import annotations

from typing import Any

import pytest
from orchestra_engine import validate

LOCKS = [
    ({"mutexes": [{"name": "a"}, {"name": "b", "database": True}]}, "mutexes[1].database"),
    ({"semaphores": [{"database": {"key": "k"}}]}, "semaphores[0].database"),
]


def faults(spec: dict[str, Any]) -> list[str]:
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {"entrypoint": "main", **spec},
    }
    return [fault.path for fault in validate.check(manifest) if fault.kind == "refused"]


def template(**fields: Any) -> dict[str, Any]:
    return {"name": "main", "container": {"image": "busybox", "command": ["true"]}, **fields}


@pytest.mark.parametrize(("locks", "path"), LOCKS)
def test_locks_of_a_database_are_refused(locks: dict[str, Any], path: str) -> None:
    assert faults({"synchronization": locks, "templates": [template()]}) == [f"spec.synchronization.{path}"]
    where = f"spec.templates[0].synchronization.{path}"
    assert faults({"templates": [template(synchronization=locks)]}) == [where]


def test_locks_of_this_engine_are_not() -> None:
    locks = {
        "mutexes": [{"name": "b", "database": False}],
        "semaphores": [{"configMapKeyRef": {"name": "sizes", "key": "k"}}],
    }
    assert faults({"synchronization": locks, "templates": [template(synchronization=locks)]}) == []
