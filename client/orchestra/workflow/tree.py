"""A workflow's nodes as a tree: what runs below what, phases, durations, messages."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = dict[str, Any]

FINAL = ("Succeeded", "Failed", "Error")
UNHAPPY = ("Failed", "Error")
PHASES = ("Pending", "Running", "Succeeded", "Skipped", "Omitted", "Failed", "Error")
STYLES = {
    "Pending": "dim",
    "Running": "cyan",
    "Succeeded": "green",
    "Skipped": "dim",
    "Omitted": "dim",
    "Failed": "red",
    "Error": "bold red",
}
# So begins what is said of nodes that something else ended: Argo's words for a stop, the engine's for the rest.
_STOPPED = ("workflow shutdown with strategy", "Stopped with strategy", "the workflow has ended")


@dataclass
class Branch:
    """A node with what is shown below it."""

    node: Json
    below: list[Branch] = field(default_factory=list)

    @property
    def group(self) -> bool:
        """Whether it is a group of steps, which run side by side."""
        return self.node.get("type") == "StepGroup"


@dataclass(frozen=True)
class Row:
    """One line of the tree."""

    indent: str
    node: Json
    leaf: bool


@dataclass(frozen=True)
class Symbols:
    """How phases and the lines of the tree are drawn: by phase, and a table for `str.translate`."""

    phases: Mapping[str, str]
    lines: Mapping[int, int]
    waiting: str  # of a suspend node that waits

    def of(self, node: Json) -> str:
        """The symbol of a node."""
        phase = str(node.get("phase") or "Pending")
        return self.waiting if is_suspended(node) else self.phases.get(phase, "?")


FINE = Symbols(dict(zip(PHASES, "◷●✔○○✖⚠", strict=True)), {}, "ǁ")
PLAIN = Symbols(dict(zip(PHASES, ".>+--x!", strict=True)), str.maketrans("│├└┬─", "||`+-"), "=")


def symbols(encoding: str | None) -> Symbols:
    """The symbols that an encoding has."""
    try:
        "".join((*FINE.phases.values(), FINE.waiting, "├└┬")).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN
    return FINE


def phase_of(workflow: Mapping[str, object]) -> str:
    """The workflow's phase, Pending before anybody has looked at it."""
    status = workflow.get("status")
    return str((status.get("phase") if isinstance(status, dict) else "") or "Pending")


def finished(workflow: Mapping[str, object]) -> bool:
    """Whether the workflow has come to its end."""
    return phase_of(workflow) in FINAL


def branches(workflow: Json) -> list[Branch]:
    """The nodes of a workflow as trees: its entrypoint, then exit handler and hooks."""
    return [each for top in _grown(workflow) for each in _visible(top)]


def _grown(workflow: Json) -> list[Branch]:
    """All nodes of a workflow as trees, those too that nobody draws."""
    nodes: dict[str, Json] = (workflow.get("status") or {}).get("nodes") or {}
    shown = {ident: Branch(node) for ident, node in nodes.items()}
    by_name = {node.get("name", ""): ident for ident, node in nodes.items()}
    tops = []
    for ident, branch in shown.items():
        parent = _parent(branch.node, nodes, by_name)
        if parent is not None and parent != ident and parent in shown:
            shown[parent].below.append(branch)
        else:
            tops.append(branch)
    return tops


def _parent(node: Json, nodes: Mapping[str, Json], by_name: Mapping[str, str]) -> str | None:
    """The node that another is shown below: its retry, its loop, its group of steps, else its boundary."""
    name = str(node.get("name", ""))
    if name.endswith(")"):
        start = by_name.get(name[: _opening(name)])
        if start is not None and nodes[start].get("type") in ("Retry", "TaskGroup"):
            return start
    boundary = str(node.get("boundaryID") or "")
    around = str(nodes.get(boundary, {}).get("name", ""))
    if node.get("type") != "StepGroup" and name.startswith(f"{around}["):
        return by_name.get(name[: name.find("]", len(around)) + 1], boundary)
    return boundary or None


def _opening(name: str) -> int:
    """Where the last parenthesis of a name opens: names are `a(0)`, `a(0:item)`, `a(0:item)(1)`."""
    return name.rindex("(") if "(" in name else len(name)


def _visible(branch: Branch) -> list[Branch]:
    """A branch as Argo draws it: no empty group of steps, and of a retry whose first attempt will do that attempt."""
    branch.below = [each for below in branch.below for each in _visible(below)]
    if branch.group and not branch.below:
        return []
    alone = branch.node.get("type") == "Retry" and len(branch.below) == 1 and not branch.node.get("message")
    return branch.below if alone else [branch]


def rows(tops: list[Branch]) -> Iterator[Row]:
    """The lines of the trees, from top to bottom. A group of steps has no line of its own: its steps fork."""
    for top in tops:
        yield Row("", top.node, not top.below)
        yield from _rows(top.below, "")


def _rows(branches: list[Branch], indent: str) -> Iterator[Row]:
    for number, branch in enumerate(branches):
        last = number == len(branches) - 1
        here, beneath = f"{indent}{'└─' if last else '├─'}", f"{indent}{'  ' if last else '│ '}"
        if branch.group:
            yield from _fork(branch.below, here, beneath)
        else:
            yield Row(here, branch.node, not branch.below)
            yield from _rows(branch.below, beneath)


def _fork(branches: list[Branch], first: str, indent: str) -> Iterator[Row]:
    """The steps of one group: `first` stands before the first one, `indent` before the others."""
    for number, branch in enumerate(branches):
        last = number == len(branches) - 1
        fork = "──" if last else "┬─"
        here = f"{first}{fork}" if number == 0 else f"{indent}{'└─' if last else '├─'}"
        yield Row(here, branch.node, not branch.below)
        yield from _rows(branch.below, f"{indent}{'  ' if last else '│ '}")


def template_of(node: Json) -> str:
    """What a node ran, as Argo shows it: a template, or `workflow template/template`."""
    reference = node.get("templateRef") or {}
    return f"{reference.get('name')}/{reference.get('template')}" if reference else str(node.get("templateName") or "")


def leaves(workflow: Json) -> list[Json]:
    """The nodes that ran something themselves or stand for something that did not run."""
    nodes: dict[str, Json] = (workflow.get("status") or {}).get("nodes") or {}
    return [node for node in nodes.values() if node.get("type") in ("Pod", "Suspend", "Skipped")]


def is_suspended(node: Json) -> bool:
    """Whether a node waits for somebody, or for a time to pass."""
    return (node.get("type"), node.get("phase")) == ("Suspend", "Running")


def way_on(workflow: Json) -> str:
    """How a workflow that waits for somebody goes on; nothing if it does not wait, or only for a time to pass."""
    spec = workflow.get("spec") or {}
    delays = {each.get("name") for each in spec.get("templates") or () if (each.get("suspend") or {}).get("duration")}
    waiting = [node for node in leaves(workflow) if is_suspended(node)]
    asked = [node for node in waiting if node.get("templateName") not in delays]
    name = workflow["metadata"]["name"]
    resume = f"orchestra workflow resume {name}"
    for node in asked:
        parameters = (node.get("outputs") or {}).get("parameters") or ()
        sources = [(each["name"], each.get("valueFrom") or {}) for each in parameters if each.get("value") is None]
        if wanted := [each for each, source in sources if "supplied" in source and "default" not in source]:
            values = " ".join(f"-p {shlex.quote(each)}=VALUE" for each in wanted)
            return (
                f"{node['name']} waits for values: `{resume} --node {shlex.quote(node['name'])} {values}` gives them."
            )
    if asked or spec.get("suspend"):
        return f"{name} waits for somebody: `{resume}` lets it go on."
    return ""


def failing(workflow: Json) -> list[Json]:
    """The nodes that failed of themselves (no stop ended them), but for attempts that others came after.

    That are pods, and what went wrong without one: a loop over no list, a condition that cannot be read.
    """
    return [node for top in _grown(workflow) for node in _culprits(top)]


def _culprits(branch: Branch) -> Iterator[Json]:
    node, below = branch.node, branch.below
    own = node.get("phase") in UNHAPPY and not str(node.get("message") or "").startswith(_STOPPED)
    if node.get("type") == "Pod":
        if own:
            yield node
        return
    if node.get("type") == "Retry":
        attempts = [each for each in below if (each.node.get("nodeFlag") or {}).get("retried")]
        last = max(attempts, key=lambda each: _number(each.node), default=None)
        below = [each for each in below if each not in attempts or each is last]
        if node.get("phase") == "Succeeded":
            return
    for each in below:
        yield from _culprits(each)
    if own and node.get("message") and not any(each.node.get("phase") in UNHAPPY for each in below):
        yield node


def _number(attempt: Json) -> int:
    """The number of an attempt: its name ends with `(2)`."""
    number = str(attempt["name"])[:-1].rpartition("(")[2]
    return int(number) if number.isdigit() else -1


def duration(node: Mapping[str, object], now: datetime) -> str:
    """How long a node or workflow has taken, or takes so far: `3s`, `2m05s`, `1h02m`; empty if it has not begun."""
    if not node.get("startedAt"):
        return ""
    begin = datetime.fromisoformat(str(node["startedAt"]))
    end = datetime.fromisoformat(str(node["finishedAt"])) if node.get("finishedAt") else now
    seconds = max(0, int((end - begin).total_seconds()))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    return f"{seconds // 3600}h{seconds // 60 % 60:02d}m"
