"""The recorded cases: reading them, and comparing a status with a record as README.md says."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestra_engine import workflow

CASES = Path(__file__).with_name("cases")
MORE = Path(__file__).with_name("more")
NODE_FIELDS = (
    "name", "displayName", "type", "templateName", "templateRef", "templateScope", "phase", "message", "boundaryID",
    "nodeFlag", "daemoned", "memoizationStatus", "failedPodRestarts",
)  # fmt: skip
ARTIFACT_FIELDS = (
    "name", "path", "optional", "archive", "globalName", "mode", "raw", "subPath", "from", "fromExpression", "deleted",
)  # fmt: skip
PARAMETER_FIELDS = ("name", "value", "globalName", "enum", "default")
STATUS_FIELDS = ("phase", "message", "progress", "outputs", "nodes")
EPOCH = re.compile(r"1[078]\d{8}")
LONG = 4096  # bytes from which on a text is recorded by its digest
_DEADLINE = re.compile(r"(Pod was active on the node longer than the specified deadline|Step exceeded its deadline)\Z")
_KILLED = re.compile(
    r"deadline exceeded|longer than the specified deadline|exceeded its deadline|^timeout$|shutdown with strategy"
    r"|Terminated|Stopped with strategy"
)
_ANY_TEXT = ("wait:", "init:", "main: Error (exit code 64)")  # the executor's own paths and words


@dataclass(frozen=True)
class Case:
    """One recorded manifest; the names of those in `more` begin with that, as do the names of their workflows."""

    path: Path

    def __str__(self) -> str:
        return self.name

    @property
    def area(self) -> str:
        area = self.path.parent
        return f"more/{area.name}" if area.parent == MORE else area.name

    @property
    def name(self) -> str:
        return f"{self.area}/{self.path.stem}"

    def beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.stem + suffix)

    @property
    def manifest(self) -> dict[str, Any]:
        return workflow.load(self.path.read_text(encoding="utf-8"))[0]

    @property
    def record(self) -> dict[str, Any]:
        """What Argo made of it; empty if it was not recorded yet."""
        file = self.beside(".status.json")
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return found

    @property
    def actions(self) -> list[dict[str, Any]]:
        file = self.beside(".actions.json")
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []

    @property
    def configmaps(self) -> dict[str, dict[str, Any]]:
        file = self.beside(".configmaps.yaml")
        if not file.exists():
            return {}
        found = {}
        for one in workflow.load(file.read_text(encoding="utf-8")):
            name = (one.get("metadata") or {}).get("name", f"{self.area}-{self.path.stem}")
            found[name] = {"metadata": {"name": name}, **one}
        return found

    @property
    def workflow_templates(self) -> dict[str, dict[str, Any]]:
        file = self.beside(".templates.yaml")
        return {each["metadata"]["name"]: each for each in workflow.load(file.read_text())} if file.exists() else {}


def cases(wanted: Iterable[str] = (), *, folders: Iterable[Path] = (CASES, MORE)) -> list[Case]:
    """The cases of the areas and case names in `wanted` (all if empty). Raises ValueError for an unknown one."""
    everything = [
        Case(path)
        for folder in folders
        for path in sorted(folder.rglob("*.yaml"))
        if not path.name.endswith((".configmaps.yaml", ".templates.yaml"))
    ]
    chosen = []
    for each in wanted:
        name = each.removesuffix(".yaml").strip("/")
        found = [
            case
            for case in everything
            if name in (case.area, case.name) or case.name.startswith((f"{name}-", f"{name}/"))
        ]
        if not found:
            raise ValueError(f"there is no area and no case {each!r}")
        chosen += found
    return chosen or everything


# What is compared, in the shape of the record


def digested(data: bytes) -> dict[str, Any]:
    """What a record holds of something long."""
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def short(value: Any) -> Any:
    """A value as records have it: clock values and long texts are replaced."""
    if isinstance(value, str) and EPOCH.fullmatch(value):
        return "<epoch>"
    if isinstance(value, str) and len(value) >= LONG:
        return digested(value.encode())
    return value


def in_out(found: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs or outputs of a node or a workflow."""
    result: dict[str, Any] = {}
    if found.get("parameters"):
        result["parameters"] = [
            {key: short(value) for key, value in each.items() if key in PARAMETER_FIELDS}
            for each in found["parameters"]
        ]
    if found.get("artifacts"):
        result["artifacts"] = [_artifact(each) for each in found["artifacts"]]
    return result | {key: short(found[key]) for key in ("result", "exitCode") if key in found}


def _artifact(found: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in found.items() if key in ARTIFACT_FIELDS}
    if (found.get("s3") or {}).get("key"):
        kept["key"] = found["s3"]["key"]
    return kept


def _node(node: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: node[key] for key in NODE_FIELDS if key in node}
    kept |= {key: sorted(node[key]) for key in ("children", "outboundNodes") if node.get(key)}
    return kept | {key: found for key in ("inputs", "outputs") if node.get(key) and (found := in_out(node[key]))}


def killed(node: Mapping[str, Any]) -> bool:
    """Whether a node was ended by a deadline or a shutdown, after which outputs and logs are a matter of luck."""
    return bool(_KILLED.search(node.get("message", "")))


def normalise(status: Mapping[str, Any]) -> dict[str, Any]:
    """A status in the shape of a record."""
    result: dict[str, Any] = {key: status.get(key, "") for key in ("phase", "message", "progress")}
    if status.get("outputs"):
        result["outputs"] = in_out(status["outputs"])
    nodes = result["nodes"] = {ident: _node(node) for ident, node in (status.get("nodes") or {}).items()}
    for each in [result, *nodes.values()]:
        if _DEADLINE.match(each.get("message", "")):
            each["message"] = "<deadline exceeded>"
    for node in nodes.values():
        below = [nodes.get(child, {}) for child in node.get("children", [])]
        if killed(node) or (node["type"] == "Retry" and any(map(killed, below))):
            node.pop("outputs", None)
    return result


def differences(record: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Where the two differ, by path; texts that are the executor's own are only compared for being there."""
    result: list[str] = []
    wanted = json.loads(json.dumps(record))
    for node in wanted.get("nodes", {}).values():
        node.pop("podName", None)
    _compare("", wanted, found, result)
    return result


def _compare(path: str, wanted: Any, found: Any, result: list[str]) -> None:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted({*wanted, *found}):
            where = f"{path}.{key}" if path else key
            if key not in found:
                if wanted[key] or key not in ("message", "outputs"):
                    result.append(f"{where}: missing, recorded {brief(wanted[key])}")
            elif key not in wanted:
                if found[key] or key not in ("message", "outputs"):
                    result.append(f"{where}: not recorded, found {brief(found[key])}")
            else:
                _compare(where, wanted[key], found[key], result)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            _compare(f"{path}[{number}]", one, other, result)
    elif wanted != found:
        if path.endswith("message") and str(wanted).startswith(_ANY_TEXT) and found:
            return
        result.append(f"{path}: recorded {brief(wanted)}, found {brief(found)}")


def brief(value: Any) -> str:
    """A value for a message."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 300 else f"{text[:300]}…"
