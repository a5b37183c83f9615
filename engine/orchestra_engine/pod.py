"""What the pure core and the processes tell each other: pods to start, and what became of them.

The core (`operate`) only ever makes and reads these values; the loop and the shim carry them out.
All of them are plain data and go to JSON and back with `dataclasses.asdict` and `from_dict`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Container:
    """One program of a pod, with every tag already replaced (except artifact paths, see `Pod`)."""

    name: str
    image: str
    command: list[str]
    args: list[str] = field(default_factory=list)
    env: list[dict[str, str]] = field(default_factory=list)  # [{name, value}], in order, $(A) not yet expanded
    working_dir: str | None = None
    source: str | None = None  # a script template's text; its path is the last argument
    dependencies: list[str] = field(default_factory=list)  # containerSet only
    attempts: int = 1  # containerSet only: how often its program is started at most, until it succeeds
    retry_seconds: float = 0.0  # containerSet only: between two of them
    retry_fault: str = ""  # containerSet only: why it cannot be started at all
    memory_bytes: int | None = None  # from resources.limits.memory
    cpu: float | None = None  # cores, from resources.limits.cpu (a rate, never an rlimit)


@dataclass(frozen=True, kw_only=True)
class InputArtifact:
    """A file or folder that has to lie at `path` before main starts: `raw` text or the object of `key`."""

    name: str
    path: str
    raw: str | None = None
    key: str | None = None
    archive: str = "tar"  # tar (tar+gzip), none, zip: how the object was packed
    optional: bool = False
    mode: int | None = None
    recurse_mode: bool = False


@dataclass(frozen=True, kw_only=True)
class OutputArtifact:
    """A file or folder to store under `key` (the suffix .tgz or .zip is part of it) after main ended."""

    name: str
    path: str
    key: str
    archive: str = "tar"
    compression_level: int | None = None
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class OutputParameter:
    """A parameter whose value is the text of the file `path`."""

    name: str
    path: str
    default: str | None = None


@dataclass(frozen=True, kw_only=True)
class Pod:
    """All that a shim needs to run one node.

    In commands, arguments, environment and source the paths of artifacts and output files are left as the marks
    `PATH_MARK % path`; the sandbox replaces each by the path inside the private root (the same path) or, in the plain
    sandbox, by the place in the node's scratch folder.
    """

    node_id: str
    node_name: str
    pod_name: str
    template: str
    containers: list[Container]
    inputs: list[InputArtifact] = field(default_factory=list)
    output_parameters: list[OutputParameter] = field(default_factory=list)
    output_artifacts: list[OutputArtifact] = field(default_factory=list)
    capture_result: bool = False  # outputs.result of main (or of the script)
    empty_dirs: list[dict[str, Any]] = field(default_factory=list)  # [{name, mounts: {container: path}}] of emptyDir
    grant: str | None = None  # a named set of further folders, see loop.Config.grants
    limits: dict[str, int] = field(default_factory=dict)  # cpu_seconds, file_bytes, output_bytes, processes


PATH_MARK = "\ufdd0%s\ufdd1"  # two code points that no text may hold (Unicode noncharacters)


@dataclass(frozen=True, kw_only=True)
class Kill:
    """End a node's whole process tree: TERM, after a while KILL; `reason` comes back as its message."""

    node_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ContainerStatus:
    """How one container ended. `exit_code` is None while it runs or if it never started."""

    name: str
    phase: str  # Pending, Running, Succeeded, Failed, Error
    exit_code: int | None = None
    message: str = ""
    started_at: float | None = None  # seconds since 1970-01-01 UTC
    finished_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class PodStatus:
    """An observation: what is known of a pod now. Later ones replace earlier ones; a final phase never changes.

    `message` is Argo's own where Argo has one ("main: Error (exit code 3)", "wait: …", "init: …").
    `outputs` has Argo's shape: {exitCode, result, parameters: [{name, value}], artifacts: [{name, path, s3: {key}}]}.
    """

    node_id: str
    phase: str  # Pending, Running, Succeeded, Failed, Error
    message: str = ""
    exit_code: int | None = None
    started_at: float | None = None
    finished_at: float | None = None
    outputs: dict[str, Any] = field(default_factory=dict)
    containers: list[ContainerStatus] = field(default_factory=list)
    killed: str = ""  # the reason of the Kill that ended it, else empty
    limit: str = ""  # which limit ended it: memory, cpu_seconds, file_bytes, output_bytes, processes


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What one call of `operate` decided."""

    status: dict[str, Any]  # the workflow's whole new status, Argo's shape
    start: list[Pod] = field(default_factory=list)
    kill: list[Kill] = field(default_factory=list)
    wake_at: float | None = None  # call again at this time (seconds since 1970 UTC) even if nothing happens
    # Entries of memoize caches to write, before the status is stored: [{name, labels, key, value}] (value is text).
    configmap_writes: list[dict[str, Any]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)  # ids of the nodes that differ from the status given, in order


_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def is_label(name: str) -> bool:
    """Whether `name` is a DNS-1123 label, as the name of a volume has to be."""
    return _LABEL.fullmatch(name) is not None


def is_mount_path(path: str) -> bool:
    """Whether a volume can be mounted at `path`: absolute, not the root itself, without dots that lead elsewhere."""
    parts = [part for part in path.split("/") if part]
    return path.startswith("/") and bool(parts) and not {".", ".."} & set(parts) and not re.search("[:\0]", path)


_PARTS: dict[tuple[str, str], type] = {
    ("Pod", "containers"): Container,
    ("Pod", "inputs"): InputArtifact,
    ("Pod", "output_parameters"): OutputParameter,
    ("Pod", "output_artifacts"): OutputArtifact,
    ("PodStatus", "containers"): ContainerStatus,
    ("Decision", "start"): Pod,
    ("Decision", "kill"): Kill,
}


def from_dict(kind: type[T], data: dict[str, Any]) -> T:
    """Make one of this module's values from what `dataclasses.asdict` and JSON made of it.

    Raises TypeError if a field is unknown or missing.
    """
    values = dict(data)
    for (owner, name), part in _PARTS.items():
        if owner == kind.__name__ and name in values:
            values[name] = [from_dict(part, item) for item in values[name]]
    return kind(**values)
