"""`argo retry`: a failed workflow runs again from where it failed, and keeps what succeeded.

As in Argo, the nodes that failed and all that came after them are removed and what encloses them runs again; a failed
node that something succeeded after (it was forgiven) is kept. With `--restart-successful` the same goes for the nodes
that are named, also in a workflow that succeeded. Unlike in Argo, waiting nodes that failed count too, all omitted
nodes of what runs again are removed, and so are its exit handlers and hooks: they run again with it; of a named attempt
all attempts are made again (Argo keeps a Retry node that succeeded, and so runs none).
Source of the rules: `FormulateRetryWorkflow` of Argo Workflows 4.1.2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from orchestra_engine.operate.context import Board, failed, is_final, rfc3339, seconds_of

_LEAVES = ("Pod", "Suspend", "Skipped")
_GROUPS = {"StepGroup": ".", "TaskGroup": "(", "Retry": "("}
_ENCLOSING = ("Steps", "DAG", *_GROUPS)
_AGAIN = ("shutdown", "suspend")

Node = dict[str, Any]


class NothingToRetry(ValueError):
    """The workflow has not failed, or nothing in it can be run again."""


class _Tree:
    """The nodes of a workflow and how they hang together."""

    def __init__(self, name: str, nodes: Mapping[str, Node]) -> None:
        self.name, self.nodes = name, nodes
        self.group: dict[str, str] = {}  # node id → step group, task group or Retry node that it belongs to
        for ident, node in nodes.items():
            mark = _GROUPS.get(node["type"])
            if mark is not None:
                for child in self.children(node):
                    if child["name"].startswith(node["name"] + mark) and not _hooked(child):
                        self.group[child["id"]] = ident

    def children(self, node: Mapping[str, Any]) -> Iterator[Node]:
        return (self.nodes[child] for child in node.get("children", ()) if child in self.nodes)

    def after(self, ident: str) -> set[str]:
        """A node and all that came after or below it."""
        found, todo = {ident}, [ident]
        while todo:
            for child in self.children(self.nodes[todo.pop()]):
                if child["id"] not in found:
                    found.add(child["id"])
                    todo.append(child["id"])
        return found

    def around(self, ident: str) -> Iterator[str]:
        """What encloses a node, from the inside: its attempts' node, its group, its boundary, and so on."""
        while ident:
            ident = self.group.get(ident) or self.nodes[ident].get("boundaryID", "")
            if ident not in self.nodes:
                return
            yield ident

    def of_exit_handler(self, node: Mapping[str, Any]) -> bool:
        """Whether a node is the workflow's exit handler or lies in it."""
        top: str = f"{self.name}.onExit"
        return bool(node["name"] == top or node["name"].startswith((f"{top}.", f"{top}[", f"{top}(")))

    def superseded(self, ident: str) -> bool:
        """Whether a node lies in a steps or dag attempt after which there was another one."""
        for each in (ident, *self.around(ident)):
            retry = self.nodes.get(self.group.get(each, ""), {})
            if retry.get("type") == "Retry" and self.nodes[each]["type"] in _ENCLOSING:
                attempts = [child["id"] for child in self.children(retry) if not _hooked(child)]
                if attempts[-1] != each:
                    return True
        return False

    def forgiven(self, ident: str, restarted: Collection[str]) -> bool:
        """Whether something succeeded after a failed node (for an attempt: after all the attempts), and stays so."""
        subject = self.group.get(ident, "")
        if self.nodes.get(subject, {}).get("type") != "Retry":
            subject = ident
        later = (self.nodes[each] for each in self.after(subject) if each not in restarted)
        return any(n["phase"] == "Succeeded" and n["type"] != "Container" and not _hooked(n) for n in later)

    def whole(self, ident: str) -> str:
        """What a node is removed with: a container's pod, an attempt's Retry node, else itself."""
        if self.nodes[ident]["type"] == "Container":
            pods = (pod for pod in self.nodes.values() if pod["type"] == "Pod" and ident in self.after(pod["id"]))
            ident = next((str(pod["id"]) for pod in pods), ident)
        around = self.group.get(ident, "")
        return around if self.nodes.get(around, {}).get("type") == "Retry" else ident


def _hooked(node: Mapping[str, Any]) -> bool:
    return bool((node.get("nodeFlag") or {}).get("hooked"))


def retry_workflow(
    workflow: Mapping[str, Any], now: float, *, expand_again: bool = False, restarted: Collection[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """The workflow as it runs again, and the ids of the nodes that were removed (their files have to go too).

    `now` is in seconds since 1970 UTC. With `expand_again`, because parameters have changed, loops and groups that run
    again are made anew. `restarted` are ids of nodes that run again even if they succeeded. Nothing given is changed.
    Raises NothingToRetry.
    """
    status: Mapping[str, Any] = workflow.get("status") or {}
    if status.get("phase") not in (("Failed", "Error", "Succeeded") if restarted else ("Failed", "Error")):
        raise NothingToRetry(
            f"only a workflow that has failed can be retried; it is {status.get('phase') or 'Pending'}"
        )
    tree = _Tree(workflow["metadata"]["name"], status.get("nodes") or {})
    removed, again = _plan(tree, {tree.whole(ident) for ident in restarted})
    if not removed and not again:
        raise NothingToRetry("no node of it can be run again; resubmit it")
    if expand_again:
        groups = [each for each in again if tree.nodes[each]["type"] in ("StepGroup", "TaskGroup")]
        removed |= {each for group in groups for each in tree.after(group) - {group}}
    kept = {
        ident: _pruned(_reset(node, now) if ident in again else node, removed)
        for ident, node in tree.nodes.items()
        if ident not in removed
    }
    spec = {key: value for key, value in workflow["spec"].items() if key not in _AGAIN}
    fresh = {**workflow, "spec": spec, "status": _status(workflow, status, kept, now)}
    return fresh, [ident for ident in tree.nodes if ident in removed]


def _plan(tree: _Tree, restarted: Collection[str]) -> tuple[set[str], set[str]]:
    """What is removed, and what encloses that and runs again."""
    removed = {ident for ident, node in tree.nodes.items() if tree.of_exit_handler(node)}
    again: set[str] = set()
    for ident, node in tree.nodes.items():
        if ident in removed:
            continue
        if ident not in restarted:
            if node["type"] not in _LEAVES or not failed(node):
                continue
            if tree.superseded(ident) or tree.forgiven(ident, restarted):
                continue
        removed |= tree.after(ident)
        again.update(tree.around(ident))
    top = tree.nodes.get(tree.name)
    if not again and top is not None and failed(top) and top["type"] in _ENCLOSING:
        again = {i for i, n in tree.nodes.items() if n["type"] in _ENCLOSING and failed(n) and not tree.superseded(i)}
    again -= removed
    for ident in again:
        removed |= _hooks(tree, tree.nodes[ident])
    removed |= {
        ident for ident, node in tree.nodes.items() if node["phase"] == "Omitted" and node.get("boundaryID") in again
    }
    return removed, again - removed


def _hooks(tree: _Tree, node: Mapping[str, Any]) -> set[str]:
    """The nodes of a node's own hooks and exit handler; those of the workflow's hooks stay, as in Argo."""
    if node["id"] == tree.name:
        return set()
    hooks = [child for child in tree.children(node) if _hooked(child) and child["name"].startswith(node["name"] + ".")]
    return {each for hook in hooks for each in tree.after(hook["id"])}


def _reset(node: Mapping[str, Any], now: float) -> Node:
    if not is_final(node) or node["phase"] == "Skipped":
        return dict(node)
    fresh = {key: value for key, value in node.items() if key not in ("message", "synchronizationStatus")}
    return {**fresh, "phase": "Running", "startedAt": rfc3339(now), "finishedAt": None}


def _pruned(node: Mapping[str, Any], removed: set[str]) -> Node:
    fresh = dict(node)
    for key in ("children", "outboundNodes"):
        if key in fresh:
            fresh[key] = [ident for ident in fresh[key] if ident not in removed]
    return fresh


def _status(
    workflow: Mapping[str, Any], status: Mapping[str, Any], nodes: Mapping[str, Node], now: float
) -> dict[str, Any]:
    """The status of a workflow that runs: with the counts that the core keeps while it does."""
    fresh = {key: value for key, value in status.items() if key not in ("finishedAt", "orchestra", "nodes")}
    board = Board(workflow["metadata"]["name"], {**fresh, "nodes": nodes}, now)
    created = seconds_of((workflow.get("metadata") or {}).get("creationTimestamp"))
    board.private["created"] = created or now
    for node in nodes.values():
        board._weigh(node, None)
    board.refresh_progress()
    return {**board.status, "phase": "Running", "message": "", "startedAt": rfc3339(now)}
