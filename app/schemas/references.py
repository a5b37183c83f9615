"""The WorkflowTemplates that schemas refer to (`templateRef`, `workflowTemplateRef`): schemas themselves, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.engines import manifests
from app.engines.manifests import Look
from app.engines.protocol import Fault
from app.schemas.models import Schema, SchemaVersion

_DEEPEST = 20  # WorkflowTemplates that refer to one another


def names(manifest: Mapping[str, Any]) -> list[str]:
    """The names of the WorkflowTemplates that a manifest refers to, in their order, each once."""
    return list(dict.fromkeys(name for _, name in manifests.references(manifest)))


def found(seen: Look) -> tuple[dict[str, SchemaVersion], list[Fault]]:
    """The WorkflowTemplates that a manifest needs, as they are now, and a fault for each reference to none."""
    there = resolve(names(seen.manifest))
    faults = [
        seen.fault(path, missing(name))
        for path, name in manifests.references(seen.manifest)
        if name not in there and name != _own(seen)
    ]
    return there, faults


def _own(seen: Look) -> str:
    """The name of a WorkflowTemplate that may refer to itself before it is saved."""
    metadata = seen.manifest.get("metadata") if seen.manifest["kind"] == manifests.TEMPLATE else None
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def missing(name: str) -> str:
    """That there is no WorkflowTemplate of a name, as a sentence."""
    return f"there is no WorkflowTemplate {name!r}; save it as a schema first"


def resolve(wanted: Iterable[str]) -> dict[str, SchemaVersion]:
    """The latest versions of the WorkflowTemplates of these names, and of those that they refer to; by name."""
    there: dict[str, SchemaVersion] = {}
    waiting = set(wanted)
    for _ in range(_DEEPEST):
        if not waiting:
            break
        for schema in Schema.objects.templates(waiting):
            assert schema.latest is not None
            schema.latest.schema = schema
            there[schema.name] = schema.latest
        waiting = {other for name in waiting & there.keys() for other in there[name].references} - there.keys()
    return there


def objects(versions: Mapping[str, SchemaVersion]) -> dict[str, dict[str, Any]]:
    """The WorkflowTemplates themselves, by the names that others know them by."""
    return {name: named(version.manifest, name) for name, version in versions.items()}


def named(manifest: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A WorkflowTemplate by the name that others know it by."""
    return {**manifest, "metadata": {**(manifest.get("metadata") or {}), "name": name}}


def lock(name: str, there: Mapping[str, SchemaVersion]) -> list[str]:
    """Lock the rows of a schema and of its WorkflowTemplates until the transaction ends, always in the same order.

    Returns the names of those WorkflowTemplates that are not any more what they were when they were looked at.
    """
    names = {name, *there}
    rows = Schema.objects.filter(name__in=names, removed_at=None).select_for_update().order_by("pk")
    latest = {schema.name: schema.latest_id for schema in rows}
    return sorted(other for other, version in there.items() if latest.get(other) != version.pk)
