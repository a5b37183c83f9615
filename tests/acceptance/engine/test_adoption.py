"""What an engine that was killed left running is taken over, also what its workflow does not describe any more."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from engine_bench import PATIENCE, table
from orchestra_engine import operate
from orchestra_engine.engine import Config, Engine
from orchestra_engine.workflow import finished


def wait_for(file: Path) -> str:
    return f"while [ ! -e '{file}' ]; do sleep 0.05; done"


def engine(folder: Path) -> Engine:
    return Engine(Config(root=folder / "root", repository=folder / "repository", images=table(), sandbox="plain"))


def killed(folder: Path, manifest: dict[str, Any], node: str) -> None:
    """Run a workflow until a node runs, and kill the engine."""
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            first, end = engine(folder), time.monotonic() + PATIENCE
            first.submit(manifest)
            while time.monotonic() < end:
                first.poll(timeout=0.1)
                found = first.get("w")
                if found and any(
                    n["displayName"] == node and n["phase"] == "Running" for n in found["status"]["nodes"].values()
                ):
                    os.write(tell, b"1")
                    time.sleep(PATIENCE)
        finally:
            os._exit(1)
    os.close(tell)
    assert os.read(ready, 1) == b"1"
    os.close(ready)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def ended(folder: Path) -> dict[str, Any]:
    second, end = engine(folder), time.monotonic() + PATIENCE
    try:
        assert second.adopt() == ["w"]
        while True:
            found = second.get("w")
            assert found is not None and time.monotonic() < end, found
            if finished(found["status"]):
                return dict(found["status"])
            second.poll(timeout=1.0)
    finally:
        second.close()


def manifest(folder: Path) -> dict[str, Any]:
    main = {
        "name": "main",
        "container": {"image": "busybox", "command": ["sh", "-c"], "args": [wait_for(folder / "go")]},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {"entrypoint": "main", "templates": [main]},
    }


@pytest.fixture(params=["described", "not described"])
def described(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the core describes what was started: not what belongs to a group that is over."""
    if request.param == "not described":
        monkeypatch.setattr(operate, "known_pods", lambda workflow, status, **known: [])
    return bool(request.param == "described")


@pytest.mark.usefixtures("described")
def test_what_runs_is_seen_to_end_by_the_next_engine(tmp_path: Path) -> None:
    killed(tmp_path, manifest(tmp_path), "w")
    (tmp_path / "go").touch()
    assert ended(tmp_path)["phase"] == "Succeeded"


def test_what_was_to_be_started_is_or_never_will_be(
    described: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = engine(tmp_path)
    monkeypatch.setattr(first.nodes, "bring", lambda record, pods: [])
    first.submit(manifest(tmp_path))
    first.poll(timeout=0)
    first.close()
    (tmp_path / "go").touch()
    status = ended(tmp_path)
    assert status["phase"] == ("Succeeded" if described else "Error")
    assert described or "had not been started when its engine was ended" in status["message"]
