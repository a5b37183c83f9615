"""Argo's API server takes a manifest exactly when `orchestra lint` finds nothing that it would refuse."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from orchestra_engine import validate, workflow

from tests.conformance.recorded import Case, cases

Kubectl = Callable[..., subprocess.CompletedProcess[str]]
SCHEMAS = sorted((Path(__file__).parents[2] / "schemas").glob("*.yaml"))
CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "an unknown field": {"spec.templates.0.unknown": 1},
    "a number as a parameter's value": {"spec.arguments": {"parameters": [{"name": "a", "value": 1}]}},
    "a boolean as a parameter's value": {"spec.arguments": {"parameters": [{"name": "a", "value": True}]}},
    "a number as an argument": {"spec.templates.0.container.args": [1]},
    "a parameter without a name": {"spec.arguments": {"parameters": [{"value": "x"}]}},
    "a second type": {"spec.templates.0.suspend": {}},
    "a template's name with a dot": {"spec.templates.0.name": "a.b"},
    "a template's name with an underscore": {"spec.templates.0.name": "a_b"},
    "a retry policy that does not exist": {"spec.templates.0.retryStrategy": {"limit": 1, "retryPolicy": "Never"}},
    "a limit that is a word": {"spec.templates.0.retryStrategy": {"limit": "many"}},
    "a limit that is a fraction": {"spec.templates.0.retryStrategy": {"limit": 1.5}},
    "an affinity": {"spec.templates.0.retryStrategy": {"affinity": {"nodeAntiAffinity": {}}}},
    "a deadline that is a text": {"spec.activeDeadlineSeconds": "10"},
    "a template's deadline that is a text": {"spec.templates.0.activeDeadlineSeconds": "10"},
    "a parallelism of zero": {"spec.parallelism": 0},
    "a parallelism that is a text": {"spec.parallelism": "2"},
    "an environment variable without a name": {"spec.templates.0.container.env": [{"value": "x"}]},
    "an environment variable that is a number": {"spec.templates.0.container.env": [{"name": "A", "value": 1}]},
    "no image": {"spec.templates.0.container": {"command": ["true"]}},
    "an input without a name": {"spec.templates.0.inputs": {"artifacts": [{"path": "/a"}]}},
    "a mode that is too high": {"spec.templates.0.inputs": {"artifacts": [{"name": "a", "path": "/a", "mode": 99999}]}},
    "an archive of no kind": {"spec.templates.0.outputs": {"artifacts": [{"name": "a", "path": "/a", "archive": {}}]}},
    "a timeout that is a number": {"spec.templates.0.timeout": 5},
    "a suspended workflow": {"spec.suspend": True},
    "a shutdown that does not exist": {"spec.shutdown": "Now"},
    "a hook without an expression": {"spec.hooks": {"a": {"template": "main"}}},
    "memoize without maxAge": {"spec.templates.0.memoize": {"key": "k", "cache": {"configMap": {"name": "c"}}}},
    "memoize without a cache": {"spec.templates.0.memoize": {"key": "k", "maxAge": "1h"}},
    "a semaphore without a key": {"spec.synchronization": {"semaphores": [{"configMapKeyRef": {"name": "a"}}]}},
    "a mutex that is a text": {"spec.synchronization": {"mutexes": ["a"]}},
    "labels that are numbers": {"metadata.labels": {"a": 1}},
    "no templates": {"spec.templates": []},
    "templates that are a mapping": {"spec.templates": {}},
    "a duration that is a number": {"spec.templates.0": {"name": "main", "suspend": {"duration": 5}}},
    "steps that are no list of lists": {"spec.templates.0": {"name": "main", "steps": [{"name": "a"}]}},
    "a step without a name": {"spec.templates.0": {"name": "main", "steps": [[{"template": "main"}]]}},
    "a step with a dot in its name": {"spec.templates.0": {"name": "m", "steps": [[{"name": "a.b", "template": "m"}]]}},
    "a task without a name": {"spec.templates.0": {"name": "main", "dag": {"tasks": [{"template": "main"}]}}},
    "a task whose name is a digit": {
        "spec.templates.0": {"name": "m", "dag": {"tasks": [{"name": "1", "inline": {}}]}}
    },
    "items and a parameter": {
        "spec.templates.0": {
            "name": "main",
            "steps": [[{"name": "a", "template": "main", "withItems": ["x"], "withParam": "[]"}]],
        }
    },
    "a sequence with count and end": {
        "spec.templates.0": {
            "name": "main",
            "steps": [[{"name": "a", "template": "main", "withSequence": {"count": "2", "end": "3"}}]],
        }
    },
    "a task with depends and dependencies": {
        "spec.templates.0": {
            "name": "main",
            "dag": {
                "tasks": [
                    {"name": "a", "template": "main"},
                    {"name": "b", "template": "main", "depends": "a", "dependencies": ["a"]},
                ]
            },
        }
    },
}


def _accepted(kubectl: Kubectl, manifest: dict[str, Any] | str) -> tuple[bool, str]:
    done = kubectl("create", "--dry-run=server", "--validate=strict", "-n", "default", "-f", "-", given=manifest)
    return done.returncode == 0, done.stderr


def _refused_by_the_api_server(manifest: dict[str, Any]) -> list[str]:
    found = validate.check(manifest)
    return [f"{fault.path}: {fault.message}" for fault in found if fault.by == "api-server" and fault.kind == "refused"]


def _agrees(kubectl: Kubectl, manifest: dict[str, Any], given: dict[str, Any] | str) -> None:
    accepted, said = _accepted(kubectl, given)
    assert (accepted, said) == (not (found := _refused_by_the_api_server(manifest)), said), found


@pytest.mark.parametrize("case", cases(), ids=str)
def test_recorded_manifests_are_accepted_as_lint_says(case: Case, kubectl: Kubectl) -> None:
    _agrees(kubectl, case.manifest, case.path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.stem)
def test_shipped_schemas_are_accepted(file: Path, kubectl: Kubectl) -> None:
    text = file.read_text(encoding="utf-8")
    assert _accepted(kubectl, text) == (True, "")
    assert _refused_by_the_api_server(workflow.load(text)[0]) == []


@pytest.mark.parametrize("what", CHANGES)
def test_changed_manifests_are_accepted_as_lint_says(what: str, kubectl: Kubectl) -> None:
    manifest: dict[str, Any] = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "changed"},
        "spec": {
            "entrypoint": "main",
            "templates": [{"name": "main", "container": {"image": "busybox", "command": ["true"]}}],
        },
    }
    for path, value in CHANGES[what].items():
        *parents, last = path.split(".")
        place: Any = manifest
        for key in parents:
            place = place[int(key)] if isinstance(place, list) else place[key]
        place[int(last) if isinstance(place, list) else last] = value
    _agrees(kubectl, manifest, manifest)
