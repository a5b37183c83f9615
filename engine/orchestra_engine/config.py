"""What an engine is given and what it says: its bounds, grants, faults and observations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .images import ImageTable
from .operate.context import MAX_NODES


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Further folders and variables for the nodes whose template carries the annotation `orchestra/grant: NAME`."""

    writable: Sequence[Path] = ()
    readonly: Sequence[Path] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The grant as JSON can hold it."""
        writable, readonly = ([str(path) for path in each] for each in (self.writable, self.readonly))
        return {"writable": writable, "readonly": readonly, "env": dict(self.env)}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where an engine works and within which bounds. Sizes in bytes, times in seconds."""

    root: Path
    repository: Path
    images: ImageTable
    sandbox: str = "auto"  # auto, private or plain
    grants: Mapping[str, Grant] = field(default_factory=dict)
    namespace: str = "default"
    claim: int = 0
    max_pods: int | None = None  # at a time; None: 4 for each core, at least 8
    max_nodes: int = MAX_NODES  # of one workflow; one that comes to have more ends with Error
    grace_seconds: float = 10.0  # between TERM and KILL
    keep_scratch: bool = False
    limits: Mapping[str, int] = field(default_factory=dict)  # for all nodes: cpu_seconds, file_bytes, output_bytes, …


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One reason why a workflow is refused."""

    path: str
    message: str


class Refused(Exception):
    """The workflow cannot be taken; all reasons at once."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        super().__init__(
            "; ".join(f"{fault.path}: {fault.message}" if fault.path else fault.message for fault in self.faults)
        )


class NotFound(LookupError):
    """There is no workflow of that name."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A workflow whose status has changed; `workflow` is None if it is gone."""

    name: str
    uid: str
    workflow: dict[str, Any] | None


def merge(target: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386): nothing of `target` is changed in place."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result
