"""The parts of a WorkflowSpec and where they stand: templates, their steps, tasks and containers, references.

The spec may be anything that JSON can say: what is not of the right type is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]


def templates(spec: Mapping[str, Any], path: str = "spec") -> Iterator[tuple[str, Json]]:
    """The templates of a spec with their paths: named ones, `templateDefaults`, then inline ones."""
    pending = list(_numbered(spec.get("templates"), f"{path}.templates"))
    if isinstance(spec.get("templateDefaults"), dict):
        pending.append((f"{path}.templateDefaults", spec["templateDefaults"]))
    while pending:
        where, template = pending.pop(0)
        yield where, template
        for place, call in calls(template, where):
            if isinstance(call.get("inline"), dict):
                pending.append((f"{place}.inline", call["inline"]))


def calls(template: Mapping[str, Any], path: str) -> Iterator[tuple[str, Json]]:
    """The steps or tasks of the template at `path`, with their paths."""
    groups = template.get("steps")
    for number, group in enumerate(groups if isinstance(groups, list) else ()):
        yield from _numbered(group, f"{path}.steps[{number}]")
    yield from _numbered(_inside(template, "dag").get("tasks"), f"{path}.dag.tasks")


def containers(template: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    """The containers of a template: (path in the template, container)."""
    for kind in ("container", "script"):
        if isinstance(template.get(kind), dict):
            yield kind, template[kind]
    yield from _numbered(_inside(template, "containerSet").get("containers"), "containerSet.containers")


def references(value: Any, path: str = "spec") -> list[tuple[str, str]]:
    """Every `workflowTemplateRef` and `templateRef` below `value`: (path, name of the WorkflowTemplate)."""
    if isinstance(value, list):
        return [one for number, item in enumerate(value) for one in references(item, f"{path}[{number}]")]
    if not isinstance(value, dict):
        return []
    found = []
    for key, item in value.items():
        if key in ("workflowTemplateRef", "templateRef") and isinstance(item, dict) and item.get("name"):
            found.append((f"{path}.{key}.name", str(item["name"])))
        found += references(item, f"{path}.{key}")
    return found


def referred(spec: Any, known: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Those of the `known` WorkflowTemplates that a spec refers to, directly or through one another, by name."""
    found: dict[str, Mapping[str, Any]] = {}
    pending = [name for _, name in references(spec)]
    while pending:
        name = pending.pop()
        if name in known and name not in found:
            found[name] = known[name]
            pending += [other for _, other in references(known[name].get("spec"))]
    return found


def _inside(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _numbered(value: Any, path: str) -> Iterator[tuple[str, Json]]:
    for number, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, dict):
            yield f"{path}[{number}]", item
