"""The schemas that refer to a WorkflowTemplate: a new version of it must not make them wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.engines import manifests
from app.engines.manifests import Look
from app.engines.protocol import Fault
from app.schemas import declarations, references, runs
from app.schemas.models import Schema, SchemaVersion


def numbers(name: str) -> set[int]:
    """The versions that refer to the WorkflowTemplate of a name now, also by way of others."""
    return {schema.latest_id for schema in Schema.objects.dependent(name) if schema.latest_id is not None}


def spoiled(seen: Look, *, name: str, templates: Mapping[str, dict[str, Any]]) -> tuple[list[Fault], set[int]]:
    """What becomes wrong with other schemas if the WorkflowTemplate of a name becomes what was read, and `numbers`.

    `templates` are those that it refers to. What is wrong with the others already is not told here.
    """
    faults: list[Fault] = []
    looked: set[int] = set()
    for schema in Schema.objects.dependent(name):
        version = schema.latest
        assert version is not None
        version.schema = schema
        looked.add(version.pk)
        now = references.objects(references.resolve([name, *version.references]))
        wrong = _wrong(version, {**now, **templates, name: references.named(seen.manifest, name)})
        if wrong and (new := [one for one in wrong if one not in _wrong(version, now)]):
            message = f"the schema {schema.name} refers to it and would be wrong: {new[0]}; change that one first"
            faults.append(seen.fault("spec", message))
    return faults, looked


def _wrong(version: SchemaVersion, templates: Mapping[str, dict[str, Any]]) -> list[str]:
    """What is wrong with a saved version beside these WorkflowTemplates."""
    seen = manifests.read(version.text)
    manifests.examine(seen, version.text, templates=templates)
    faults = seen.faults
    if not faults:
        whole = runs.whole(seen, name=version.schema.name, templates=templates)
        faults = [*declarations.inputs(whole, version.side)[1], *declarations.outputs(whole)[1]]
    return [f"{one.path}: {one.message}" for one in faults]
