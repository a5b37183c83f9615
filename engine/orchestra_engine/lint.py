"""What is wrong with manifest files, with line and column: what cannot be read, what Argo refuses, what runs where.

Kinds that are looked at: Workflow, WorkflowTemplate, ClusterWorkflowTemplate, CronWorkflow. WorkflowTemplates and
Secrets of any of the files count as being there for all of them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestra_engine import parts, validate
from orchestra_engine.images import ImageTable, looked_at, unknown
from orchestra_engine.manifest import ManifestError, Marks, load_marked, text_of
from orchestra_engine.validate import types
from orchestra_engine.validate.support import GRANT

ERROR, WARNING, NOTE = "error", "warning", "note"
TEMPLATES = ("WorkflowTemplate", "ClusterWorkflowTemplate")
KINDS = ("Workflow", *TEMPLATES, "CronWorkflow")
_LETTERS = {kind.casefold(): kind for kind in KINDS}  # what somebody means who writes them wrongly
_ELSEWHERE = re.compile(r"workflowTemplates\.(?P<name>.+?)\.(?P<path>spec\b.*)")
_TAG = re.compile(r"(?:failed to resolve|fails when it runs:) (\{\{.+?\}\})")
_MOUNT = re.compile(r"\.volumeMounts\[\d+\]\.name$")  # a volume that is not there: no engine can mount it
_CALLERS = "a workflow that refers to the template has to have it"
_UNSUPPORTED, _IGNORED = "cannot run here: ", "ignored: "
_SCHEDULE = re.compile(  # as the resource definition of Argo 4.1.2 demands
    r"(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|@every\s+([0-9]+(ns|us|µs|ms|s|m|h))+"
    r"|([A-Za-z0-9*,/?-]+\s+){4}[A-Za-z0-9*,/?-]+)$"
)
_MOST_CRON = 52  # characters of a CronWorkflow's name
_WORDS = {"WorkflowTemplate": "workflow template", "ClusterWorkflowTemplate": "cluster workflow template"}
_MODULES = "orchestra/"  # images that a server makes of its modules


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """One thing that is to be said of a file. Lines and columns count from 1; `field` is the path of the value.

    `severity` is `error` (refused wherever it runs), `warning` (runs on Argo only, or fails when it runs) or `note` (a
    field that the local engine ignores); `by` is who says it: reader, api-server, controller or engine.
    """

    file: str
    line: int
    column: int
    severity: str
    message: str
    field: str = ""
    by: str = "reader"


@dataclass(frozen=True)
class Document:
    """One document of a file."""

    file: str
    value: dict[str, Any]
    marks: Marks
    lines: Sequence[str]

    @property
    def kind(self) -> str:
        """Its `kind`; empty if it has none."""
        return str(self.value.get("kind") or "")

    @property
    def name(self) -> str:
        """Its `metadata.name`; empty if it has none."""
        metadata = self.value.get("metadata")
        return str(metadata.get("name") or "") if isinstance(metadata, dict) else ""

    def finding(self, path: str, severity: str, message: str, by: str) -> Finding:
        """Something about the value at `path`."""
        line, column = self._tag(message, *self.marks.of(path))
        message = validate.told(message, self.marks.text(path))
        return Finding(file=self.file, line=line, column=column, severity=severity, message=message, field=path, by=by)

    def _tag(self, message: str, line: int, column: int) -> tuple[int, int]:
        """Where the tag stands that a message is about: in or after the value it is said of."""
        wanted = _TAG.search(message)
        start = column - 1
        for number in range(line - 1, len(self.lines) if wanted else 0):
            found = self.lines[number].find(wanted[1] if wanted else "", start)
            if found >= 0:
                return number + 1, found + 1
            start = 0
        return line, column


@dataclass
class _Files:
    documents: list[Document] = field(default_factory=list)
    templates: dict[str, Document] = field(default_factory=dict)
    sound: dict[str, dict[str, Any]] = field(default_factory=dict)  # templates whose types are right
    secrets: set[str] = field(default_factory=set)


def lint(
    sources: Mapping[str, str | bytes],
    *,
    images: ImageTable | None = None,
    templates: Mapping[str, dict[str, Any]] | None = None,
    named: bool = True,
) -> list[Finding]:
    """All findings in files, given as name → content, in the order of the files and their lines.

    `templates` are WorkflowTemplates that are there besides, by name; what is wrong in them is said of the references.
    Unless they are to be `named` themselves, objects may get a name later.
    """
    files, findings = _Files(sound=dict(templates or {})), set[Finding]()
    for name, content in sources.items():
        try:
            found = load_marked(content)
        except ManifestError as error:
            place, message = (error.line or 1, error.column or 1), validate.told(error.message)
            findings.add(Finding(file=name, line=place[0], column=place[1], severity=ERROR, message=message))
            continue
        if not found:
            findings.add(Finding(file=name, line=1, column=1, severity=WARNING, message="there is no document in it"))
        lines = text_of(content).splitlines()
        for value, marks in found:
            _add(files, Document(name, value, marks, lines))
    with looked_at(images or ImageTable()) as table:
        for document in files.documents:
            findings.update(_document(document, files, table))
            if named:
                findings.update(_nameless(document))
    order = {name: number for number, name in enumerate(sources)}
    return sorted(findings, key=lambda one: (order[one.file], one.line, one.column, one.severity, one.message))


def _add(files: _Files, document: Document) -> None:
    files.documents.append(document)
    if document.kind in TEMPLATES and document.name:
        files.templates[document.name] = document
        if not types.check({**document.value, "kind": "WorkflowTemplate"}, "WorkflowTemplate"):
            files.sound[document.name] = document.value
    elif document.kind == "Secret":
        files.secrets.add(document.name)


def _document(document: Document, files: _Files, images: ImageTable) -> Iterator[Finding]:
    kind = document.kind
    if not kind:
        yield document.finding("kind", ERROR, f"there is no kind; it has to be one of {', '.join(KINDS)}", "reader")
    elif kind == "CronWorkflow":
        yield from _cron(document, files, images)
    elif kind in KINDS:
        workflow = {**document.value, "kind": "Workflow"}
        yield from _workflow(document, workflow, files, images)
    elif near := difflib.get_close_matches(kind.casefold(), _LETTERS, n=1, cutoff=0.85):
        yield document.finding("kind", ERROR, f"has to be {_LETTERS[near[0]]}, not {kind}", "api-server")
    elif kind not in ("ConfigMap", "Secret"):
        yield document.finding("kind", NOTE, f"{kind} is not looked at; {', '.join(KINDS)} are", "reader")


def _nameless(document: Document) -> Iterator[Finding]:
    metadata = document.value.get("metadata")
    given = isinstance(metadata, dict) and any(metadata.get(key) not in (None, "") for key in ("name", "generateName"))
    if document.kind in KINDS and not given:
        message = "Required value: name or generateName is required"
        yield document.finding("metadata.name", ERROR, message, "api-server")


def _cron(document: Document, files: _Files, images: ImageTable) -> Iterator[Finding]:
    faults = types.check(document.value, "CronWorkflow")
    yield from (document.finding(fault.path, ERROR, fault.message, fault.by) for fault in faults)
    spec = document.value.get("spec")
    inner = spec.get("workflowSpec") if isinstance(spec, dict) else None
    if faults or not isinstance(inner, dict):
        return
    if len(document.name) > _MOST_CRON:  # what it starts has the time behind its name
        message = f'cron workflow name "{document.name}" must not be more than {_MOST_CRON} characters long'
        yield document.finding("metadata.name", ERROR, f"{message} (currently {len(document.name)})", "controller")
    for number, schedule in enumerate(spec.get("schedules") or () if isinstance(spec, dict) else ()):
        if not _SCHEDULE.match(schedule):
            message = "has to have five fields: minute hour day month weekday; or to be @daily, @every 5m or the like"
            yield document.finding(f"spec.schedules[{number}]", ERROR, message, "api-server")
    workflow = {
        "apiVersion": document.value.get("apiVersion"),
        "kind": "Workflow",
        "metadata": {"name": document.name[:_MOST_CRON]},
        "spec": inner,
    }
    yield from _workflow(document, workflow, files, images, base="spec.workflowSpec")


def _workflow(
    document: Document, workflow: dict[str, Any], files: _Files, images: ImageTable, *, base: str = "spec"
) -> Iterator[Finding]:
    faults = validate.check(
        workflow,
        secrets=files.secrets,
        workflow_templates=files.sound,
        grants=set(grants_of(workflow)),
        allow_missing_values=True,
    )
    may_lack_entrypoint = document.kind in TEMPLATES
    for fault in faults:
        if may_lack_entrypoint and fault.message == "spec.entrypoint is required":
            continue
        target, path = _place(document, fault.path, files, base)
        severity, message = _severity(fault, of_template=target.kind in TEMPLATES)
        if path == "metadata.name":
            message = message.replace("workflow name", f"{_WORDS.get(document.kind, 'workflow')} name", 1)
        yield target.finding(path, severity, message, fault.by)
    if not any(fault.by == "api-server" for fault in faults):
        for doubt in validate.doubts(workflow.get("spec") or {}, base):
            yield document.finding(doubt.path, WARNING, doubt.message, doubt.by)
        yield from _images(document, workflow, images, base)


def _place(document: Document, path: str, files: _Files, base: str) -> tuple[Document, str]:
    if elsewhere := _ELSEWHERE.fullmatch(path):
        if elsewhere["name"] in files.templates:
            return files.templates[elsewhere["name"]], elsewhere["path"]
        places = [where for where, name in parts.references(document.value.get("spec")) if name == elsewhere["name"]]
        return document, next(iter(places), path)
    if base != "spec" and (path == "spec" or path.startswith("spec.")):
        return document, base + path.removeprefix("spec")
    return document, path


def _severity(fault: validate.Fault, *, of_template: bool) -> tuple[str, str]:
    if fault.by != "engine":
        return ERROR, fault.message
    if fault.kind == "ignored":
        return NOTE, f"ignored by the local engine: {fault.message.removeprefix(_IGNORED)}"
    if fault.message.startswith(_UNSUPPORTED):
        return WARNING, f"runs on Argo only: {fault.message.removeprefix(_UNSUPPORTED)}"
    if _MOUNT.search(fault.path):
        return (WARNING, f"{fault.message}; {_CALLERS}") if of_template else (ERROR, fault.message)
    return WARNING, f"for the local engine: {fault.message}"


def grants_of(value: Any) -> Iterator[str]:
    """The grants that a manifest asks for: whether they are given is known where it is run."""
    if isinstance(value, dict):
        if isinstance(value.get(GRANT), str):
            yield value[GRANT]
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from grants_of(item)


def _images(document: Document, workflow: Mapping[str, Any], images: ImageTable, base: str) -> Iterator[Finding]:
    for path, name, why in unknown(workflow.get("spec") or {}, images):
        if not name.startswith(_MODULES):
            yield document.finding(base + path.removeprefix("spec"), WARNING, f"runs on Argo only: {why}", "engine")
