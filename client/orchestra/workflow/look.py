"""Looking at the workflows of a folder: lists, one of them, logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestra import screen
from orchestra.desk import DeskError
from orchestra.workflow import tree
from orchestra.workflow.folder import Folder, Json
from orchestra.workflow.status_file import whole
from orchestra.workflow.view import LogReader, picture, reasons, verdict

_LOOK_SECONDS = 0.2
_CHUNK = 65_536


def list_all(folder: Folder, *, as_json: bool) -> None:
    """Print the workflows, the newest first."""
    found = [folder.workflow(name) for name in folder.store().names()]
    found.sort(key=lambda one: str(one["metadata"].get("creationTimestamp")), reverse=True)
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
    screen.table(headings, rows, empty=f"There is no workflow in {folder.path}.")


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


def show(folder: Folder, name: str, *, as_json: bool) -> None:
    """Print a workflow's tree, why it failed, and what it gave out. Raises DeskError."""
    workflow = folder.workflow(name)
    if as_json:
        screen.print_json(whole(workflow))
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


# --- logs ----------------------------------------------------------------------------------------------------------
def logs(folder: Folder, name: str, node: str | None, *, container: str, follow: bool) -> None:
    """Print the logs of nodes, in the order in which they started. Raises DeskError."""
    done: dict[Path, int] = {}
    while True:
        workflow = folder.workflow(name)
        over = tree.finished(workflow) or not follow or not folder.led()
        chosen = _chosen(workflow, node)
        several = node is None and sum(one.get("type") == "Pod" for one in _nodes(workflow)) > 1
        for one in chosen:
            for part, path in LogReader(folder.path).files(workflow, one):
                if not container or part == container:
                    label = _label(one, part, several=several) if several or part else ""
                    done[path] = _copy(path, done.get(path, 0), label, whole=over)
        sys.stdout.buffer.flush()
        if over:
            break
        time.sleep(_LOOK_SECONDS)
    if follow and not tree.finished(workflow):
        screen.note(f"Nobody runs {name}: `orchestra workflow watch {name}` goes on with it.")


def _nodes(workflow: Json) -> list[Json]:
    found: dict[str, Json] = (workflow.get("status") or {}).get("nodes") or {}
    return list(found.values())


def _chosen(workflow: Json, node: str | None) -> list[Json]:
    pods = [one for one in _nodes(workflow) if one.get("type") == "Pod"]
    if node is None:
        return pods
    found = [one for one in pods if node in (one["id"], one["name"], one["displayName"])]
    if not found:
        known = ", ".join(one["displayName"] for one in pods[:10]) or "none yet"
        raise DeskError(f"no node {node} has run in {workflow['metadata']['name']} (there are: {known})")
    return found


def _label(node: Json, part: str, *, several: bool) -> str:
    name = str(node["displayName"]) if several else ""
    return screen.shown(" ".join(word for word in (name, part) if word))


def _copy(path: Path, offset: int, label: str, *, whole: bool) -> int:
    """Write what a log has beyond `offset`; with a label whole lines only, unless it is the end. The new offset."""
    with path.open("rb") as log:
        log.seek(offset)
        while data := log.read(_CHUNK):
            if label and not whole:
                data = data[: data.rfind(b"\n") + 1]
                if not data:
                    break
            if label:
                sys.stdout.buffer.writelines(f"{label}: ".encode() + line for line in _lines(data))
            else:
                sys.stdout.buffer.write(data)
            offset += len(data)
            log.seek(offset)
    return offset


def _lines(data: bytes) -> Iterator[bytes]:
    for line in data.splitlines(keepends=True):
        yield line if line.endswith(b"\n") else line + b"\n"
