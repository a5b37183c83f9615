"""The recorded cases: reading them, and comparing a status with a record as tests/conformance/README.md says."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestra_engine import workflow

CASES = Path(__file__).parent / "cases"
_NODE_FIELDS = (
    "name",
    "displayName",
    "type",
    "templateName",
    "templateRef",
    "templateScope",
    "phase",
    "message",
    "boundaryID",
    "nodeFlag",
    "daemoned",
    "memoizationStatus",
)
_ARTIFACT_FIELDS = (
    "name",
    "path",
    "optional",
    "archive",
    "globalName",
    "mode",
    "raw",
    "subPath",
    "from",
    "fromExpression",
    "deleted",
)
_PARAMETER_FIELDS = ("name", "value", "globalName", "enum", "default")
_DEADLINE = re.compile(r"Pod was active on the node longer than the specified deadline|Step exceeded its deadline")
_KILLED = re.compile(
    r"deadline exceeded|longer than the specified deadline|exceeded its deadline|^timeout$|shutdown with strategy|"
    r"Terminated|Stopped with strategy"
)
_INTERNAL = re.compile(r"wait:|init:|main: Error \(exit code 64\)")


@dataclass(frozen=True)
class Case:
    """One recorded case: `area/NN-name`."""

    area: str
    stem: str

    def __str__(self) -> str:
        return f"{self.area}/{self.stem}"

    def path(self, ending: str) -> Path:
        return CASES / self.area / f"{self.stem}.{ending}"

    @property
    def manifest(self) -> dict[str, Any]:
        return workflow.load(self.path("yaml").read_text())[0]

    @property
    def record(self) -> dict[str, Any]:
        return json.loads(self.path("status.json").read_text())  # type: ignore[no-any-return]

    @property
    def actions(self) -> list[dict[str, Any]]:
        path = self.path("actions.json")
        return json.loads(path.read_text()) if path.exists() else []

    @property
    def configmaps(self) -> dict[str, dict[str, Any]]:
        path = self.path("configmaps.yaml")
        if not path.exists():
            return {}
        found = {}
        for one in workflow.load(path.read_text()):
            name = (one.get("metadata") or {}).get("name", f"{self.area}-{self.stem}")
            found[name] = {"metadata": {"name": name}, **one}
        return found


def cases(area: str = "") -> list[Case]:
    """All cases, or those of an area, in order."""
    found = []
    for path in sorted(CASES.glob(f"{area or '*'}/*.yaml")):
        if not path.name.endswith(".configmaps.yaml"):
            found.append(Case(path.parent.name, path.stem))
    return found


def _short(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"1[078]\d{8}", value):
        return "<epoch>"
    if isinstance(value, str) and len(value) >= 4096:
        return {"sha256": hashlib.sha256(value.encode()).hexdigest(), "size": len(value.encode())}
    return value


def _given(found: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if found.get("parameters"):
        result["parameters"] = [
            {k: _short(v) for k, v in p.items() if k in _PARAMETER_FIELDS} for p in found["parameters"]
        ]
    if found.get("artifacts"):
        result["artifacts"] = [_artifact(a) for a in found["artifacts"]]
    result |= {k: _short(found[k]) for k in ("result", "exitCode") if k in found}
    return result


def _artifact(artifact: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in artifact.items() if k in _ARTIFACT_FIELDS}
    if (artifact.get("s3") or {}).get("key"):
        kept["key"] = artifact["s3"]["key"]
    return kept


def _node(node: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: node[k] for k in _NODE_FIELDS if k in node}
    for name in ("children", "outboundNodes"):
        if node.get(name):
            kept[name] = sorted(node[name])
    for name in ("inputs", "outputs"):
        found = _given(node[name]) if node.get(name) else None
        if found:
            kept[name] = found
    return kept


def normalise(status: Mapping[str, Any]) -> dict[str, Any]:
    """A status in the form of the records."""
    result: dict[str, Any] = {k: status.get(k, "") for k in ("phase", "message", "progress")}
    if status.get("outputs"):
        result["outputs"] = _given(status["outputs"])
    nodes = result["nodes"] = {ident: _node(node) for ident, node in (status.get("nodes") or {}).items()}
    for one in [result, *nodes.values()]:
        if _DEADLINE.match(one.get("message", "")):
            one["message"] = "<deadline exceeded>"
    for node in nodes.values():
        children = [nodes.get(child, {}).get("message", "") for child in node.get("children", [])]
        if _KILLED.search(node.get("message", "")) or (node["type"] == "Retry" and any(map(_KILLED.search, children))):
            node.pop("outputs", None)
    return result


def _same_message(wanted: str, got: str) -> bool:
    return wanted == got or (_INTERNAL.match(wanted) is not None and bool(got))


def differences(record: Mapping[str, Any], status: Mapping[str, Any]) -> list[str]:
    """What a status has otherwise than the record, one line each."""
    got = normalise(status)
    found = []
    for name in ("phase", "progress", "outputs"):
        if record.get(name) != got.get(name):
            found.append(f"{name}: recorded {record.get(name)!r}, got {got.get(name)!r}")
    if not _same_message(record.get("message", ""), got["message"]):
        found.append(f"message: recorded {record.get('message')!r}, got {got['message']!r}")
    nodes = record.get("nodes", {})
    for ident in sorted({*nodes, *got["nodes"]}):
        if ident not in got["nodes"]:
            found.append(f"{nodes[ident]['name']}: no such node")
        elif ident not in nodes:
            found.append(f"{got['nodes'][ident]['name']}: not recorded ({got['nodes'][ident]})")
        else:
            found += _node_differences(nodes[ident], got["nodes"][ident])
    return found


def _node_differences(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> list[str]:
    found = []
    for name in [*_NODE_FIELDS, "children", "outboundNodes", "inputs", "outputs"]:
        a, b = wanted.get(name), got.get(name)
        if name == "message" and _same_message(a or "", b or ""):
            continue
        if a != b:
            found.append(f"{wanted['name']}.{name}: recorded {a!r}, got {b!r}")
    return found
