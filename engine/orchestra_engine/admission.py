"""Whether a workflow can be taken: what Argo refuses, then what this machine cannot do."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import parts, validate
from .cluster import Cluster
from .config import Fault, Grant, Refused
from .images import ImageTable, unknown
from .sandbox import plain
from .store import Record
from .workflow import new_status


@dataclass(frozen=True, kw_only=True)
class Admission:
    """Looks at workflows before they are taken."""

    cluster: Cluster
    images: ImageTable
    sandbox: str  # private or plain

    def check(
        self,
        workflow: dict[str, Any],
        *,
        grants: Collection[str],
        as_argo: bool,
        workflow_templates: Mapping[str, dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """The status with which Argo's controller would fail the workflow (`as_argo`), or an empty one.

        `workflow_templates` count as being there beside the cluster's. Raises Refused with every fault.
        """
        templates = {**self.cluster.workflow_templates(), **(workflow_templates or {})}
        found = validate.check(
            workflow,
            secrets=self.cluster.secrets(),
            workflow_templates=templates,
            grants=grants,
        )
        refused = [fault for fault in found if fault.kind == "refused"]
        message = validate.controller_message(workflow, workflow_templates=templates) if as_argo else None
        if message and all(fault.by == "controller" for fault in refused):
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            phase = "Failed" if message.startswith("invalid spec: ") else "Error"
            return {"phase": phase, "message": message, "finishedAt": moment}
        faults = [Fault(path=fault.path, message=fault.message) for fault in refused]
        if not any(fault.by == "api-server" for fault in refused):  # else nothing is known of the types below
            faults += lacking(workflow, templates, images=self.images, sandbox=self.sandbox)
        if faults:
            raise Refused(faults)
        return {}


def lacking(
    workflow: Mapping[str, Any], templates: Mapping[str, dict[str, Any]], *, images: ImageTable, sandbox: str
) -> list[Fault]:
    """What this machine lacks for a workflow whose types are right: its images, and what its sandbox cannot do.

    `templates` are the WorkflowTemplates that are there, by name.
    """
    specs = list(_specs(workflow, templates))
    found = [Fault(path=before + path, message=why) for before, spec in specs for path, _, why in unknown(spec, images)]
    if sandbox == "plain":
        found += [Fault(path=before + path, message=why) for before, spec in specs for path, why in plain.faults(spec)]
    return found


def granted(wanted: Sequence[str] | Mapping[str, Grant], known: Mapping[str, Grant]) -> Mapping[str, Grant]:
    """The grants of a submission, given by their names or as they are. Raises Refused."""
    if isinstance(wanted, Mapping):
        return wanted
    if unknown := [name for name in wanted if name not in known]:
        raise Refused([Fault(path="", message=f"there is no grant {name!r}") for name in unknown])
    return {name: known[name] for name in wanted}


def taken(workflow: dict[str, Any], *, namespace: str, failure: Mapping[str, Any]) -> Record:
    """The record of a workflow that has just been taken, with a uid; `failure` is a status to begin with."""
    metadata = {
        "namespace": namespace,
        "creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **workflow["metadata"],
        "uid": str(uuid.uuid4()),
    }
    return Record(workflow={**workflow, "metadata": metadata, "status": {**new_status(), **failure}})


def keep_templates(record: Record, templates: Mapping[str, dict[str, Any]]) -> None:
    """Keep WorkflowTemplates with a workflow, as they are now."""
    kept = {name: {"spec": template.get("spec") or {}} for name, template in templates.items()}
    record.workflow["status"]["storedWorkflowTemplates"] = kept


def _specs(
    workflow: Mapping[str, Any], templates: Mapping[str, dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The workflow's own spec and those of the WorkflowTemplates that it may use: (path before `spec`, spec)."""
    spec = workflow.get("spec") or {}
    yield "", spec
    for name, template in parts.referred(spec, templates).items():
        yield f"workflowTemplates.{name}.", dict(template.get("spec") or {})
