"""What is run of a schema: a Workflow, and the WorkflowTemplates that it refers to as they were when it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from app.engines import manifests
from app.engines.manifests import TEMPLATE, Look, granted
from app.engines.protocol import Fault
from app.schemas import declarations, references, values
from app.schemas.faults import BadSchema
from app.schemas.models import SchemaVersion


@dataclass(frozen=True, kw_only=True)
class Run:
    """A version and the versions of the WorkflowTemplates that it takes its templates from, by name."""

    version: SchemaVersion
    templates: Mapping[str, SchemaVersion] = field(default_factory=dict)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The Workflow."""
        return as_workflow(self.version.manifest, self.version.schema.name)

    @cached_property
    def objects(self) -> dict[str, dict[str, Any]]:
        """The WorkflowTemplates, by name."""
        return references.objects(self.templates)

    @cached_property
    def whole(self) -> dict[str, Any]:
        """The Workflow with what it takes from the WorkflowTemplate that it is made from."""
        return manifests.merged(self.manifest, self.objects)

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """The JSON Schema of the arguments. Raises `BadSchema` if a WorkflowTemplate no longer goes with it."""
        if not self.templates:
            found: dict[str, Any] = self.version.inputs
            return found
        found, faults = declarations.inputs(Look(manifest=self.whole), self.version.side)
        if faults:
            raise BadSchema(faults)
        return found

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """The outputs, as `declarations.outputs` tells them."""
        if not self.templates:
            found: dict[str, Any] = self.version.outputs
            return found
        return declarations.outputs(Look(manifest=self.whole))[0]


def run(version: SchemaVersion, *, templates: Iterable[SchemaVersion] | None = None) -> Run:
    """A version with the WorkflowTemplates that were kept for a run of it, or with those that are there now.

    Raises `BadSchema` if one is not there any more, or the version cannot be run by itself.
    """
    if templates is not None:
        return Run(version=version, templates={one.schema.name: one for one in templates})
    there = references.resolve(version.references)
    kind = version.schema.kind
    faults = [Fault(path="spec", message=references.missing(name)) for name in version.references if name not in there]
    if kind == TEMPLATE:
        there = {**there, version.schema.name: version}
        if not (version.manifest.get("spec") or {}).get("entrypoint"):
            name = version.schema.name
            faults.append(
                Fault(
                    path="spec.entrypoint",
                    message=f"the WorkflowTemplate {name} has none, so that it cannot be run by itself; "
                    "let a Workflow refer to its templates",
                )
            )
    if faults:
        raise BadSchema(faults)
    return Run(version=version, templates=there)


def described(version: SchemaVersion) -> tuple[dict[str, Any], dict[str, Any]]:
    """The inputs and outputs of a run that would be asked for now; where none is possible, as they were when saved."""
    try:
        found = run(version)
        return found.inputs, found.outputs
    except BadSchema:
        return version.inputs, version.outputs


def as_workflow(manifest: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A manifest as it is run: a WorkflowTemplate by a Workflow that refers to it, as `argo submit --from` does."""
    if manifest.get("kind") != TEMPLATE:
        return dict(manifest)
    return {
        "apiVersion": manifest.get("apiVersion"),
        "kind": "Workflow",
        "metadata": {},
        "spec": {"workflowTemplateRef": {"name": name}},
    }


def whole(seen: Look, *, name: str, templates: Mapping[str, dict[str, Any]]) -> Look:
    """What was read, with what it takes from the WorkflowTemplate that it is made from."""
    own = {name: seen.manifest} if seen.manifest["kind"] == TEMPLATE else {}
    found = manifests.merged(as_workflow(seen.manifest, name), {**templates, **own})
    return Look(manifest=found, marks=seen.marks)


def arguments(run: Run, given: Mapping[str, Any]) -> dict[str, Any]:
    """What to run a version with: what was given, checked against its inputs, and the defaults.

    Parameters are text, as Argo wants them; files are text or {"artifact": number}. Raises `BadArguments`.
    """
    files = frozenset(str(one["name"]) for one in declarations.artifacts(run.whole))
    return values.check(run.inputs, given, files=files)


def is_orchestras_own(run: Run) -> bool:
    """Whether only Orchestra itself can run it, because its nodes are given more than others."""
    return any(granted(one.manifest) for one in (run.version, *run.templates.values()))
