"""A workflow's nodes as a tree: what runs below what, phases, durations, messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orchestra.workflow.folder import Json

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
_HIDDEN = ("StepGroup",)


@dataclass
class Branch:
    """A node with what is shown below it."""

    node: Json
    below: list[Branch] = field(default_factory=list)

    @property
    def phase(self) -> str:
        return str(self.node.get("phase") or "Pending")


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


FINE = Symbols(dict(zip(PHASES, "◷●✔○○✖⚠", strict=True)), {})
PLAIN = Symbols(dict(zip(PHASES, ".>+--x!", strict=True)), str.maketrans("│├└─", "||`-"))


def symbols(encoding: str | None) -> Symbols:
    """The symbols that an encoding has."""
    try:
        "".join(FINE.phases.values()).encode(encoding or "ascii")
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
    nodes: dict[str, Json] = (workflow.get("status") or {}).get("nodes") or {}
    shown = {ident: Branch(node) for ident, node in nodes.items() if node.get("type") not in _HIDDEN}
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
    """The node that another is shown below: its retry, its loop, else its boundary."""
    name = str(node.get("name", ""))
    if name.endswith(")"):
        start = by_name.get(name[: _opening(name)])
        if start is not None and nodes[start].get("type") in ("Retry", "TaskGroup"):
            return start
    return node.get("boundaryID") or None


def _opening(name: str) -> int:
    """Where the last parenthesis of a name opens: names are `a(0)`, `a(0:item)`, `a(0:item)(1)`."""
    return name.rindex("(") if "(" in name else len(name)


def rows(tops: list[Branch]) -> Iterator[Row]:
    """The lines of the trees, from top to bottom."""
    for top in tops:
        yield Row("", top.node, not top.below)
        yield from _rows(top, "")


def _rows(branch: Branch, indent: str) -> Iterator[Row]:
    for number, child in enumerate(branch.below):
        last = number == len(branch.below) - 1
        yield Row(f"{indent}{'└─' if last else '├─'}", child.node, not child.below)
        yield from _rows(child, f"{indent}{'  ' if last else '│ '}")


def leaves(workflow: Json) -> list[Json]:
    """The nodes that ran something themselves or stand for something that did not run."""
    nodes: dict[str, Json] = (workflow.get("status") or {}).get("nodes") or {}
    return [node for node in nodes.values() if node.get("type") in ("Pod", "Suspend", "Skipped")]


def failing(workflow: Json) -> list[Json]:
    """The pods that failed, but for attempts of what succeeded later."""
    nodes: dict[str, Json] = (workflow.get("status") or {}).get("nodes") or {}
    by_name = {node.get("name", ""): node for node in nodes.values()}
    found = []
    for node in nodes.values():
        if node.get("type") != "Pod" or node.get("phase") not in UNHAPPY:
            continue
        if (node.get("nodeFlag") or {}).get("retried"):
            name = str(node["name"])
            retry = by_name.get(name[: _opening(name)], {})
            if retry.get("phase") == "Succeeded" or (retry.get("children") or [""])[-1] != node["id"]:
                continue
        found.append(node)
    return found


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
