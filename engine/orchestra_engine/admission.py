"""Whether a workflow can be taken: what Argo refuses, then what this machine cannot do."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from . import validate
from .cluster import Cluster
from .config import Fault, Refused
from .images import ImageTable, UnknownImage
from .sandbox import plain


@dataclass(frozen=True, kw_only=True)
class Admission:
    """Looks at workflows before they are taken."""

    cluster: Cluster
    images: ImageTable
    sandbox: str  # private or plain

    def check(self, workflow: dict[str, Any], *, grants: Collection[str], as_argo: bool) -> dict[str, Any]:
        """The status with which Argo's controller would fail the workflow (`as_argo`), or an empty one.

        Raises Refused with every fault.
        """
        templates = self.cluster.workflow_templates()
        found = validate.check(
            workflow,
            secrets=self.cluster.secrets(),
            configmaps=self.cluster.configmaps(),
            workflow_templates=templates,
            grants=grants,
        )
        refused = [fault for fault in found if fault.kind == "refused"]
        message = validate.controller_message(workflow, workflow_templates=templates) if as_argo else None
        if message and all(fault.by == "controller" for fault in refused):
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            return {"phase": "Failed", "message": message, "finishedAt": moment}
        faults = [Fault(path=fault.path, message=fault.message) for fault in refused]
        if not faults:
            faults = [*self._images(workflow), *self._sandbox(workflow)]
        if faults:
            raise Refused(faults)
        return {}

    def _specs(self, workflow: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The workflow's own spec and those of the WorkflowTemplates that it may use: (path before `spec`, spec)."""
        spec = workflow.get("spec") or {}
        yield "", spec
        pending, seen = _references(spec), set()
        while pending:
            name = pending.pop()
            template = self.cluster.workflow_templates().get(name)
            if template is not None and name not in seen:
                seen.add(name)
                pending += _references(template.get("spec") or {})
                yield f"workflowTemplates.{name}.", template.get("spec") or {}

    def _images(self, workflow: dict[str, Any]) -> Iterator[Fault]:
        for before, spec in self._specs(workflow):
            for path, template in plain.templates(spec):
                for where, container in plain.containers(template):
                    image = str(container.get("image") or "")
                    if not image or "{{" in image:
                        continue
                    try:
                        self.images.resolve(image)
                    except UnknownImage as error:
                        yield Fault(path=f"{before}{path}.{where}.image", message=str(error))

    def _sandbox(self, workflow: dict[str, Any]) -> Iterator[Fault]:
        if self.sandbox == "plain":
            for before, spec in self._specs(workflow):
                for path, message in plain.faults(spec):
                    yield Fault(path=before + path, message=message)


def _references(value: Any) -> list[str]:
    """The names in every `workflowTemplateRef` and `templateRef` below `value`."""
    if isinstance(value, list):
        return [name for item in value for name in _references(item)]
    if not isinstance(value, dict):
        return []
    names = []
    for key, item in value.items():
        if key in ("workflowTemplateRef", "templateRef") and isinstance(item, dict) and item.get("name"):
            names.append(str(item["name"]))
        names += _references(item)
    return names
