"""The files that the nodes of a schema's Workflow stored, as its status tells them."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from app.artifacts import repository
from app.artifacts.models import Artifact
from app.catalogs import services as catalogs
from app.catalogs.models import Catalog
from app.executions.models import Attempt, ExecutionArtifact, Role
from app.executions.queries import nodes_of, parameters_of

_LONGEST = 1024  # characters of a key and of a name, as the columns have them

Writing = Callable[[], AbstractContextManager[None]]


def stored(
    attempt: Attempt, declared: Mapping[str, Any], *, writing: Writing
) -> tuple[list[ExecutionArtifact], dict[str, dict[str, Any]]]:
    """The rows of an attempt's files, the schema's outputs first, and what is declared of those by the files' names.

    `declared` are the schema's outputs that are artifacts.
    The artifacts are written (by `writing`), the rows are not yet. What an interrupted collection left is done again.
    """
    rows: list[ExecutionArtifact] = []
    outputs: dict[str, dict[str, Any]] = {}
    for name, key, output in _files(attempt):
        if output is not None:
            outputs[name] = {**declared.get(output, {}), "name": output}
        found = repository.sha256(key.key)
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        rows.append(
            ExecutionArtifact(
                execution=attempt.execution,
                attempt=attempt.number,
                artifact=Artifact(key=key.key, sha256=found, size=key.size, media_type=media_type),
                name=name,
                role=Role.OTHER if output is None else Role.OUTPUT,
                type=str(outputs.get(name, {}).get("type", "")),
            )
        )
    rows.sort(key=lambda row: row.role != Role.OUTPUT)
    artifacts = [row.artifact for row in rows]
    with writing():
        left = Artifact.objects.filter(key__in=[one.key for one in artifacts])
        catalogs.discard(Catalog.objects.filter(artifact__in=left))
        left.delete()
        Artifact.objects.bulk_create(artifacts, batch_size=500)
    for row in rows:
        row.artifact = row.artifact  # its number is known only now
    return rows, outputs


def missing(attempt: Attempt, declared: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The outputs that a schema promises (`declared` as it tells them) and a run that succeeded did not give out."""
    given = {
        "parameters": {
            one["name"] for one in parameters_of(attempt.workflow_name, attempt.status) if one.get("value") is not None
        },
        "artifacts": {one["name"] for one in files.values()},
    }
    return [
        name
        for kind, named in declared.items()
        for name, one in named.items()
        if one.get("required") and name not in given[kind]
    ]


def _files(attempt: Attempt) -> Iterator[tuple[str, repository.Stored, str | None]]:
    """(name, object, name of the output that it is, if any) of each file that this Workflow stored, each once."""
    taken: set[str] = set()
    seen: set[str] = set()
    for node, artifact, output in _artifacts(attempt):
        key = str((artifact.get("s3") or {}).get("key") or "")
        if not _is_own(key, attempt.workflow_name):
            continue
        for found in repository.at(key):
            inside = found.key.removeprefix(key)
            name = key.rpartition("/")[2] + inside
            name = name if output is not None else f"{node['display_name']}/{name}"
            if name in taken:
                name = f"{node['id']}/{key.rpartition('/')[2]}{inside}"
            if found.key in seen or not _storable(found.key, name):
                continue
            seen.add(found.key)
            taken.add(name)
            yield name, found, output


def _artifacts(attempt: Attempt) -> Iterator[tuple[dict[str, Any], dict[str, Any], str | None]]:
    """(node, artifact, name of the workflow's output): global outputs and the entrypoint's first, then each node's."""
    status, nodes = attempt.status, attempt.status.get("nodes") or {}
    root = nodes.get(attempt.workflow_name) or {}
    whole = {"id": attempt.workflow_name, "display_name": attempt.workflow_name}
    for of in (root, status):
        for artifact in (of.get("outputs") or {}).get("artifacts") or []:
            yield whole, artifact, str(artifact.get("name", ""))
    for node in nodes_of(status):
        for artifact in (nodes[node["id"]].get("outputs") or {}).get("artifacts") or []:
            yield node, artifact, None


def _is_own(key: str, workflow: str) -> bool:
    """Whether a key lies in the Workflow's own folder, as those do that the engine or the manifest makes for it."""
    return workflow in key.split("/")[:2] and ".." not in key.split("/")


def _storable(*texts: str) -> bool:
    try:
        return all(len(text.encode()) <= _LONGEST for text in texts)
    except UnicodeEncodeError:
        return False
