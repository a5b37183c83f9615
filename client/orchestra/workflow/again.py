"""What is done to workflows that are there: watch, retry, resubmit, delete."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from orchestra.desk import DeskError
from orchestra.endings import INTERRUPTED, OK, UNSUCCESSFUL
from orchestra.workflow import manifest, tree
from orchestra.workflow.driver import Driver, Interrupts
from orchestra.workflow.folder import Folder, Json
from orchestra.workflow.request import select
from orchestra.workflow.run import current, follow
from orchestra.workflow.view import LogReader, View

_TICK_SECONDS = 0.5


def watch(folder: Folder, name: str, *, sandbox: str) -> int:
    """Follow a workflow to its end, as its engine if nobody else is. The exit code. Raises DeskError."""
    folder.workflow(name)
    with Driver(folder, sandbox=sandbox) as driver, Interrupts() as interrupts:
        return until_end(driver, name, View(sys.stdout), interrupts)


def until_end(driver: Driver, name: str, view: View, interrupts: Interrupts) -> int:
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


def retry(
    folder: Folder, names: Sequence[str], parameters: Mapping[str, str], *, sandbox: str, selector: str = ""
) -> int:
    """Run failed workflows again from where they failed; nodes that a selector means even if they succeeded.

    The exit code. Raises DeskError.
    """
    for name in names:
        _prepare_retry(folder, name, parameters, selector)
        if sandbox != "auto":
            folder.remember_sandbox(name, sandbox)
    folder.wake()
    with Driver(folder, sandbox=sandbox) as driver, Interrupts() as interrupts:
        return max(follow(driver, name, View(sys.stdout), interrupts) for name in names)


def _prepare_retry(folder: Folder, name: str, parameters: Mapping[str, str], selector: str) -> None:
    from orchestra_engine.operate.retry_workflow import NothingToRetry, retry_workflow
    from orchestra_engine.sandbox.files import remove_tree

    store = folder.store()
    found = folder.workflow(name)
    record = store.load(name)
    assert record is not None
    restarted = select((found.get("status") or {}).get("nodes") or {}, selector) if selector else []
    if selector and not restarted:
        raise DeskError(f"{name} has no node that --node-field-selector {selector} means")
    workflow = manifest.with_parameters(record.workflow, parameters, _templates(folder))
    try:
        workflow, removed = retry_workflow(workflow, time.time(), expand_again=bool(parameters), restarted=restarted)
    except NothingToRetry as error:
        hint = " (--restart-successful runs nodes again that succeeded)" if tree.phase_of(found) == "Succeeded" else ""
        raise DeskError(f"{name}: {error}{hint}") from None
    for ident in removed:
        remove_tree(str(store.node_dir(name, ident)))
    record.workflow = workflow
    record.version += 1
    store.save(record, sync=True)
    store.close()


def resubmit(folder: Folder, names: Sequence[str], parameters: Mapping[str, str], *, sandbox: str) -> int:
    """Run workflows anew, each under a new name. The exit code. Raises DeskError."""
    workflows = [manifest.with_parameters(anew(folder.workflow(n)), parameters, _templates(folder)) for n in names]
    used = sandbox if sandbox != "auto" else folder.sandbox_of(names[0])
    with Driver(folder, sandbox=used) as driver, Interrupts() as interrupts:
        driver.lead()
        fresh = [_submit_anew(driver, workflow) for workflow in workflows]
        return max(follow(driver, n, View(sys.stdout), interrupts, news=f"This run is {n}.") for n in fresh)


def _submit_anew(driver: Driver, workflow: Json) -> str:
    from orchestra_engine.engine import Refused

    name = workflow["metadata"]["name"]
    fresh = manifest.next_name(name, driver.folder.store().names())
    try:
        driver.submit(manifest.with_name(workflow, fresh))
    except Refused as refused:
        lines = manifest.Manifest(file=name, workflow=workflow, marks=None).lines(refused.faults)
        raise manifest.BadManifest(lines) from None
    return fresh


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


def delete(folder: Folder, names: Sequence[str]) -> Iterator[str]:
    """Remove workflows that have ended (those named, else all); each name once it is gone. Raises DeskError."""
    store = folder.store()
    wanted = list(dict.fromkeys(names)) or [name for name in store.names() if tree.finished(folder.workflow(name))]
    running = [name for name in wanted if not tree.finished(folder.workflow(name))]
    if running:
        raise DeskError(f"{running[0]} has not ended: `orchestra workflow terminate {running[0]}` first")
    for name in wanted:
        store.delete(name)
        yield name
