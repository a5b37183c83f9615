"""The Workflow object and its status: reading manifests, names and ids, phases.

A workflow and its status are plain dictionaries in Argo's JSON shape (`status.nodes` keyed by node id).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

from orchestra_engine.manifest import ManifestError, Marks, load, load_marked

__all__ = [
    "FINAL",
    "ManifestError",
    "Marks",
    "NodeType",
    "Phase",
    "WorkflowPhase",
    "finished",
    "load",
    "load_marked",
    "new_status",
    "node_id",
    "pod_name",
]

_FNV_OFFSET, _FNV_PRIME = 2166136261, 16777619
_MAX_POD_PREFIX = 253 - 11


class Phase(StrEnum):
    """Phases of a node; PENDING and RUNNING only move forward to one of FINAL."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    SKIPPED = "Skipped"
    FAILED = "Failed"
    ERROR = "Error"
    OMITTED = "Omitted"


class WorkflowPhase(StrEnum):
    """Phases of a workflow; UNKNOWN is one that nobody has looked at yet."""

    UNKNOWN = ""
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERROR = "Error"


class NodeType(StrEnum):
    """What a node stands for."""

    POD = "Pod"
    CONTAINER = "Container"
    STEPS = "Steps"
    STEP_GROUP = "StepGroup"
    DAG = "DAG"
    TASK_GROUP = "TaskGroup"
    RETRY = "Retry"
    SKIPPED = "Skipped"
    SUSPEND = "Suspend"


FINAL = frozenset({"Succeeded", "Skipped", "Failed", "Error", "Omitted"})


@lru_cache(maxsize=2**17)
def fnv1a(text: str) -> int:
    """FNV-1a with 32 bits over the UTF-8 bytes of a text."""
    value = _FNV_OFFSET
    for byte in text.encode():
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return value


def node_id(workflow_name: str, node_name: str) -> str:
    """A node's id: the workflow's name for the root, else that and the FNV-1a hash of the node's full name."""
    return workflow_name if node_name == workflow_name else f"{workflow_name}-{fnv1a(node_name)}"


def pod_name(workflow_name: str, node_name: str, template_name: str) -> str:
    """The name of a node's pod: `W` for the root, else `W-TEMPLATE-HASH` (`W-HASH` for an inline template)."""
    if workflow_name == node_name:
        return workflow_name
    prefix = f"{workflow_name}-{template_name}" if template_name else workflow_name
    return f"{prefix[:_MAX_POD_PREFIX]}-{fnv1a(node_name)}"


def new_status() -> dict[str, Any]:
    """The status of a workflow that nobody has operated on."""
    return {"phase": WorkflowPhase.UNKNOWN.value, "message": "", "progress": "0/0", "nodes": {}}


def finished(status: Mapping[str, Any]) -> bool:
    """Whether a status is final: Succeeded, Failed or Error."""
    return status.get("phase") in (WorkflowPhase.SUCCEEDED, WorkflowPhase.FAILED, WorkflowPhase.ERROR)
