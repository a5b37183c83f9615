"""Runs recorded cases through the local engine and compares with what the real Argo gave (see README.md)."""

from __future__ import annotations

import gzip
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
from orchestra_engine.workflow import finished

from tests.conformance import recorded
from tests.conformance.recorded import Case, brief, differences, digested

NAMESPACE = "conf"
PATIENCE = 60.0  # seconds for one case
AT_ONCE = 6
_PRINTS_PATHS = ("artifacts/18-path-variables", "basics/14-script-args")  # equal only where paths are the container's


@dataclass
class Result:
    """What came of a case: no differences, or why it was skipped."""

    case: Case
    differences: list[str] = field(default_factory=list)
    skipped: str = ""


# What a record has beyond the status: logs, files and caches


def _content(data: bytes) -> Any:
    if len(data) < recorded.LONG:
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
    return digested(data)


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
    text = re.sub(rf"^{recorded.EPOCH.pattern}$", "<epoch>", text, flags=re.M)
    return text if len(text) < recorded.LONG else digested(text.encode())


def _logs(folder: Path) -> Any:
    """The log of a node, or one for each container; None if there is none."""
    if (folder / "log").exists():
        return _log((folder / "log").read_bytes())
    return {each.name[4:]: _log(each.read_bytes()) for each in sorted(folder.glob("log.*"))} or None


def _cache_entry(text: str) -> Any:
    try:
        entry = json.loads(text)
    except ValueError:
        return text
    if not isinstance(entry, dict):
        return text
    if isinstance(entry.get("outputs"), dict):
        entry["outputs"] = recorded.in_out(entry["outputs"])
    return {key: value for key, value in entry.items() if key not in ("creationTimestamp", "lastHitTimestamp")}


def normalise(engine: Engine, workflow: dict[str, Any]) -> dict[str, Any]:
    """A finished workflow in the shape of a record."""
    name, status = workflow["metadata"]["name"], workflow["status"]
    result = recorded.normalise(status) | {"logs": {}, "files": {}}
    for node_id, node in (status.get("nodes") or {}).items():
        log = _logs(engine.node_dir(name, node_id))
        if log is not None and not recorded.killed(node):
            result["logs"][node_id] = log
    for one in [status, *(status.get("nodes") or {}).values()]:
        for artifact in recorded.in_out(one.get("outputs") or {}).get("artifacts", []):
            if artifact.get("key"):
                result["files"][artifact["key"]] = _object(engine.config.repository / artifact["key"])
    caches = {
        node["memoizationStatus"]["cacheName"] for node in result["nodes"].values() if "memoizationStatus" in node
    }
    if caches:
        result["configmaps"] = {each: _configmap(engine, each) for each in sorted(caches)}
    return result


def _configmap(engine: Engine, name: str) -> Any:
    found = engine.cluster.configmaps().get(name)
    if found is None:
        return None
    data = {key: _cache_entry(value) for key, value in (found.get("data") or {}).items()}
    return {"labels": (found.get("metadata") or {}).get("labels") or {}, "data": data}


# Running


class Run:
    """One case on its way through the engine."""

    def __init__(self, engine: Engine, case: Case) -> None:
        self.engine, self.case = engine, case
        self.result = Result(case)
        self.record = case.record
        self.todo = case.actions
        self.due: float | None = None
        self.end = time.monotonic() + PATIENCE
        self.name = ""
        self.over = False

    def submit(self) -> None:
        """Hand the case in; a refusal may be what was recorded."""
        if self.engine.sandbox == "plain" and self.case.name in _PRINTS_PATHS:
            self.over, self.result.skipped = True, f"it prints paths of a private root: {_no_private_root()}"
            return
        for kind, suffix in (("configmaps", ".configmaps.yaml"), ("workflowtemplates", ".templates.yaml")):
            objects = self.case.beside(suffix)
            if objects.exists():
                folder = self.engine.store.root / kind
                folder.mkdir(exist_ok=True)
                shutil.copy(objects, folder / f"{self.case.area.replace('/', '-')}-{objects.name}")
        try:
            workflow = self.case.manifest
            self.name = workflow["metadata"]["name"]
            self.engine.submit(workflow, as_argo=True)
        except Refused as error:
            self.over = True
            if self.record.get("rejectedBy") == "api-server":
                return
            if self.engine.sandbox == "plain" and "in the plain sandbox" in str(error):
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
            wanted = {key: value for key, value in self.record.items() if key != "rejectedBy"}
            found = normalise(self.engine, workflow)
            if not wanted:
                self.result.differences.append(f"not recorded; found {found['phase']} {brief(found['message'])}")
                return
            self.result.differences += differences(wanted, found)
        elif time.monotonic() > self.end:
            self.over = True
            self.result.differences.append(f"not finished after {PATIENCE:.0f} s: {brief(status)}")
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
