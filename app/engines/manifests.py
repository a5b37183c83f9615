"""Looking at the text of a manifest: what it says, what Argo refuses of it and where, what runs on one engine only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.engines.protocol import Fault

if TYPE_CHECKING:
    from orchestra_engine.manifest import Marks

GRANT = "orchestra/grant"  # annotation that only shipped manifests may carry
TEMPLATE = "WorkflowTemplate"
KINDS = ("Workflow", TEMPLATE)
_NAME = "manifest"


@dataclass(kw_only=True)
class Look:
    """A text as it was understood; `manifest` is empty if it cannot be read.

    `warnings` are what runs on one engine only or fails when it runs ("warning") and fields that the local engine
    ignores ("note"): {severity, path, message, line, column}.
    """

    manifest: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    marks: Marks | None = None

    def fault(self, path: str, message: str) -> Fault:
        """A fault of the value at `path`, or of the nearest one above it."""
        line, column = self.marks.of(path) if self.marks else (0, 0)
        return Fault(path=path, message=message, line=line, column=column)


def read(text: str) -> Look:
    """A text that should be one Workflow or WorkflowTemplate; never raises for what is wrong with it."""
    from orchestra_engine.manifest import ManifestError, load_marked

    try:
        documents = load_marked(text)
    except ManifestError as error:
        return Look(faults=[Fault(path="", message=error.message, line=error.line or 1, column=error.column or 1)])
    if len(documents) != 1 or documents[0][0].get("kind") not in KINDS:
        message = f"the manifest has to be one document with kind: {' or '.join(KINDS)}"
        return Look(faults=[Fault(path="kind" if len(documents) == 1 else "", message=message, line=1, column=1)])
    return Look(manifest=documents[0][0], marks=documents[0][1])


def examine(seen: Look, text: str, *, templates: Mapping[str, dict[str, Any]]) -> None:
    """Add what Argo refuses of a manifest, and what runs on one engine only.

    `templates` are the WorkflowTemplates that are there, by name.
    """
    from orchestra_engine.lint import ERROR, lint

    for one in lint({_NAME: text}, templates=templates, named=False):
        if one.severity == ERROR:
            seen.faults.append(Fault(path=one.field, message=one.message, line=one.line, column=one.column))
        else:
            shown = {"severity": one.severity, "path": one.field, "message": one.message}
            seen.warnings.append({**shown, "line": one.line, "column": one.column})


def references(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The WorkflowTemplates that a manifest refers to: (path, name) each; names that are made by a tag are left out."""
    from orchestra_engine.parts import references

    return [(path, name) for path, name in references(manifest.get("spec")) if "{{" not in name]


def merged(manifest: Mapping[str, Any], templates: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """A Workflow with what it takes from the WorkflowTemplate that it is made from, annotations too.

    `templates` has that WorkflowTemplate, if it is made from one.
    """
    from orchestra_engine.operate import spec

    reference = (manifest.get("spec") or {}).get("workflowTemplateRef")
    if not reference:
        return dict(manifest)
    own = manifest.get("metadata") or {}
    theirs = templates[reference["name"]].get("metadata") or {}
    annotations = {**(theirs.get("annotations") or {}), **(own.get("annotations") or {})}
    return {
        **manifest,
        "metadata": {**own, "annotations": annotations},
        "spec": dict(spec.executed(manifest, {}, templates)),
    }


def granted(value: Any, path: str = "") -> list[str]:
    """The paths of all grants that a manifest asks for."""
    if isinstance(value, list):
        return [found for number, item in enumerate(value) for found in granted(item, f"{path}[{number}]")]
    if not isinstance(value, dict):
        return []
    return [
        found
        for name, item in value.items()
        for found in ([f"{path}.{name}".lstrip(".")] if name == GRANT else granted(item, f"{path}.{name}".lstrip(".")))
    ]
