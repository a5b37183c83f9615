"""Mutexes, semaphores and caches of real workflows, in one engine and across engines that come after each other."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_bench import PATIENCE, table
from orchestra_engine.engine import Config, Engine
from orchestra_engine.workflow import finished

Open = Callable[[], Engine]
MUTEX = {"mutexes": [{"name": "m"}]}
SEMAPHORE = {"semaphores": [{"configMapKeyRef": {"name": "sizes", "key": "k"}}]}


def workflow(name: str, text: str, *, priority: int = 0, **template: Any) -> dict[str, Any]:
    main = {"name": "main", "container": {"image": "busybox", "command": ["sh", "-c"], "args": [text]}, **template}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {"entrypoint": "main", "priority": priority, "templates": [main]},
    }


def config(folder: Path) -> Config:
    return Config(
        root=folder / "root", repository=folder / "repository", images=table(), sandbox="plain", grace_seconds=1.0
    )


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens engines on one root, one after the other."""
    made: list[Engine] = []

    def one() -> Engine:
        for each in made:
            each.close()
        made.append(Engine(config(tmp_path)))
        made[-1].adopt()
        return made[-1]

    yield one
    for each in made:
        each.close()


def until(engine: Engine, name: str, wanted: Callable[[dict[str, Any]], bool] = finished) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while True:
        found = engine.get(name)
        assert found is not None
        if wanted(found["status"]):
            return dict(found["status"])
        assert time.monotonic() < end, found["status"]
        engine.poll(timeout=1.0)


def phase_of_main(status: dict[str, Any]) -> str:
    return next((str(node["phase"]) for node in status["nodes"].values()), "")


def waits(status: dict[str, Any]) -> bool:
    return any("synchronizationStatus" in node for node in status["nodes"].values())


def runs(status: dict[str, Any]) -> bool:
    return phase_of_main(status) == "Running"


def sizes(folder: Path, text: str) -> None:
    place = folder / "root" / "configmaps"
    place.mkdir(parents=True, exist_ok=True)
    found = {"kind": "ConfigMap", "metadata": {"name": "sizes"}, "data": {"k": text}}
    (place / "sizes.yaml").write_text(json.dumps(found))


def wait_for(file: Path) -> str:
    """A shell command that ends when the file is there."""
    return f"while [ ! -e '{file}' ]; do sleep 0.05; done"


def test_waiting_workflows_are_served_by_priority(opened: Open, tmp_path: Path) -> None:
    engine, go, order = opened(), tmp_path / "go", tmp_path / "order"
    engine.submit(workflow("holder", wait_for(go), priority=3, synchronization=MUTEX))
    until(engine, "holder", runs)
    for name, priority in (("low", 0), ("high", 5), ("middle", 3)):
        engine.submit(workflow(name, f"echo {name} >> '{order}'", priority=priority, synchronization=MUTEX))
        until(engine, name, waits)
    go.touch()
    until(engine, "low")
    assert order.read_text().split() == ["high", "middle", "low"]


def test_a_limit_that_is_raised_is_noticed_while_nothing_else_happens(opened: Open, tmp_path: Path) -> None:
    engine, go = opened(), tmp_path / "go"
    sizes(tmp_path, "1")
    engine.submit(workflow("holder", wait_for(go), synchronization=SEMAPHORE))
    engine.submit(workflow("w", "true", synchronization=SEMAPHORE))
    until(engine, "w", waits)
    sizes(tmp_path, "2")
    assert until(engine, "w")["phase"] == "Succeeded"
    assert runs(until(engine, "holder", runs))
    go.touch()
    until(engine, "holder")


def test_a_holder_that_somebody_removes_gives_its_lock_back(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    begun = tmp_path / "begun"
    engine.submit(workflow("holder", f"touch '{begun}'; sleep 1000", synchronization=MUTEX))
    until(engine, "holder", lambda status: begun.exists())
    engine.submit(workflow("w", "true", synchronization=MUTEX))
    until(engine, "w", waits)
    shutil.rmtree(tmp_path / "root" / "holder")
    engine.stop("holder")
    assert until(engine, "w")["phase"] == "Succeeded"


def test_locks_and_their_order_outlive_an_engine_that_is_killed(opened: Open, tmp_path: Path) -> None:
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            first = Engine(config(tmp_path))
            first.submit(workflow("holder", wait_for(tmp_path / "go"), synchronization=MUTEX))
            until(first, "holder", runs)
            for name, priority in (("low", 0), ("high", 5)):
                text = f"echo {name} >> '{tmp_path}/order'"
                first.submit(workflow(name, text, priority=priority, synchronization=MUTEX))
                until(first, name, waits)
            os.write(tell, b"ready")
            time.sleep(PATIENCE)
        finally:
            os._exit(1)
    os.close(tell)
    assert os.read(ready, 5) == b"ready"
    os.close(ready)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    engine = opened()
    assert phase_of_main(until(engine, "holder", runs)) == "Running"
    assert [phase_of_main(until(engine, name, waits)) for name in ("low", "high")] == ["Pending", "Pending"]
    engine.submit(workflow("new", f"echo new >> '{tmp_path}/order'", priority=1, synchronization=MUTEX))
    until(engine, "new", waits)
    (tmp_path / "go").touch()
    for name in ("holder", "high", "new", "low"):
        assert until(engine, name)["phase"] == "Succeeded"
    assert (tmp_path / "order").read_text().split() == ["high", "new", "low"]


@pytest.mark.parametrize(
    "text",
    [
        "{a: [",
        "- 1\n- 2",
        "kind: ConfigMap\nmetadata: [sizes]",
        "kind: ConfigMap\nmetadata: {name: x}\ndata: [1]",
        "\0",
    ],
)
def test_a_broken_file_beside_the_configmaps_keeps_nobody_from_running(
    opened: Open, tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    sizes(tmp_path, "1")
    (tmp_path / "root" / "configmaps" / "broken.yaml").write_text(text)
    engine = opened()
    engine.submit(workflow("w", "true", synchronization=SEMAPHORE))
    assert until(engine, "w")["phase"] == "Succeeded"
    assert text == "- 1\n- 2" or "broken.yaml is left out" in caplog.text


def cached(name: str, text: str, **memoize: Any) -> dict[str, Any]:
    wanted = {"key": "k", "maxAge": "", "cache": {"configMap": {"name": "kept"}}, **memoize}
    parameter = {"name": "o", "valueFrom": {"path": "/tmp/o"}}
    return workflow(
        name,
        "printf '" + text + "' > {{outputs.parameters.o.path}}",
        memoize=wanted,
        outputs={"parameters": [parameter]},
    )


def value_of(status: dict[str, Any]) -> tuple[bool, str]:
    (node,) = status["nodes"].values()
    return node["memoizationStatus"]["hit"], node["outputs"]["parameters"][0]["value"]


def test_what_one_workflow_keeps_another_uses_and_so_does_a_later_engine(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    engine.submit(cached("a", "first"))
    assert value_of(until(engine, "a")) == (False, "first")
    engine.submit(cached("b", "second"))
    assert value_of(until(engine, "b")) == (True, "first")
    engine = opened()
    engine.submit(cached("c", "third"))
    assert value_of(until(engine, "c")) == (True, "first")


def test_workflows_that_write_one_cache_at_once_lose_no_entry(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    for number in range(6):
        engine.submit(cached(f"w{number}", str(number), key=f"k{number}"))
    for number in range(6):
        until(engine, f"w{number}")
    for number in range(6):
        engine.submit(cached(f"again{number}", "again", key=f"k{number}"))
        assert value_of(until(engine, f"again{number}")) == (True, str(number))


def test_a_cache_that_was_given_as_yaml_keeps_what_is_written_to_it(opened: Open, tmp_path: Path) -> None:
    place = tmp_path / "root" / "configmaps"
    place.mkdir(parents=True)
    label = "{workflows.argoproj.io/configmap-type: Cache}"
    (place / "kept.yaml").write_text(
        f"kind: ConfigMap\nmetadata: {{name: kept, labels: {label}}}\ndata: {{other: ''}}\n"
    )
    engine = opened()
    engine.submit(cached("a", "first"))
    assert value_of(until(engine, "a")) == (False, "first")
    engine.submit(cached("b", "second"))
    assert value_of(until(engine, "b")) == (True, "first")


BROKEN = ["no json", "[]", '{"outputs": 3', "\ufffd", '{"creationTimestamp": 3}', '{"creationTimestamp": "soon"}']
BROKEN += ['{"outputs": [1]}', '{"outputs": {"parameters": 1}}', '{"outputs": {"artifacts": [1]}}']


@pytest.mark.parametrize("entry", BROKEN)
def test_a_broken_entry_of_a_cache_is_told_by_the_node_that_meets_it(opened: Open, tmp_path: Path, entry: str) -> None:
    engine = opened()
    label = {"workflows.argoproj.io/configmap-type": "Cache"}
    engine.cluster.write_configmap("kept", {"metadata": {"labels": label}, "data": {"k": entry}})
    engine.submit(cached("a", "first"))
    status = until(engine, "a")
    assert status["phase"] == "Error"
    assert "malformed cache entry" in status["message"]


def test_a_cache_that_cannot_be_written_costs_nobody_a_result(
    opened: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = opened()
    (tmp_path / "root" / "configmaps").write_text("")
    engine.submit(cached("a", "first"))
    assert value_of(until(engine, "a")) == (False, "first")
    assert "the cache kept cannot be written" in caplog.text


@pytest.mark.parametrize("name", ["../evil", "../w/workflow", "/tmp/evil", "a/b", "..", ".hidden", "UPPER", "", "a..b"])
def test_a_cache_never_lies_outside_the_folder_of_configmaps(opened: Open, tmp_path: Path, name: str) -> None:
    engine = opened()
    engine.submit(cached("w", "x", cache={"configMap": {"name": name}}))
    status = until(engine, "w")
    assert status["phase"] == "Error"
    assert "invalid name of a cache's ConfigMap" in status["message"]
    with pytest.raises(ValueError) if "/" in name or name.startswith(".") or not name else contextlib.nullcontext():
        engine.cluster.write_configmap(name, {})
    assert not list(tmp_path.rglob("*evil*"))
