"""The engine as its callers see it: whole workflows with real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_bench import PATIENCE, alive, table
from orchestra_engine.engine import Config, Engine, Grant, NotFound, Refused
from orchestra_engine.store import LostClaim
from orchestra_engine.workflow import finished

Open = Callable[..., Engine]


def workflow(name: str, *templates: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {"entrypoint": "main", "templates": list(templates), **spec},
    }


def shell(name: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "container": {"image": "busybox", "command": ["sh", "-c"], "args": [text]}, **fields}


@pytest.fixture
def opened(tmp_path: Path, sandbox: str) -> Iterator[Open]:
    """Opens engines on one root, each with a higher claim than the one before."""
    made: list[Engine] = []

    def one(**settings: Any) -> Engine:
        settings = {"claim": len(made) + 1, "grace_seconds": 1.0, **settings}
        config = Config(
            root=tmp_path / "root", repository=tmp_path / "repository", images=table(), sandbox=sandbox, **settings
        )
        made.append(Engine(config))
        return made[-1]

    yield one
    for each in made:
        each.close()


def follow(engine: Engine, name: str, *, until: Callable[[dict[str, Any]], bool] = finished) -> dict[str, Any]:
    """Poll until the status of a workflow is as wanted."""
    end = time.monotonic() + PATIENCE
    while True:
        found = engine.get(name)
        assert found is not None
        if until(found["status"]):
            status: dict[str, Any] = found["status"]
            return status
        assert time.monotonic() < end, found["status"]
        engine.poll(timeout=1.0)


def logged(engine: Engine, name: str, node: str, text: str) -> Callable[[dict[str, Any]], bool]:
    path = engine.log_path(name, node)
    return lambda status: path.exists() and text in path.read_text()


PASS_ON = [
    {
        "name": "main",
        "steps": [
            [{"name": "make", "template": "make"}],
            [
                {
                    "name": "use",
                    "template": "use",
                    "arguments": {"artifacts": [{"name": "in", "from": "{{steps.make.outputs.artifacts.out}}"}]},
                }
            ],
        ],
    },
    shell(
        "make",
        "echo made > {{outputs.artifacts.out.path}}",
        outputs={"artifacts": [{"name": "out", "path": "/tmp/out"}]},
    ),
    shell("use", "cat {{inputs.artifacts.in.path}}", inputs={"artifacts": [{"name": "in", "path": "/work/in"}]}),
]


def test_a_workflow_runs_and_hands_its_files_on(opened: Open) -> None:
    engine = opened()
    engine.submit(workflow("w", *PASS_ON))
    status = follow(engine, "w")
    assert status["phase"] == "Succeeded"
    use = next(node for node in status["nodes"].values() if node["displayName"] == "use")
    assert engine.log_path("w", use["id"]).read_text() == "made\n"
    assert (engine.config.repository / use["inputs"]["artifacts"][0]["s3"]["key"]).is_file()


def test_submitting_twice_is_harmless(opened: Open) -> None:
    engine = opened()
    uid = engine.submit(workflow("w", shell("main", "echo once")))
    assert engine.submit(workflow("w", shell("main", "echo twice"))) == uid
    follow(engine, "w")
    assert engine.submit(workflow("w", shell("main", "echo twice"))) == uid
    assert engine.log_path("w", "w").read_text() == "once\n"
    assert engine.names() == ["w"]


def test_everything_that_is_wrong_is_said_with_its_path(opened: Open) -> None:
    engine = opened()
    bad = workflow(
        "w",
        {"name": "main", "container": {"image": "nginx:1", "command": ["x"], "securityContext": {"privileged": True}}},
    )
    with pytest.raises(Refused) as refused:
        engine.submit(bad)
    container = "spec.templates[0].container"
    assert {f"{container}.securityContext.privileged", f"{container}.image"} == {
        fault.path for fault in refused.value.faults
    }
    with pytest.raises(Refused) as refused:
        engine.submit(workflow("w", {"name": "main", "container": {"image": "nginx:1", "command": ["x"]}}))
    assert [fault.path for fault in refused.value.faults] == ["spec.templates[0].container.image"]
    with pytest.raises(Refused, match=r"metadata\.name"):
        engine.submit(workflow("../escape", shell("main", "true")))
    assert engine.names() == []


def test_each_change_is_told_once_and_raises_the_version(opened: Open) -> None:
    engine = opened()
    uid = engine.submit(workflow("w", shell("main", "sleep 0.3")))
    phases, versions = [], [engine.version("w")]
    while not phases or phases[-1] != "Succeeded":
        seen = engine.poll(timeout=PATIENCE)
        assert [(each.name, each.uid) for each in seen] == [("w", uid)]
        assert seen[0].workflow is not None
        phases.append(seen[0].workflow["status"]["phase"])
        versions.append(engine.version("w"))
    assert set(phases) == {"Running", "Succeeded"}
    assert versions == sorted(set(versions))
    assert engine.poll(timeout=0) == []


def test_a_descriptor_or_another_thread_wakes_the_poll(opened: Open) -> None:
    engine = opened()
    read, write = os.pipe()
    os.write(write, b"x")
    assert engine.poll(timeout=PATIENCE, wake=[read]) == []
    assert os.read(read, 1) == b"x"
    threading.Timer(0.1, engine.wake).start()
    assert engine.poll(timeout=PATIENCE) == []
    for fd in (read, write):
        os.close(fd)


HANDLER = [
    {"name": "main", "steps": [[{"name": "a", "template": "long"}], [{"name": "b", "template": "long"}]]},
    shell("long", "echo begun; sleep 600"),
    shell("bye", "echo {{workflow.status}}"),
]


@pytest.mark.parametrize("how", ["stop", "terminate"])
def test_stop_runs_the_exit_handler_and_terminate_does_not(opened: Open, how: str) -> None:
    engine = opened()
    engine.submit(workflow("w", *HANDLER, onExit="bye"))
    status = follow(
        engine, "w", until=lambda s: any(n["phase"] == "Running" and n["type"] == "Pod" for n in s["nodes"].values())
    )
    long = next(node["id"] for node in status["nodes"].values() if node["displayName"] == "a")
    follow(engine, "w", until=logged(engine, "w", long, "begun"))
    getattr(engine, how)("w")
    status = follow(engine, "w")
    assert status["phase"] == "Failed"
    names = {node["displayName"] for node in status["nodes"].values()}
    assert ("w.onExit" in names) == (how == "stop")
    assert "b" not in names


def test_a_workflow_that_runs_is_not_deleted_and_a_finished_one_is(opened: Open) -> None:
    engine = opened()
    engine.submit(workflow("w", shell("main", "sleep 600")))
    engine.poll(timeout=1)
    with pytest.raises(ValueError, match="stop it first"):
        engine.delete("w")
    engine.terminate("w")
    follow(engine, "w")
    engine.delete("w")
    engine.delete("w")
    assert engine.get("w") is None
    assert not (engine.store.root / "w").exists()
    with pytest.raises(NotFound):
        engine.stop("w")


def test_a_workflow_whose_folder_is_removed_is_gone_and_so_are_its_processes(opened: Open) -> None:
    mark = f"mark-{os.getpid()}-{time.time_ns()}"
    main = shell("main", f"python3 -c 'import time; time.sleep(600)' {mark} & echo begun; wait")
    main["container"]["image"] = "me"
    engine = opened()
    uid = engine.submit(workflow("w", main, activeDeadlineSeconds=2))
    follow(engine, "w", until=logged(engine, "w", "w", "begun"))
    shutil.rmtree(engine.store.root / "w")
    seen: list[Any] = []
    while not any(each.workflow is None for each in seen):
        seen += engine.poll(timeout=PATIENCE)
    assert (seen[-1].name, seen[-1].uid) == ("w", uid)
    assert engine.names() == []
    end = time.monotonic() + PATIENCE
    while alive(mark):
        assert time.monotonic() < end
        engine.poll(timeout=0.1)


def test_a_suspended_workflow_waits_to_be_resumed(opened: Open) -> None:
    engine = opened()
    engine.submit(workflow("w", shell("main", "echo went on"), suspend=True))
    engine.poll(timeout=0.2)
    assert not engine.log_path("w", "w").exists()
    engine.resume("w")
    assert follow(engine, "w")["phase"] == "Succeeded"


def test_a_grant_reaches_only_templates_that_name_it(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    grant = Grant(writable=[tmp_path / "cache"], env={"WHERE": str(tmp_path / "cache")})
    main = shell("main", 'echo x > "$WHERE/file"', metadata={"annotations": {"orchestra/grant": "build"}})
    engine = opened(grants={"build": grant})
    with pytest.raises(Refused, match="grant"):
        engine.submit(workflow("w", main))
    engine.submit(workflow("w", main), grants=["build"])
    assert follow(engine, "w")["phase"] == "Succeeded"
    assert (tmp_path / "cache" / "file").read_text() == "x\n"


def test_an_engine_that_was_taken_over_can_do_nothing(opened: Open) -> None:
    old = opened()
    old.submit(workflow("w", *HANDLER))
    old.poll(timeout=5)
    new = opened()
    with pytest.raises(LostClaim):
        old.submit(workflow("v", shell("main", "true")))
    with pytest.raises(LostClaim):
        old.stop("w")
    with pytest.raises(LostClaim):
        opened(claim=1)
    assert new.adopt() == ["w"]
    new.terminate("w")
    assert follow(new, "w")["phase"] == "Failed"
    assert new.names() == ["w"]


ENGINE = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
import conftest
from engine_bench import table
from orchestra_engine.engine import Config, Engine
engine = Engine(
    Config(root=Path({root!r}), repository=Path({repository!r}), images=table(), sandbox={sandbox!r}, claim=1)
)
engine.submit({workflow!r})
while True:
    engine.poll(timeout=None)
"""


def test_what_runs_goes_on_when_the_engine_is_killed(opened: Open, tmp_path: Path, sandbox: str) -> None:
    steps = {
        "name": "main",
        "steps": [
            [{"name": "a", "template": "slow"}, {"name": "b", "template": "slow"}],
            [{"name": "c", "template": "end"}],
        ],
    }
    manifest = workflow("w", steps, shell("slow", "echo begun; sleep 2; echo ended"), shell("end", "echo the end"))
    code = ENGINE.format(
        path=[str(Path(__file__).parent), *sys.path],
        root=str(tmp_path / "root"),
        repository=str(tmp_path / "repository"),
        sandbox=sandbox,
        workflow=manifest,
    )
    first = subprocess.Popen([sys.executable, "-c", code])
    nodes = tmp_path / "root" / "w" / "nodes"
    end = time.monotonic() + PATIENCE
    while [log.read_text() for log in nodes.glob("*/log")] != ["begun\n"] * 2:
        assert time.monotonic() < end
        assert first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    engine = opened(claim=2)
    assert engine.adopt() == ["w"]
    status = follow(engine, "w")
    assert status["phase"] == "Succeeded"
    logs = sorted(engine.log_path("w", n["id"]).read_text() for n in status["nodes"].values() if n["type"] == "Pod")
    assert logs == ["begun\nended\n", "begun\nended\n", "the end\n"]


def test_a_node_whose_engine_never_came_to_start_it_is_started_by_the_next(opened: Open) -> None:
    first = opened(max_pods=1)
    two = {"name": "main", "steps": [[{"name": "a", "template": "t"}, {"name": "b", "template": "t"}]]}
    first.submit(workflow("w", two, shell("t", "sleep 0.5; echo done")))
    first.poll(timeout=5)
    first.close()
    engine = opened()
    engine.adopt()
    status = follow(engine, "w")
    assert status["phase"] == "Succeeded"
    pods = [node["id"] for node in status["nodes"].values() if node["type"] == "Pod"]
    assert [engine.log_path("w", each).read_text() for each in pods] == ["done\n"] * 2


def test_a_disk_that_takes_no_status_for_a_while_loses_nothing(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opened()
    engine.submit(workflow("w", shell("main", "sleep 0.2; echo done")))
    save, failures = engine.store.save, [OSError(28, "No space left on device")] * 3

    def full(record: Any, *, sync: bool) -> None:
        if failures:
            raise failures.pop()
        save(record, sync=sync)

    monkeypatch.setattr(engine.store, "save", full)
    assert follow(engine, "w")["phase"] == "Succeeded"
    engine.poll(timeout=2)
    engine.poll(timeout=2)
    record = engine.store.load("w")
    assert record is not None
    assert record.workflow["status"]["phase"] == "Succeeded"


def test_nodes_that_never_started_leave_nothing_behind_when_the_workflow_is_stopped(opened: Open) -> None:
    engine = opened(max_pods=2)
    loop = {"name": "main", "steps": [[{"name": "a", "template": "t", "withSequence": {"count": "300"}}]]}
    engine.submit(workflow("w", loop, shell("t", "sleep 600")))
    follow(engine, "w", until=lambda status: sum(n["phase"] == "Running" for n in status["nodes"].values()) == 4)
    engine.stop("w")
    status = follow(engine, "w")
    pods = [node for node in status["nodes"].values() if node["type"] == "Pod"]
    assert [node["phase"] for node in pods] == ["Failed"] * 300
    assert {node["message"] for node in pods} == {"workflow shutdown with strategy:  Stop"}
    folders = list(engine.node_dir("w", "w").parent.iterdir())
    assert len(folders) == 2
    assert all((folder / "exit.json").exists() for folder in folders)


def test_nothing_is_left_of_a_stopped_workflow(opened: Open) -> None:
    mark = f"mark-{os.getpid()}-{time.time_ns()}"
    text = (
        f"python3 -c 'import time,sys; print(\"begun\", flush=True); time.sleep(600)' {mark} & trap '' TERM; wait; wait"
    )
    main = shell("main", text)
    main["container"]["image"] = "me"
    engine = opened()
    engine.submit(workflow("w", main))
    follow(engine, "w", until=logged(engine, "w", "w", "begun"))
    assert alive(mark)
    engine.stop("w")
    follow(engine, "w")
    assert alive(mark) == []


def test_what_is_stopped_has_the_time_of_the_settings_to_obey(opened: Open) -> None:
    engine = opened(grace_seconds=2.5)
    engine.submit(workflow("w", shell("main", "echo begun; sleep 600")))
    follow(engine, "w", until=logged(engine, "w", "w", "begun"))
    engine.terminate("w")
    follow(engine, "w")
    assert json.loads((engine.node_dir("w", "w") / "kill").read_bytes())["grace"] == 2.5
