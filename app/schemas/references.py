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
    return {
        name: {**version.manifest, "metadata": {**(version.manifest.get("metadata") or {}), "name": name}}
        for name, version in versions.items()
    }


def lock(wanted: Iterable[str]) -> list[str]:
    """Lock the rows of these WorkflowTemplates until the transaction ends; the names of those that are gone."""
    there = Schema.objects.templates(wanted).select_for_update(of=("self",)).order_by("pk")
    return sorted(set(wanted) - {schema.name for schema in there})
