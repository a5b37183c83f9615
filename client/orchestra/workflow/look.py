"""Looking at the workflows of a folder: lists, and one of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestra import screen
from orchestra.workflow import tree
from orchestra.workflow.folder import Folder, Json
from orchestra.workflow.status_file import text_of, whole
from orchestra.workflow.view import LogReader, picture, reasons, verdict


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which workflows are listed: in one of some phases, ended (or not, or either), by the beginning of their names."""

    phases: Sequence[str] = ()
    ended: bool | None = None
    prefix: str = ""

    def has(self, workflow: Json) -> bool:
        """Whether a workflow is wanted."""
        return (
            (not self.phases or tree.phase_of(workflow).lower() in map(str.lower, self.phases))
            and self.ended in (None, tree.finished(workflow))
            and str(workflow["metadata"]["name"]).startswith(self.prefix)
        )


def list_all(folder: Folder, wanted: Wanted, *, as_json: bool, names_only: bool = False) -> None:
    """Print the workflows, the newest first."""
    found = [one for one in map(folder.workflow, folder.store().names()) if wanted.has(one)]
    found.sort(key=lambda one: str(one["metadata"].get("creationTimestamp")), reverse=True)
    if names_only:
        for one in found:
            print(one["metadata"]["name"])
        return
    if as_json:
        screen.print_json([_summary(one) for one in found])
        return
    led, now = folder.led(), datetime.now(UTC)
    rows = []
    for one in found:
        status = one.get("status") or {}
        message = str(status.get("message") or "")
        if not tree.finished(one) and not led:
            message = f"nobody runs it: `orchestra workflow watch {one['metadata']['name']}` goes on"
        began = one["metadata"].get("creationTimestamp", "")
        progress, took = status.get("progress", ""), tree.duration(status, now)
        rows.append((one["metadata"]["name"], tree.phase_of(one), progress, began, took, message))
    headings = ("name", "phase", "progress", "created (UTC)", "duration", "message")
    such = "" if wanted == Wanted() else "such "
    screen.table(headings, rows, empty=f"There is no {such}workflow in {folder.path}.")


def _summary(workflow: Json) -> Json:
    status = workflow.get("status") or {}
    keys = ("message", "progress", "startedAt", "finishedAt")
    metadata = workflow["metadata"]
    return {
        "name": metadata["name"],
        "uid": metadata.get("uid", ""),
        "created": metadata.get("creationTimestamp", ""),
        "phase": tree.phase_of(workflow),
        **{key: status.get(key) for key in keys},
    }


def show(folder: Folder, name: str, *, form: str | None = None) -> None:
    """Print a workflow's tree, why it failed, and what it gave out; as json or yaml the whole of it, or its name.

    Raises DeskError.
    """
    workflow = folder.workflow(name)
    if form is not None:
        print(name if form == "name" else text_of(whole(workflow), as_yaml=form == "yaml").rstrip("\n"))
        return
    console = screen.console()
    screen.draw(picture(workflow, width=console.width, encoding=sys.stdout.encoding), on=console)
    for text in reasons(workflow, LogReader(folder.path)):
        print(text)
    for heading, value in _outputs(folder, workflow):
        print(screen.shown(f"{heading}: {value}"))
    print(screen.shown(verdict(workflow)))


def _outputs(folder: Folder, workflow: Json) -> Iterator[tuple[str, Any]]:
    """The workflow's global outputs and those of its entrypoint."""
    status = workflow.get("status") or {}
    entry = (status.get("nodes") or {}).get(workflow["metadata"]["name"]) or {}
    seen = set()
    for outputs in (status.get("outputs") or {}, entry.get("outputs") or {}):
        for parameter in outputs.get("parameters") or ():
            if parameter["name"] not in seen:
                seen.add(parameter["name"])
                yield f"output {parameter['name']}", parameter.get("value", "")
        for artifact in outputs.get("artifacts") or ():
            key = (artifact.get("s3") or {}).get("key")
            if key and artifact["name"] not in seen:
                seen.add(artifact["name"])
                yield f"artifact {artifact['name']}", folder.path / "artifacts" / key
