"""What is done to workflows that are there: control, watch, retry, resubmit, delete."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from orchestra.desk import DeskError
from orchestra.endings import INTERRUPTED, OK, UNSUCCESSFUL
from orchestra.workflow import manifest, tree
from orchestra.workflow.driver import Driver, Interrupts
from orchestra.workflow.folder import Folder, Json
from orchestra.workflow.run import current, follow
from orchestra.workflow.view import LogReader, View

_TICK_SECONDS = 0.5
_ENDS = ("stop", "terminate")


def control(folder: Folder, name: str, what: str, **more: object) -> int:
    """Stop, terminate, suspend or resume a workflow; one that nobody runs is run on to its end. The exit code.

    Raises DeskError.
    """
    if tree.finished(folder.workflow(name)):
        raise DeskError(f"{name} has ended already ({tree.phase_of(folder.workflow(name))})")
    with Driver(folder) as driver, Interrupts() as interrupts:
        driver.control(name, what, **more)
        if what in _ENDS:
            _until_end(driver, name, View(sys.stdout, live=False), interrupts)
            return OK
        if driver.engine is None:
            return OK
        if what == "suspend":
            print(f"{name} is suspended; `orchestra workflow resume {name}` lets it go on.")
            return OK
        return _until_end(driver, name, View(sys.stdout), interrupts)


def watch(folder: Folder, name: str, *, sandbox: str) -> int:
    """Follow a workflow to its end, as its engine if nobody else is. The exit code. Raises DeskError."""
    folder.workflow(name)
    with Driver(folder, sandbox=sandbox) as driver, Interrupts() as interrupts:
        return _until_end(driver, name, View(sys.stdout), interrupts)


def _until_end(driver: Driver, name: str, view: View, interrupts: Interrupts) -> int:
    """Show a workflow until it has ended; Ctrl-C leaves it as it is."""
    with view:
        while not tree.finished(workflow := current(driver, name)):
            view.show(workflow)
            driver.step(interrupts, _TICK_SECONDS if view.live else None)
            if interrupts.count:
                view.say(f"{name} is left as it is; `orchestra workflow watch {name}` goes on with it.")
                return INTERRUPTED
        view.show(workflow)
        view.end(workflow, LogReader(driver.folder.path))
    return OK if tree.phase_of(workflow) == "Succeeded" else UNSUCCESSFUL


def retry(folder: Folder, name: str, parameters: Mapping[str, str], *, sandbox: str) -> int:
    """Run a failed workflow again from where it failed. The exit code. Raises DeskError."""
    from orchestra_engine.operate.retry_workflow import NothingToRetry, retry_workflow
    from orchestra_engine.sandbox.files import remove_tree

    store = folder.store()
    folder.workflow(name)
    record = store.load(name)
    assert record is not None
    workflow = manifest.with_parameters(record.workflow, parameters, _templates(folder))
    try:
        workflow, removed = retry_workflow(workflow, time.time(), expand_again=bool(parameters))
    except NothingToRetry as error:
        raise DeskError(f"{name}: {error}") from None
    for ident in removed:
        remove_tree(str(store.node_dir(name, ident)))
    record.workflow = workflow
    record.version += 1
    store.save(record, sync=True)
    store.close()
    if sandbox != "auto":
        folder.remember_sandbox(name, sandbox)
    folder.wake()
    return _run_on(folder, name, sandbox)


def resubmit(folder: Folder, name: str, parameters: Mapping[str, str], *, sandbox: str) -> int:
    """Run a workflow anew, under a new name. The exit code. Raises DeskError."""
    from orchestra_engine.engine import Refused

    workflow = manifest.with_parameters(anew(folder.workflow(name)), parameters, _templates(folder))
    fresh = manifest.next_name(name, folder.store().names())
    used = sandbox if sandbox != "auto" else folder.sandbox_of(name)
    with Driver(folder, sandbox=used) as driver, Interrupts() as interrupts:
        driver.lead()
        try:
            driver.submit(manifest.with_name(workflow, fresh))
        except Refused as refused:
            lines = manifest.Manifest(file=name, workflow=workflow, marks=None).lines(refused.faults)
            raise manifest.BadManifest(lines) from None
        return follow(driver, fresh, View(sys.stdout), interrupts, news=f"This run is {fresh}.")


def anew(workflow: Json) -> Json:
    """A workflow as before anybody ran it, with the label that says (as Argo's) which one it came from."""
    metadata = workflow["metadata"]
    labels = {**(metadata.get("labels") or {}), "workflows.argoproj.io/resubmitted-from-workflow": metadata["name"]}
    kept = {key: metadata[key] for key in ("annotations", "namespace") if metadata.get(key)}
    spec = {key: value for key, value in workflow["spec"].items() if key != "shutdown"}
    return {
        "apiVersion": workflow["apiVersion"],
        "kind": workflow["kind"],
        "metadata": {**kept, "name": metadata["name"], "labels": labels},
        "spec": spec,
    }


def _templates(folder: Folder) -> list[Json]:
    from orchestra_engine.cluster import Cluster

    return list(Cluster(folder.path).workflow_templates().values())


def _run_on(folder: Folder, name: str, sandbox: str) -> int:
    with Driver(folder, sandbox=sandbox) as driver, Interrupts() as interrupts:
        return follow(driver, name, View(sys.stdout), interrupts)


def delete(folder: Folder, names: Sequence[str]) -> Iterator[str]:
    """Remove workflows that have ended (those named, else all); each name once it is gone. Raises DeskError."""
    store = folder.store()
    wanted = list(names) or [name for name in store.names() if tree.finished(folder.workflow(name))]
    running = [name for name in wanted if not tree.finished(folder.workflow(name))]
    if running:
        raise DeskError(f"{running[0]} has not ended: `orchestra workflow terminate {running[0]}` first")
    for name in wanted:
        store.delete(name)
        yield name
