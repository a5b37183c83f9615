"""Runs recorded cases through the local engine and compares with what the real Argo gave (see README.md)."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shutil
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestra_engine.engine import Config, Engine, Refused
from orchestra_engine.images import ImageTable
from orchestra_engine.sandbox import why_no_private_root
from orchestra_engine.workflow import finished, load

CASES = Path(__file__).with_name("cases")
NAMESPACE = "conf"
PATIENCE = 60.0  # seconds for one case
AT_ONCE = 6
_NODE_FIELDS = (
    "name", "displayName", "type", "templateName", "templateRef", "templateScope", "phase", "message", "boundaryID",
    "nodeFlag", "daemoned", "memoizationStatus", "failedPodRestarts",
)  # fmt: skip
_ARTIFACT_FIELDS = (
    "name", "path", "optional", "archive", "globalName", "mode", "raw", "subPath", "from", "fromExpression", "deleted",
)  # fmt: skip
_DEADLINE = re.compile(r"(Pod was active on the node longer than the specified deadline|Step exceeded its deadline)\Z")
_KILLED = re.compile(
    r"deadline exceeded|longer than the specified deadline|exceeded its deadline|^timeout$|shutdown with strategy"
    r"|Terminated|Stopped with strategy"
)
_ANY_TEXT = ("wait:", "init:", "main: Error (exit code 64)")  # the executor's own paths and words
_PRINTS_PATHS = ("artifacts/18-path-variables", "basics/14-script-args")  # equal only where paths are the container's
_EPOCH = re.compile(r"1[78]\d{8}")


@dataclass(frozen=True)
class Case:
    """One recorded manifest."""

    path: Path

    @property
    def area(self) -> str:
        return self.path.parent.name

    @property
    def name(self) -> str:
        return f"{self.area}/{self.path.stem}"

    def beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.stem + suffix)

    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.beside(".status.json").read_text(encoding="utf-8"))
        return found

    def actions(self) -> list[dict[str, Any]]:
        file = self.beside(".actions.json")
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


@dataclass
class Result:
    """What came of a case: no differences, or why it was skipped."""

    case: Case
    differences: list[str] = field(default_factory=list)
    skipped: str = ""


def cases(wanted: Iterable[str] = ()) -> list[Case]:
    """The cases of the areas and case names in `wanted` (all if empty). Raises ValueError for an unknown one."""
    everything = [Case(path) for path in sorted(CASES.rglob("*.yaml")) if not path.name.endswith(".configmaps.yaml")]
    chosen = []
    for each in wanted:
        name = each.removesuffix(".yaml").strip("/")
        found = [case for case in everything if name in (case.area, case.name) or case.name.startswith(f"{name}-")]
        if not found:
            raise ValueError(f"there is no area and no case {each!r}")
        chosen += found
    return chosen or everything


# What is compared, in the shape of the record


def _content(data: bytes) -> Any:
    if len(data) < 4096:
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def _short(value: Any) -> Any:
    if isinstance(value, str) and _EPOCH.fullmatch(value):
        return "<epoch>"
    if isinstance(value, str) and len(value) >= 4096:
        return {"sha256": hashlib.sha256(value.encode()).hexdigest(), "size": len(value.encode())}
    return value


def _in_out(found: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if found.get("parameters"):
        result["parameters"] = [
            {
                key: _short(value)
                for key, value in each.items()
                if key in ("name", "value", "globalName", "enum", "default")
            }
            for each in found["parameters"]
        ]
    if found.get("artifacts"):
        result["artifacts"] = []
        for each in found["artifacts"]:
            kept = {key: value for key, value in each.items() if key in _ARTIFACT_FIELDS}
            if (each.get("s3") or {}).get("key"):
                kept["key"] = each["s3"]["key"]
            result["artifacts"].append(kept)
    for key in ("result", "exitCode"):
        if key in found:
            result[key] = _short(found[key])
    return result


def _object(path: Path) -> Any:
    if path.is_dir():
        return {
            "dir": {
                str(each.relative_to(path)): _content(each.read_bytes()) for each in path.rglob("*") if each.is_file()
            }
        }
    if not path.exists():
        return {"missing": True}
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as packed:
            members = {}
            for member in packed.getmembers():
                content = packed.extractfile(member) if member.isfile() else None
                text: Any = f"-> {member.linkname}" if member.issym() else _content(content.read()) if content else None
                members[member.name + ("/" if member.isdir() else "")] = text
            return {"tar+gz": members}
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as packed_zip:
            return {"zip": {each.filename: _content(packed_zip.read(each)) for each in packed_zip.infolist()}}
    return _content(data)


def _log(data: bytes) -> Any:
    text = data.decode("utf-8", "replace").replace(f"{sys.prefix}/bin/python3:", "/usr/bin/python3:")
    text = re.sub(rf"^{_EPOCH.pattern}$", "<epoch>", text, flags=re.M)
    if len(text) < 4096:
        return text
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "size": len(text.encode())}


def _cache_entry(text: str) -> Any:
    try:
        entry = json.loads(text)
    except ValueError:
        return text
    if not isinstance(entry, dict):
        return text
    if isinstance(entry.get("outputs"), dict):
        entry["outputs"] = _in_out(entry["outputs"])
    return {key: value for key, value in entry.items() if key not in ("creationTimestamp", "lastHitTimestamp")}


def normalise(engine: Engine, workflow: dict[str, Any]) -> dict[str, Any]:
    """A finished workflow in the shape of a record."""
    name, status = workflow["metadata"]["name"], workflow["status"]
    result: dict[str, Any] = {key: status.get(key, "") for key in ("phase", "message", "progress")}
    if status.get("outputs"):
        result["outputs"] = _in_out(status["outputs"])
    result |= {"nodes": {}, "logs": {}, "files": {}}
    for node_id, node in (status.get("nodes") or {}).items():
        kept = {key: node[key] for key in _NODE_FIELDS if key in node}
        kept |= {key: sorted(node[key]) for key in ("children", "outboundNodes") if node.get(key)}
        kept |= {key: found for key in ("inputs", "outputs") if node.get(key) and (found := _in_out(node[key]))}
        result["nodes"][node_id] = kept
        folder = engine.node_dir(name, node_id)
        if (folder / "log").exists():
            result["logs"][node_id] = _log((folder / "log").read_bytes())
        elif several := sorted(folder.glob("log.*")):
            result["logs"][node_id] = {each.name[4:]: _log(each.read_bytes()) for each in several}
    for outputs in [result.get("outputs", {}), *(node.get("outputs", {}) for node in result["nodes"].values())]:
        for artifact in outputs.get("artifacts", []):
            if artifact.get("key"):
                result["files"][artifact["key"]] = _object(engine.config.repository / artifact["key"])
    caches = {
        node["memoizationStatus"]["cacheName"] for node in result["nodes"].values() if "memoizationStatus" in node
    }
    if caches:
        result["configmaps"] = {each: _configmap(engine, each) for each in sorted(caches)}
    _forget_killed(result)
    return result


def _configmap(engine: Engine, name: str) -> Any:
    found = engine.cluster.configmaps().get(name)
    if found is None:
        return None
    data = {key: _cache_entry(value) for key, value in (found.get("data") or {}).items()}
    return {"labels": (found.get("metadata") or {}).get("labels") or {}, "data": data}


def _forget_killed(result: dict[str, Any]) -> None:
    nodes = result["nodes"]
    for each in [result, *nodes.values()]:
        if _DEADLINE.match(each.get("message", "")):
            each["message"] = "<deadline exceeded>"
    for node_id, node in nodes.items():
        children = [nodes.get(child, {}).get("message", "") for child in node.get("children", [])]
        if _KILLED.search(node.get("message", "")):
            node.pop("outputs", None)
            result["logs"].pop(node_id, None)
        elif node["type"] == "Retry" and any(_KILLED.search(text) for text in children):
            node.pop("outputs", None)


def differences(recorded: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Where the two differ, by path; texts that are the executor's own are only compared for being there."""
    result: list[str] = []
    wanted = json.loads(json.dumps(recorded))
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
                    result.append(f"{where}: missing, recorded {_brief(wanted[key])}")
            elif key not in wanted:
                if found[key] or key not in ("message", "outputs"):
                    result.append(f"{where}: not recorded, found {_brief(found[key])}")
            else:
                _compare(where, wanted[key], found[key], result)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            _compare(f"{path}[{number}]", one, other, result)
    elif wanted != found:
        if path.endswith("message") and str(wanted).startswith(_ANY_TEXT) and found:
            return
        result.append(f"{path}: recorded {_brief(wanted)}, found {_brief(found)}")


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 300 else f"{text[:300]}…"


# Running


class Run:
    """One case on its way through the engine."""

    def __init__(self, engine: Engine, case: Case) -> None:
        self.engine, self.case = engine, case
        self.result = Result(case)
        self.record = case.record()
        self.todo = case.actions()
        self.due: float | None = None
        self.end = time.monotonic() + PATIENCE
        self.name = ""
        self.over = False

    def submit(self) -> None:
        """Hand the case in; a refusal may be what was recorded."""
        if self.engine.sandbox == "plain" and self.case.name in _PRINTS_PATHS:
            self.over, self.result.skipped = True, f"it prints paths of a private root: {_no_private_root()}"
            return
        configmaps = self.case.beside(".configmaps.yaml")
        if configmaps.exists():
            folder = self.engine.store.root / "configmaps"
            folder.mkdir(exist_ok=True)
            shutil.copy(configmaps, folder / f"{self.case.area}-{configmaps.name}")
        try:
            workflow = load(self.case.path.read_text(encoding="utf-8"))[0]
            self.name = workflow["metadata"]["name"]
            self.engine.submit(workflow, as_argo=True)
        except Refused as error:
            self.over = True
            if self.record.get("rejectedBy") == "api-server":
                return
            if self.engine.sandbox == "plain" and "no private root" in str(error):
                self.result.skipped = _no_private_root()
            else:
                self.result.differences.append(f"refused: {error}")
            return
        if self.record.get("rejectedBy") == "api-server":
            self.result.differences.append("accepted, but Argo's API server refused it")

    def look(self) -> None:
        """Do what is due, and compare once the workflow is finished."""
        workflow = self.engine.get(self.name)
        if workflow is None:
            self.over = True
            self.result.differences.append("the workflow is gone")
            return
        status = workflow["status"]
        if self.todo and self.due is None and _ready(workflow, self.todo[0]["when"]):
            self.due = time.monotonic() + self.todo[0].get("delay", 0)
        if self.due is not None and time.monotonic() >= self.due:
            self.due = None
            self._act(self.todo.pop(0))
        elif finished(status):
            self.over = True
            recorded = {key: value for key, value in self.record.items() if key != "rejectedBy"}
            self.result.differences += differences(recorded, normalise(self.engine, workflow))
        elif time.monotonic() > self.end:
            self.over = True
            self.result.differences.append(f"not finished after {PATIENCE:.0f} s: {_brief(status)}")
            self.engine.terminate(self.name)

    def _act(self, action: dict[str, Any]) -> None:
        if "patch" in action:
            self.engine.patch(self.name, action["patch"])
        elif "resume" in action:
            self.engine.resume(self.name)
        else:
            given = action["set"]
            self.engine.set(
                self.name,
                action["when"]["node"],
                parameters=given.get("parameters", {}),
                phase=given.get("phase", "Succeeded"),
                message=given.get("message"),
            )


def _no_private_root() -> str:
    return why_no_private_root() or "the plain sandbox was asked for"


def _ready(workflow: dict[str, Any], when: dict[str, Any]) -> bool:
    if "suspended" in when:
        return bool(workflow["spec"].get("suspend"))
    status = workflow["status"]
    if "node" not in when:
        return bool(status.get("phase", "") == when["phase"])
    for node_id, node in (status.get("nodes") or {}).items():
        if when["node"] in (node_id, node["name"], node["displayName"]):
            return bool(node["phase"] == when.get("phase", node["phase"]))
    return False


def engine_for(folder: Path, *, sandbox: str = "auto") -> Engine:
    """An engine for the suite: `python:3.11` is the interpreter that runs it."""
    images = ImageTable(pythons={"3.11": sys.executable})
    config = Config(
        root=folder / "root",
        repository=folder / "repository",
        images=images,
        sandbox=sandbox,
        namespace=NAMESPACE,
        max_pods=AT_ONCE * 2,
        grace_seconds=2.0,
    )
    return Engine(config)


def run(
    engine: Engine, wanted: Iterable[Case], *, done: Callable[[Result], None] = lambda result: None
) -> list[Result]:
    """Run cases, several at a time; `done` is told of each as it ends. Results are in the order of `wanted`."""
    runs = [Run(engine, case) for case in wanted]
    waiting, active = list(runs), []
    while waiting or active:
        while waiting and len(active) < AT_ONCE:
            one = waiting.pop(0)
            one.end = time.monotonic() + PATIENCE
            one.submit()
            active.append(one)
        dues = [each.due for each in active if each.due is not None]
        if not any(each.over for each in active):
            engine.poll(timeout=max(0.0, min([1.0, *(due - time.monotonic() for due in dues)])))
        for each in list(active):
            if not each.over:
                each.look()
            if each.over:
                active.remove(each)
                done(each.result)
    return [each.result for each in runs]
