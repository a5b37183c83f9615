"""The logs of a workflow's nodes, as `argo logs` prints them."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from orchestra import screen
from orchestra.desk import DeskError
from orchestra.workflow import tree
from orchestra.workflow.folder import Folder, Json
from orchestra.workflow.view import LogReader

_LOOK_SECONDS = 0.2
_CHUNK = 65_536
_MOST_LINE = 2**20  # bytes of a line that are held
_MAIN = "main"  # what Argo calls the container of a template that has one


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which logs, and what of them: of one node, one container, the last lines, lines with a text."""

    node: str | None = None
    container: str = ""
    tail: int | None = None
    grep: str = ""

    def has(self, part: str) -> bool:
        """Whether the log of a container is wanted."""
        return not self.container or self.container == (part or _MAIN)


def show(folder: Folder, name: str, choice: Choice, *, follow: bool) -> None:
    """Print the logs of nodes, in the order in which they started. Raises DeskError."""
    done: dict[Path, int] = {}
    while True:
        workflow = folder.workflow(name)
        over = tree.finished(workflow) or not follow or not folder.led()
        chosen = _chosen(workflow, choice.node)
        several = choice.node is None and sum(one.get("type") == "Pod" for one in _nodes(workflow)) > 1
        for one in chosen:
            for part, path in LogReader(folder.path).files(workflow, one):
                if choice.has(part):
                    label = _label(one, part, several=several) if several or part else ""
                    if path not in done:
                        done[path] = 0 if choice.tail is None else _begin_of_last(path, choice.tail)
                    done[path] = _copy(path, done[path], label, grep=choice.grep.encode(), whole=over)
        sys.stdout.buffer.flush()
        if over:
            break
        time.sleep(_LOOK_SECONDS)
    if follow and not tree.finished(workflow):
        screen.note(f"Nobody runs {name}: `orchestra workflow watch {name}` goes on with it.")


def _begin_of_last(path: Path, count: int) -> int:
    """Where the last `count` lines of a file begin; a newline at its end begins no line."""
    with path.open("rb") as log:
        size = at = log.seek(0, 2)
        found = 0
        while at > 0 and count:
            length = min(_CHUNK, at)
            at = log.seek(at - length)
            piece = log.read(length)
            end = length - (at + length == size)
            while (end := piece.rfind(b"\n", 0, end)) >= 0:
                found += 1
                if found == count:
                    return at + end + 1
        return 0 if count else size


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


def _copy(path: Path, offset: int, label: str, *, grep: bytes, whole: bool) -> int:
    """Write what a log has beyond `offset`, by lines only whole ones unless the log is `whole`. The new offset."""
    out, terminal = sys.stdout.buffer, sys.stdout.isatty()
    with path.open("rb") as log:
        log.seek(offset)
        if not (label or grep or terminal):
            shutil.copyfileobj(log, out)
            return log.tell()
        begins = True
        while line := log.readline(_MOST_LINE):
            ends = line.endswith(b"\n")
            if not ends and not whole and len(line) < _MOST_LINE:
                break
            offset += len(line)
            if grep in line:
                out.write(f"{label}: ".encode() if label and begins else b"")
                out.write(screen.harmless(line.decode(errors="replace")).encode() if terminal else line)
                out.write(b"" if ends or len(line) == _MOST_LINE else b"\n")
            begins = ends
    return offset
