"""The core alone, told what became of each pod as the record has it, comes to the recorded status."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from orchestra_engine import operate
from orchestra_engine.pod import ContainerStatus, Pod, PodStatus

from tests.conformance.recorded import STATUS_FIELDS, Case, cases, differences, normalise
from tests.unit.engine.simulate import Script, Simulation

_KILLED = re.compile(r"<deadline exceeded>|workflow shutdown")


def _text(value: Any, pod: Pod, started: float, seconds: float) -> Any:
    """A recorded value; clock values are made from the simulated clock, long ones from their known content."""
    if value == "<epoch>":
        words = " ".join(pod.containers[0].args)
        return str(int(started if words.startswith("date") else started + seconds))
    if isinstance(value, dict):
        whole = "\n".join(f"{i:09d}" for i in range(30000))
        return whole[-value["size"] :]
    return value


def _seconds(pod: Pod) -> float:
    words = " ".join([*pod.containers[0].command, *pod.containers[0].args])
    slept = sum(float(s) for s in re.findall(r"sleep ([\d.]+)", words) if float(s) < 60)
    return slept + 0.3


def _containers(case: Case, record: dict[str, Any], pod: Pod) -> list[ContainerStatus]:
    found = []
    nodes = {node["name"]: node for node in record["nodes"].values()}
    for container in pod.containers:
        node = nodes.get(f"{pod.node_name}.{container.name}")
        if node is None:
            continue  # no container set: the pod's node is all there is
        code = re.search(r"exit code (\d+)\): ?(.*)", node.get("message", ""), re.DOTALL)
        found.append(
            ContainerStatus(
                name=container.name,
                phase=node["phase"],
                exit_code=int(code[1]) if code else 0,
                message=code[2] if code else "",
            )
        )
    return found


def _script(case: Case, record: dict[str, Any]) -> Any:
    def scripted(pod: Pod, now: float) -> Script:
        node = record["nodes"].get(pod.node_id)
        assert node is not None, f"{pod.node_name} was started, but is not recorded"
        if _KILLED.match(node.get("message", "")):
            return Script(status=PodStatus(node_id=pod.node_id, phase="Running"), seconds=None)
        seconds = _seconds(pod)
        outputs: dict[str, Any] = {}
        recorded = node.get("outputs", {})
        for parameter in recorded.get("parameters", []):
            given = {k: parameter[k] for k in ("name", "value") if k in parameter}
            outputs.setdefault("parameters", []).append(given)
        for artifact in recorded.get("artifacts", []):
            given = {"name": artifact["name"], "path": artifact["path"], "s3": {"key": artifact["key"]}}
            described = next(o for o in pod.output_artifacts if o.name == artifact["name"])
            assert (described.key, described.path) == (artifact["key"], artifact["path"])
            outputs.setdefault("artifacts", []).append(given)
        if "result" in recorded:
            assert pod.capture_result, f"{pod.node_name} has to capture its result"
            outputs["result"] = _text(recorded["result"], pod, now, seconds)
        else:
            assert not pod.capture_result or recorded.get("exitCode") is None
        code = recorded.get("exitCode")
        last = PodStatus(
            node_id=pod.node_id,
            phase=node["phase"],
            message=node.get("message", ""),
            exit_code=int(code) if code is not None else None,
            outputs=outputs,
            containers=_containers(case, record, pod),
        )
        return Script(status=last, seconds=seconds)

    return scripted


class _Actions:
    """Carries out a case's actions when their conditions hold."""

    def __init__(self, case: Case) -> None:
        self.left = case.actions
        self.since: float | None = None

    def __call__(self, run: Simulation) -> bool:
        if not self.left:
            return False
        action = self.left[0]
        if not self.holds(action["when"], run):
            return False
        self.left.pop(0)
        run.now += action.get("delay", 0)
        if action.get("resume"):
            run.manifest = {**run.manifest, "spec": {k: v for k, v in run.manifest["spec"].items() if k != "suspend"}}
            run.status = operate.resume(run.manifest, run.status, run.now)
        if "set" in action:
            node = action["when"]["node"]
            run.status = operate.set_outputs(
                run.manifest, run.status, run.now, node, action["set"]["parameters"], phase=action["set"]["phase"]
            )
        if "patch" in action:
            run.manifest = {**run.manifest, "spec": {**run.manifest["spec"], **action["patch"]["spec"]}}
        return True

    def holds(self, when: dict[str, Any], run: Simulation) -> bool:
        if when.get("suspended"):
            return bool(run.manifest["spec"].get("suspend"))
        if "node" in when:
            nodes = [n for n in run.status["nodes"].values() if n["displayName"] == when["node"]]
            return any(n["phase"] == when["phase"] for n in nodes)
        return run.status["phase"] == when["phase"]


def _settled(case: Case) -> Simulation:
    manifest = case.manifest
    manifest["metadata"]["namespace"] = "conf"
    record = case.record
    return Simulation(
        manifest,
        scripted=_script(case, record),
        configmaps=case.configmaps,
        actions=_Actions(case),
        keyword={"workflow_templates": case.workflow_templates},
    )


@pytest.mark.parametrize("case", [c for c in cases() if c.record.get("rejectedBy") != "api-server"], ids=str)
def test_the_core_reproduces_the_recorded_status(case: Case) -> None:
    run = _settled(case)
    status = run.run()
    wanted = {key: value for key, value in case.record.items() if key in STATUS_FIELDS}
    assert differences(wanted, normalise(status)) == []


@pytest.mark.parametrize("case", cases(["memoize"]), ids=str)
def test_caches_hold_what_was_recorded(case: Case) -> None:
    run = _settled(case)
    run.run()
    for name, wanted in case.record.get("configmaps", {}).items():
        found = run.configmaps.get(name)
        if wanted is None:
            assert found is None
            continue
        assert found is not None
        assert (found.get("metadata") or {}).get("labels", {}) == (wanted.get("labels") or {})
        assert {k: _entry(v) for k, v in found["data"].items()} == {k: _entry(v) for k, v in wanted["data"].items()}


def _entry(text: Any) -> Any:
    """An entry without its times, its outputs as the record has them."""
    entry = json.loads(text) if isinstance(text, str) and text.startswith("{") else text
    if not isinstance(entry, dict):
        return entry
    outputs = entry.get("outputs") or {}
    kept: dict[str, Any] = {k: v for k, v in outputs.items() if k in ("exitCode", "result")}
    if outputs.get("parameters"):
        kept["parameters"] = [
            {k: p[k] for k in ("name", "value", "globalName") if k in p} for p in outputs["parameters"]
        ]
    if outputs.get("artifacts"):
        kept["artifacts"] = [
            {"name": a["name"], "path": a["path"], "key": a.get("key") or a["s3"]["key"]} for a in outputs["artifacts"]
        ]
    return {"nodeID": entry["nodeID"], "outputs": kept}
