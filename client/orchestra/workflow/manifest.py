"""From a file to a workflow that can be submitted: the documents in it, parameters, names, faults with their places."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestra import desk
from orchestra.desk import DeskError
from orchestra.files import write_json
from orchestra.workflow.folder import KIND_FOLDERS, Folder, Json

if TYPE_CHECKING:
    from orchestra_engine.manifest import Marks

API_VERSION = "argoproj.io/v1alpha1"
TEMPLATES = ("WorkflowTemplate", "ClusterWorkflowTemplate")
_MISSING = re.compile(r"spec\.arguments\.(?P<name>.+)\.value or spec\.arguments\.(?P=name)\.valueFrom is required")
_MOST_NAME = 63  # characters of a workflow's name, as Argo has it
_ELSEWHERE = re.compile(r"workflowTemplates\.(?P<name>.+?)\.(?P<path>spec\b.*)")


class BadManifest(DeskError):
    """A file that cannot be run; a line for each fault, `file:line:column: error: message`."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = list(lines)
        super().__init__("\n".join(self.lines))


@dataclass(kw_only=True)
class Manifest:
    """A workflow, and the objects beside it that it may refer to (ConfigMaps, Secrets, WorkflowTemplates)."""

    file: str
    workflow: Json
    marks: Marks | None  # of the workflow's document; None if it was made from a WorkflowTemplate
    base: str = "spec"  # where the workflow's spec stands in that document
    objects: list[Json] = field(default_factory=list)
    templates: dict[str, Marks] = field(default_factory=dict)  # of the WorkflowTemplates of the file, by name
    given_name: str = ""  # by --name

    def lines(self, faults: Iterable[Any], severity: str = "error") -> list[str]:
        """The faults (path, message) of the workflow as lines."""
        return [self._line(fault.path, fault.message, severity) for fault in faults]

    def _own(self, path: str) -> str:
        """Where a path of the workflow lies in the document."""
        return self.base + path.removeprefix("spec") if re.match(r"spec\b", path) else path

    def _line(self, path: str, message: str, severity: str) -> str:
        from orchestra_engine.validate import told

        if self.given_name and path == "metadata.name":
            return f"--name {self.given_name}: {told(message)}"
        if missing := _MISSING.fullmatch(message):
            message = f"{message}: give it with -p {missing['name']}=VALUE"
        elsewhere = _ELSEWHERE.fullmatch(path)
        marks = self.templates.get(elsewhere["name"]) if elsewhere else self.marks
        own = elsewhere["path"] if elsewhere else self._own(path)
        line, column = marks.of(own) if marks else (1, 1)
        path = path if elsewhere else own
        where = f" ({path})" if path and path not in message else ""
        if path.endswith("emplateRef") and message.endswith("not found"):
            message += "; its WorkflowTemplate has to stand in the same file, or below workflowtemplates/ in the folder"
        return f"{self.file}:{line}:{column}: {severity}: {told(message, marks.text(own) if marks else '')}{where}"


def read(file: str) -> Manifest:
    """The one workflow of a file, `-` for standard input.

    A WorkflowTemplate or CronWorkflow that is alone is run as it would be by Argo. Raises BadManifest, OSError.
    """
    from orchestra_engine.manifest import ManifestError, load_marked

    name = desk.shown_name(file)
    try:
        documents = load_marked(desk.read_manifest(file))
    except ManifestError as error:
        raise BadManifest([f"{name}:{error.line or 1}:{error.column or 1}: error: {error.message}"]) from None
    objects = []
    for value, marks in documents:
        kind = value.get("kind")
        if kind == "ClusterWorkflowTemplate":
            objects.append({**value, "kind": "WorkflowTemplate"})
        elif kind in KIND_FOLDERS:
            objects.append(value)
        elif kind not in ("Workflow", "CronWorkflow"):
            line, column = marks.of("kind")
            raise BadManifest([f"{name}:{line}:{column}: error: the kind {kind!r} cannot be run here"])
    nameless = [each for each in objects if not object_name(each)]
    if nameless:
        raise BadManifest([f"{name}:1:1: error: a {nameless[0]['kind']} in it has no metadata.name"])
    workflow, place, base = _the_workflow(name, documents)
    templates = {object_name(value): marks for value, marks in documents if value.get("kind") in TEMPLATES}
    return Manifest(file=name, workflow=workflow, marks=place, base=base, objects=objects, templates=templates)


def object_name(value: Mapping[str, Any]) -> str:
    """`metadata.name`, or nothing."""
    metadata = value.get("metadata")
    return str(metadata.get("name") or "") if isinstance(metadata, dict) else ""


def _the_workflow(file: str, documents: Sequence[tuple[Json, Marks]]) -> tuple[Json, Marks | None, str]:
    """The workflow, the places of its document, and where its spec stands there."""
    found = [(value, marks) for value, marks in documents if value.get("kind") == "Workflow"]
    if len(found) == 1:
        return *found[0], "spec"
    if found:
        names = ", ".join(object_name(value) or "(generated)" for value, _ in found)
        raise BadManifest([f"{file}:1:1: error: it holds {len(found)} workflows ({names}); one at a time can be run"])
    others = [each for each in documents if each[0].get("kind") in (*TEMPLATES, "CronWorkflow")]
    if len(others) != 1:
        raise BadManifest([f"{file}:1:1: error: there is no document of kind Workflow in it"])
    other, marks = others[0]
    name, spec = object_name(other), other.get("spec")
    metadata = {"generateName": f"{name or 'workflow'}-"}
    workflow = {"apiVersion": API_VERSION, "kind": "Workflow", "metadata": metadata}
    if other.get("kind") == "CronWorkflow":
        inner = spec.get("workflowSpec") if isinstance(spec, dict) else None
        return {**workflow, "spec": inner}, marks, "spec.workflowSpec"
    return {**workflow, "spec": {"workflowTemplateRef": {"name": name}}}, None, "spec"


def read_configmaps(files: Iterable[str]) -> list[Json]:
    """The ConfigMaps of some files. Raises BadManifest, OSError."""
    from orchestra_engine.manifest import ManifestError, load

    found = []
    for file in files:
        try:
            documents = load(desk.read_manifest(file))
        except ManifestError as error:
            place = f"{file}:{error.line or 1}:{error.column or 1}"
            raise BadManifest([f"{place}: error: {error.message}"]) from None
        for value in documents:
            if value.get("kind") != "ConfigMap" or not object_name(value):
                raise BadManifest([f"{file}:1:1: error: it has to hold ConfigMaps that have a metadata.name"])
            found.append(value)
    return found


def read_parameters(file: str) -> dict[str, str]:
    """The values in a file, as `argo submit --parameter-file` reads it: a mapping; what is no text becomes its JSON.

    Raises ValueError with the place, OSError.
    """
    from orchestra_engine.language import gojson
    from orchestra_engine.manifest import load

    documents = load(desk.read_manifest(file))
    if len(documents) > 1:
        raise ValueError(f"it holds {len(documents)} documents; it has to be one mapping of names to values")
    given = documents[0] if documents else {}
    return {name: value if isinstance(value, str) else gojson.dumps(value) for name, value in given.items()}


# --- parameters and names ------------------------------------------------------------------------------------------
def with_parameters(workflow: Json, given: Mapping[str, str], templates: Iterable[Json] = ()) -> Json:
    """The workflow with values of its arguments. Raises DeskError for a name that it does not have."""
    if not given:
        return workflow
    spec = workflow.get("spec")
    if not isinstance(spec, dict):
        return workflow
    own = _parameters(spec)
    reference = spec.get("workflowTemplateRef")
    referred = reference.get("name") if isinstance(reference, dict) else None
    base = [p for each in templates if object_name(each) == referred for p in _parameters(each.get("spec"))]
    known = [str(parameter.get("name")) for parameter in (*own, *base)]
    unknown = [name for name in given if name not in known]
    if unknown:
        has = ", ".join(dict.fromkeys(known)) or "none"
        raise DeskError(f"-p {unknown[0]}: the workflow has no such parameter in spec.arguments (it has: {has})")
    named = {str(parameter.get("name")) for parameter in own}
    changed = [
        {**{k: v for k, v in parameter.items() if k != "valueFrom"}, "value": given[str(parameter.get("name"))]}
        if str(parameter.get("name")) in given
        else parameter
        for parameter in own
    ]
    changed += [{"name": name, "value": value} for name, value in given.items() if name not in named]
    arguments = {**(spec.get("arguments") or {}), "parameters": changed}
    return {**workflow, "spec": {**spec, "arguments": arguments}}


def _parameters(spec: Any) -> list[Json]:
    arguments = spec.get("arguments") if isinstance(spec, dict) else None
    found = arguments.get("parameters") if isinstance(arguments, dict) else None
    return [parameter for parameter in found or () if isinstance(parameter, dict)] if isinstance(found, list) else []


def with_name(workflow: Json, name: str) -> Json:
    """The workflow under a name of its own."""
    metadata = workflow.get("metadata")
    kept = {k: v for k, v in (metadata if isinstance(metadata, dict) else {}).items() if k != "generateName"}
    return {**workflow, "metadata": {**kept, "name": name}}


def chosen_name(workflow: Json) -> str:
    """The name that a manifest gives, made up from its generateName if need be; empty if it gives none."""
    metadata = workflow.get("metadata")
    if not isinstance(metadata, dict):
        return ""
    if metadata.get("name"):
        return str(metadata["name"])
    return f"{metadata['generateName']}{secrets.token_hex(3)}" if metadata.get("generateName") else ""


def next_name(name: str, taken: Iterable[str]) -> str:
    """`name`, or the first of `name-2`, `name-3`… that is free, shortened if it would be too long for Argo."""
    there, number = set(taken), 1
    free = name
    while free in there:
        number += 1
        end = f"-{number}"
        free = f"{name[: _MOST_NAME - len(end)].rstrip('-.')}{end}"
    return free


# --- objects beside the workflow -----------------------------------------------------------------------------------
@contextlib.contextmanager
def applied(folder: Folder, objects: Iterable[Json]) -> Iterator[None]:
    """The objects as files of the folder; taken back if what follows fails."""
    before: dict[Path, bytes | None] = {}
    try:
        for one in objects:
            place = folder.path / KIND_FOLDERS[str(one["kind"])]
            place.mkdir(exist_ok=True, mode=0o700)
            path = place / f"{file_name(object_name(one))}.json"
            before.setdefault(path, path.read_bytes() if path.exists() else None)
            write_json(path, _beside(one, before[path]))
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        raise


def _beside(one: Json, there: bytes | None) -> Json:
    """A ConfigMap keeps the entries that workflows wrote to it (a memoization cache), as `kubectl apply` does."""
    if one.get("kind") != "ConfigMap" or there is None:
        return one
    data = json.loads(there).get("data") or {}
    return {**one, "data": {**data, **(one.get("data") or {})}}


def file_name(name: str) -> str:
    """A name that is safe as a file's. Raises DeskError for what Kubernetes would not take either."""
    if (
        not name
        or len(name) > 253
        or not all(c.isascii() and (c.isalnum() or c in "-.") for c in name)
        or name[0] == "."
    ):
        raise DeskError(f"metadata.name: {name!r} has to be letters, digits, '-' and '.'")
    return name
