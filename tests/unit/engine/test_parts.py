"""The parts of a spec are found wherever they stand, with their paths; what is of a wrong type is passed over."""

from __future__ import annotations

from typing import Any

from orchestra_engine import parts

INLINE = {"script": {"image": "python:3.11"}}
SPEC: dict[str, Any] = {
    "workflowTemplateRef": {"name": "base"},
    "templateDefaults": {"timeout": "1m"},
    "templates": [
        "no template",
        {"name": "main", "steps": [[{"name": "a", "inline": INLINE}], "no group"]},
        {"name": "graph", "dag": {"tasks": [7, {"name": "b", "templateRef": {"name": "other", "template": "x"}}]}},
        {"name": "set", "containerSet": {"containers": [{"name": "one"}, None, {"name": "two"}]}},
    ],
}


def test_templates_are_found_with_their_paths_also_inline_ones() -> None:
    assert [path for path, _ in parts.templates(SPEC)] == [
        "spec.templates[1]",
        "spec.templates[2]",
        "spec.templates[3]",
        "spec.templateDefaults",
        "spec.templates[1].steps[0][0].inline",
    ]


def test_containers_are_found_with_their_places_in_the_template() -> None:
    assert list(parts.containers(INLINE)) == [("script", {"image": "python:3.11"})]
    assert [path for path, _ in parts.containers(SPEC["templates"][3])] == [
        "containerSet.containers[0]",
        "containerSet.containers[2]",
    ]


def test_references_are_followed_through_one_another_and_end_where_they_meet_again() -> None:
    known: dict[str, dict[str, Any]] = {
        "base": {"spec": {"templates": [{"steps": [[{"templateRef": {"name": "third"}}]]}]}},
        "third": {"spec": {"templates": [{"steps": [[{"templateRef": {"name": "base"}}]]}]}},
        "unused": {"spec": {}},
    }
    assert parts.references(SPEC) == [
        ("spec.workflowTemplateRef.name", "base"),
        ("spec.templates[2].dag.tasks[1].templateRef.name", "other"),
    ]
    assert set(parts.referred(SPEC, known)) == {"base", "third"}
