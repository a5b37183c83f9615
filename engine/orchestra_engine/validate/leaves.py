"""container, script, containerSet and the other templates that hold no others, as Argo's controller checks them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping
from typing import Any

from orchestra_engine.language.tags import PLACEHOLDER
from orchestra_engine.validate import names, references
from orchestra_engine.validate.faults import InvalidSpec

_ACTIONS = ("get", "create", "apply", "delete", "replace", "patch")
_RESERVED = re.compile(r"wait|supervisor|artifact-plugin-.*")
_WHOLE = re.compile(r"[+-]?\d+")


def clean_path(artifact: Mapping[str, Any]) -> str:
    """The normal form of an artifact's path.

    Raises InvalidSpec if there is none or it leaves the folder it begins in.
    """
    path, name = artifact.get("path") or "", artifact.get("name", "")
    if not path:
        raise InvalidSpec(f"Artifact '{name}' did not specify a path")
    before, leaves, _ = path.partition("/../")
    if not leaves:
        before = path[:-3] if path.endswith("/..") else ""
    cleaned = posixpath.normpath(path)
    if before and not (cleaned.startswith(before + "/") and len(cleaned) > len(before) + 1):
        raise InvalidSpec(
            f"Artifact '{name}' attempted to use a path containing '..'. Directory traversal is not permitted"
        )
    return cleaned


def check(
    template: Mapping[str, Any], known: Collection[str], path: str, defaults: Mapping[str, Any], alone: bool
) -> None:
    """A template whose arguments have been put in. Raises InvalidSpec."""
    name = template.get("name", "")
    try:
        references.check(dict(template), known, path, template_alone=alone)
    except InvalidSpec as error:
        raise InvalidSpec(f"templates.{name}: {error.message}", error.path) from None
    if template.get("container") is not None:
        _mounts(template, path)
    for kind in ("container", "script"):
        part = template.get(kind)
        if part is not None and not part.get("image") and not (defaults.get(kind) or {}).get("image"):
            raise InvalidSpec(f"templates.{name}.{kind}.image may not be empty", f"{path}.{kind}.image")
    if template.get("containerSet") is not None:
        _container_set(template, path)
    for index, sidecar in enumerate(template.get("sidecars") or []):
        if _RESERVED.fullmatch(sidecar.get("name") or ""):
            raise InvalidSpec(
                f'templates.{name}.sidecars: "{sidecar["name"]}" is a reserved Argo container name',
                f"{path}.sidecars[{index}].name",
            )
    if template.get("resource") is not None:
        _resource(template, path)
    _deadline(template, path)
    if template.get("parallelism") is not None:
        raise InvalidSpec(
            f"templates.{name}.parallelism is only valid for steps and dag templates", f"{path}.parallelism"
        )


def _mounts(template: Mapping[str, Any], path: str) -> None:
    name = template.get("name", "")
    taken: dict[str, str] = {}
    for index, mount in enumerate(template["container"].get("volumeMounts") or []):
        place = mount.get("mountPath", "")
        if place in taken:
            raise InvalidSpec(
                f"templates.{name}.container.volumeMounts[{index}].mountPath '{place}' already mounted in {taken[place]}",
                f"{path}.container.volumeMounts[{index}].mountPath",
            )
        taken[place] = f"container.volumeMounts.{mount.get('name', '')}"
    for index, artifact in enumerate((template.get("inputs") or {}).get("artifacts") or []):
        place = artifact.get("path", "")
        if place in taken:
            raise InvalidSpec(
                f"templates.{name}.inputs.artifacts[{index}].path '{place}' already mounted in {taken[place]}",
                f"{path}.inputs.artifacts[{index}].path",
            )
        taken[place] = f"inputs.artifacts.{artifact['name']}"


def _container_set(template: Mapping[str, Any], path: str) -> None:
    name, parts = template.get("name", ""), template["containerSet"]
    start, where = f"templates.{name}.containerSet.", f"{path}.containerSet"
    containers = parts.get("containers") or []
    if not containers:
        raise InvalidSpec(f"{start}containers must have at least one container", where)
    try:
        names.check(containers, f"{where}.containers")
    except InvalidSpec as error:
        raise InvalidSpec(f"{start}containers{error.message}", error.path) from None
    taken: dict[str, str] = {}
    for index, mount in enumerate(parts.get("volumeMounts") or []):
        place = mount.get("mountPath", "")
        if place in taken:
            text = f"volumeMounts[{index}].mountPath '{place}' already mounted in {taken[place]}"
            raise InvalidSpec(start + text, f"{where}.volumeMounts[{index}].mountPath")
        taken[place] = f"volumeMounts.{mount.get('name', '')}"
    graph = {c["name"]: c.get("dependencies") or [] for c in containers}
    for container, needs in graph.items():
        for one in needs:
            if one not in graph:
                raise InvalidSpec(f"{start}containers.{container} dependency '{one}' not defined", where)
    cycle = _cycle(graph)
    if cycle:
        raise InvalidSpec(f"{start}containers dependency cycle detected: {'->'.join(cycle)}", where)
    inputs, outputs = template.get("inputs") or {}, template.get("outputs") or {}
    if (inputs.get("artifacts") or outputs.get("parameters") or outputs.get("artifacts")) and "main" not in graph:
        raise InvalidSpec(
            f'{start}containers must have a container named "main" for input or output', f"{where}.containers"
        )
    for container in graph:
        if _RESERVED.fullmatch(container):
            raise InvalidSpec(f'{start}containers: "{container}" is a reserved Argo container name', where)


def _cycle(graph: Mapping[str, list[str]]) -> list[str]:
    done: set[str] = set()

    def visit(node: str, way: list[str]) -> list[str]:
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return []
        for one in graph[node]:
            found = visit(one, [*way, node])
            if found:
                return found
        done.add(node)
        return []

    return next((found for node in graph if (found := visit(node, []))), [])


def _resource(template: Mapping[str, Any], path: str) -> None:
    name, resource = template.get("name", ""), template["resource"]
    action = str(resource.get("action", ""))
    if not action.startswith(PLACEHOLDER) and action not in _ACTIONS:
        raise InvalidSpec(
            f"templates.{name}.resource.action must be one of: {', '.join(_ACTIONS)}", f"{path}.resource.action"
        )
    if action not in ("delete", "get") and not resource.get("manifest") and not resource.get("manifestFrom"):
        raise InvalidSpec(
            f"either templates.{name}.resource.manifest or templates.{name}.resource.manifestFrom must be specified",
            f"{path}.resource",
        )


def _deadline(template: Mapping[str, Any], path: str) -> None:
    limit = template.get("activeDeadlineSeconds")
    if limit is None:
        return
    text = str(limit)
    known = text.startswith(PLACEHOLDER) or references.is_parameter(text)
    if not known and (not _WHOLE.fullmatch(text) or int(text[:20]) < 0):
        raise InvalidSpec(
            f"templates.{template.get('name', '')}.activeDeadlineSeconds must be a positive integer > 0 or an argo variable",
            f"{path}.activeDeadlineSeconds",
        )
