"""`orchestra workflow run`: from a file to an end, in a folder of this machine."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestra import desk, screen
from orchestra.desk import DeskError
from orchestra.endings import INTERRUPTED, OK, UNSUCCESSFUL
from orchestra.workflow import images, manifest, tree
from orchestra.workflow.driver import Driver, Interrupts
from orchestra.workflow.folder import Folder, Json
from orchestra.workflow.status_file import check_writable, write_status
from orchestra.workflow.view import LogReader, View

if TYPE_CHECKING:
    from orchestra_engine.engine import Fault

_MOST_IGNORED = 20  # fields that are told
_TICK_SECONDS = 0.5  # between two drawings of growing durations


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be run, and how."""

    file: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    configmaps: Sequence[str] = ()
    images: Sequence[str] = ()
    sandbox: str = "auto"
    status_out: str = ""
    live: bool | None = None  # None: on a terminal


def run(folder: Folder, order: Order) -> int:
    """Run a file to its end; the command's exit code. Raises DeskError, OSError."""
    read = manifest.read(order.file)
    objects = [*read.objects, *manifest.read_configmaps(order.configmaps)]
    workflow = manifest.with_parameters(read.workflow, order.parameters, _templates(folder, objects))
    if order.name:
        workflow, read.given_name = manifest.with_name(workflow, order.name), order.name
    entries = images.read_all(order.images)
    ignored = _check(folder, read, workflow, objects, entries=entries, sandbox=order.sandbox)
    check_writable(order.status_out)
    with new_folder(folder), Driver(folder, sandbox=order.sandbox) as driver, Interrupts() as interrupts:
        driver.lead()
        with images.kept_with(folder.path, entries):
            name, news = submit(driver, read, workflow, objects)
        for line in [*ignored[:_MOST_IGNORED], *_more(len(ignored) - _MOST_IGNORED)]:
            screen.note(screen.shown(line))
        view = View(sys.stderr if order.status_out == desk.STDIN else sys.stdout, live=order.live)
        return follow(driver, name, view, interrupts, status_out=order.status_out, news=news)


def _templates(folder: Folder, objects: Sequence[Json]) -> list[Json]:
    from orchestra_engine.cluster import Cluster

    there = Cluster(folder.path).workflow_templates().values()
    return [*(one for one in objects if one.get("kind") == "WorkflowTemplate"), *there]


def _more(count: int) -> list[str]:
    return [f"… and {count} more fields are ignored; `orchestra lint` lists them"] if count > 0 else []


def _check(
    folder: Folder,
    read: manifest.Manifest,
    workflow: Json,
    objects: Sequence[Json],
    *,
    entries: Mapping[str, images.Entry],
    sandbox: str,
) -> list[str]:
    """Lines on what is ignored; all that is wrong is said before anything is written. Raises manifest.BadManifest."""
    from orchestra_engine import admission, validate
    from orchestra_engine.cluster import Cluster
    from orchestra_engine.images import looked_at

    def beside(kind: str) -> dict[str, Json]:
        return {manifest.object_name(one): one for one in objects if one.get("kind") == kind}

    cluster = Cluster(folder.path)
    templates = {**cluster.workflow_templates(), **beside("WorkflowTemplate")}
    faults = validate.check(
        workflow,
        secrets={*cluster.secrets(), *beside("Secret")},
        workflow_templates=templates,
    )
    refused = [fault for fault in faults if fault.kind == "refused"]
    if not refused:
        return read.lines([fault for fault in faults if fault.kind == "ignored"], "note")
    lacking: list[admission.Fault] = []
    if not any(fault.by == "api-server" for fault in refused):
        with looked_at(images.FolderImages(folder.path.absolute(), entries)) as table:
            lacking = admission.lacking(workflow, templates, images=table, sandbox=sandbox)
    raise manifest.BadManifest([*read.lines([*refused, *lacking]), *_about_sandbox(folder, lacking)])


@contextlib.contextmanager
def new_folder(folder: Folder) -> Iterator[None]:
    """The folder; one that is made for a manifest which is then refused goes away again.

    So does one that a full disk leaves without its contents. Raises OSError.
    """
    made = not folder.path.exists()
    try:
        folder.prepare()
    except OSError:
        if made:
            shutil.rmtree(folder.path, ignore_errors=True)
        raise
    try:
        yield
    except manifest.BadManifest:
        if made:
            shutil.rmtree(folder.path, ignore_errors=True)
        raise


def submit(driver: Driver, read: manifest.Manifest, workflow: Json, objects: Sequence[Json]) -> tuple[str, str]:
    """Have a workflow run, or go on if it is running already: its name, and what is to be said about that.

    A name that was asked for is the only one that will do. Raises DeskError.
    """
    from orchestra_engine.engine import Fault, Refused
    from orchestra_engine.store import BadName

    wanted = manifest.chosen_name(workflow)
    try:
        there = driver.folder.store().load(wanted)
    except BadName as error:
        fault = Fault(path="metadata.name", message=str(error).removeprefix("metadata.name: "))
        raise manifest.BadManifest(read.lines([fault])) from None
    name, news = wanted, ""
    if there is not None and not tree.finished(there.workflow):
        if there.workflow.get("spec") != workflow.get("spec"):
            raise DeskError(f"another workflow named {wanted} is running; give this one a name with --name")
        return wanted, f"{wanted} is running already; going on with it."
    if there is not None and read.given_name:
        raise DeskError(f"there is a workflow {wanted} already: `orchestra workflow delete {wanted}` removes it.")
    if there is not None:
        name = manifest.next_name(wanted, driver.folder.store().names())
        news = f"There is a workflow {wanted} already; this run is {name}."
    try:
        with manifest.applied(driver.folder, objects):
            driver.submit(manifest.with_name(workflow, name))
    except Refused as refused:
        raise manifest.BadManifest(
            [*read.lines(refused.faults), *_about_sandbox(driver.folder, refused.faults)]
        ) from None
    return name, news


def _about_sandbox(folder: Folder, faults: Sequence[Fault]) -> list[str]:
    """What this machine has, if a workflow was refused for the lesser sandbox."""
    from orchestra_engine.sandbox import why_no_private_root

    if not any("plain sandbox" in fault.message for fault in faults):
        return []
    if reason := why_no_private_root():
        return [f"This machine cannot give nodes a root of their own: {reason}; `orchestra doctor` tells what to do."]
    return ["This machine can give each node a root of its own (private): there it runs, without --sandbox plain."]


def follow(
    driver: Driver, name: str, view: View, interrupts: Interrupts, *, status_out: str = "", news: str = ""
) -> int:
    """Bring a workflow to its end and show it; Ctrl-C stops it, a second one terminates it, a third one leaves it.

    The command's exit code. Raises DeskError if the workflow is gone.
    """
    workflow = current(driver, name)
    handled = 0
    with view:
        if news:
            view.say(news)
        while not tree.finished(workflow):
            view.show(workflow)
            driver.step(interrupts, _TICK_SECONDS if view.live else None)
            while handled < interrupts.count:
                handled += 1
                if handled > len(_INTERRUPTS):
                    write_status(status_out, current(driver, name))
                    view.say(f"{name} goes on without this command; `orchestra workflow watch {name}` follows it.")
                    return INTERRUPTED
                what, words = _INTERRUPTS[handled - 1]
                view.say(words.format(name=name))
                driver.control(name, what)
            workflow = current(driver, name)
        view.show(workflow)
        view.end(workflow, LogReader(driver.folder.path))
    write_status(status_out, workflow)
    if tree.phase_of(workflow) == "Succeeded":
        return OK
    return INTERRUPTED if handled else UNSUCCESSFUL


_INTERRUPTS = (
    ("stop", "Stopping {name}; its exit handlers run. Ctrl-C again terminates it without them."),
    ("terminate", "Terminating {name}. Ctrl-C again leaves it."),
)


def current(driver: Driver, name: str) -> Json:
    """The workflow as it is now. Raises DeskError if somebody has deleted it."""
    workflow = driver.get(name)
    if workflow is None:
        raise DeskError(f"the workflow {name} is gone: somebody has deleted it")
    return workflow
