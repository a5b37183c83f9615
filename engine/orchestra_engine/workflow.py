"""The Workflow object and its status: reading manifests, names and ids, phases.

A workflow and its status are plain dictionaries in Argo's JSON shape (`status.nodes` keyed by node id).
"""

from __future__ import annotations

import re
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
    "bad_name",
    "finished",
    "load",
    "load_marked",
    "new_status",
    "node_id",
    "pod_name",
]

_FNV_OFFSET, _FNV_PRIME = 2166136261, 16777619
_MAX_POD_PREFIX = 253 - 11
_SUBDOMAIN = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_MOST_NAME = 253


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


def bad_name(name: str, *, prefix: bool = False) -> str:
    """What is wrong with an object's name (or, as `prefix`, its generateName), in the API server's words, else empty.

    Source: RFC 1123 subdomains as `k8s.io/apimachinery/pkg/util/validation` reads them.
    """
    if prefix and len(name) > 1 and name.endswith("-"):  # what is generated comes behind it
        name = f"{name[:-2]}a"
    if len(name) > _MOST_NAME:
        return f"must be no more than {_MOST_NAME} characters"
    if re.fullmatch(_SUBDOMAIN, name):
        return ""
    return (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        f"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
    )
