"""What the API says of each noun. Functions of lists, so that their number of queries does not grow with the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.catalogs.models import Event
from app.executions import services
from app.executions.models import Attempt, Execution, ExecutionArtifact, Kind
from app.modules.models import Build, Module, Version
from app.schemas import services as schemas
from app.schemas.models import Schema, SchemaVersion
from app.wire.shown import ShownModule, shown
from app.wire.times import iso

OF_METADATA = ("description", "output", "annexes_outputs", "defaults", "args", "hyperparameters")


def version(row: Version) -> dict[str, Any]:
    """A version of a module, as its module shows it."""
    return {
        "number": row.number,
        "label": row.label,
        "commit": row.commit,
        "tree_digest": row.tree_digest,
        "environment": row.environment.digest if row.environment else None,
        "source": {
            "kind": row.source_kind,
            "url": row.source_url,
            "ref": row.source_ref,
            "subdirectory": row.source_subdirectory,
        },
        "created_at": iso(row.created_at),
    }


def build(row: Build) -> dict[str, Any]:
    """A build with its execution."""
    execution = getattr(row, "execution", None)
    return {
        "id": row.pk,
        "module": {"id": row.version.module.pk, "name": row.version.module.name},
        "version": row.version.number,
        "state": row.state,
        "message": row.message,
        "execution": execution.pk if execution else None,
        "environment": row.environment.digest if row.environment else None,
        "created_at": iso(row.created_at),
        "finished_at": iso(row.finished_at),
    }


def modules(rows: Sequence[Module]) -> list[dict[str, Any]]:
    """Modules that `ModuleQuerySet.with_latest` found."""
    return [_module(row) for row in shown(rows)]


def _module(row: ShownModule) -> dict[str, Any]:
    described = row.described
    return {
        "id": row.module.pk,
        "name": row.module.name,
        "status": row.status,
        **{key: described.metadata[key] for key in OF_METADATA},
        "arguments_schema": described.arguments_schema,
        "default": version(row.default) if row.default else None,
        "latest": version(row.latest),
        "build": build(row.build) if row.build else None,
        "created_at": iso(row.module.created_at),
    }


def execution(row: Execution) -> dict[str, Any]:
    made = row.version
    return {
        "id": row.pk,
        "kind": row.kind,
        "module": {"id": made.module.pk, "name": made.module.name} if made else None,
        "version": {
            "number": made.number,
            "label": made.label,
            "commit": made.commit,
            "tree_digest": made.tree_digest,
            "environment": made.environment.digest if made.environment else None,
        }
        if made
        else None,
        "schema": {"name": row.schema_version.schema.name, "version": row.schema_version.number},
        "build": row.build_id,
        "start": iso(row.start),
        "stop": iso(row.stop),
        "arguments": row.arguments,
        "state": row.state,
        "reason": row.reason,
        "message": row.message,
        "attempt": row.attempt,
        "cancel_request": row.cancel_request,
        "priority": row.priority,
        **{name: iso(getattr(row, name)) for name in ("created_at", "submitted_at", "started_at", "finished_at")},
    }


def execution_in_full(row: Execution) -> dict[str, Any]:
    """An execution with its attempts, nodes, files, and why it failed."""
    return execution(row) | {
        "failure": services.failure(row),
        "attempts": [attempt(each) for each in row.attempts.defer("workflow", "status")],
        "nodes": nodes(services.nodes(row)),
        "outputs": [artifact(each) for each in services.outputs(row)],
        "results": services.results(row) if row.kind == Kind.SCHEMA else {},
        "templates": [
            {"name": one.schema.name, "version": one.number}
            for one in row.templates.select_related("schema").only("number", "schema__name").order_by("schema__name")
        ]
        if row.kind == Kind.SCHEMA
        else [],
    }


def schema(row: Schema) -> dict[str, Any]:
    """A schema in a list; `SchemaQuerySet.present` found it."""
    return {
        "name": row.name,
        "kind": row.kind,
        "origin": row.origin,
        "version": row.latest.number if row.latest else None,
        "created_at": iso(row.created_at),
    }


def schema_version(row: SchemaVersion) -> dict[str, Any]:
    """One version in a list."""
    return {"number": row.number, "digest": row.digest, "created_at": iso(row.created_at)}


def schema_in_full(row: SchemaVersion) -> dict[str, Any]:
    """One version of a schema with all that there is to know of it."""
    inputs, outputs = schemas.described(row)
    return {
        "name": row.schema.name,
        "kind": row.schema.kind,
        "origin": row.schema.origin,
        "version": row.number,
        "digest": row.digest,
        "inputs": inputs,
        "outputs": outputs,
        "side": row.side,
        "references": row.references,
        "warnings": row.warnings,
        "manifest": row.text,
        "created_at": iso(row.created_at),
    }


def attempt(row: Attempt) -> dict[str, Any]:
    """An attempt of an execution."""
    return {
        "number": row.number,
        "workflow_name": row.workflow_name,
        "state": row.state,
        "reason": row.reason,
        "message": row.message,
        "started_at": iso(row.started_at),
        "finished_at": iso(row.finished_at),
    }


def nodes(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Nodes as `services.nodes` tells them; Argo's times are texts with Z already."""
    return [dict(row) for row in rows]


def artifact(row: ExecutionArtifact) -> dict[str, Any]:
    """A file that an execution gave out; its size in bytes."""
    return {
        "id": row.pk,
        "attempt": row.attempt,
        "name": row.name,
        "role": row.role,
        "type": row.type,
        "size": row.artifact.size,
        "sha256": row.artifact.sha256,
        "media_type": row.artifact.media_type,
    }


def event(row: Event) -> dict[str, Any]:
    """An event of a catalog, [start, stop); the values are in the order of its columns."""
    return {"start": iso(row.start), "stop": iso(row.stop), "values": row.values}
