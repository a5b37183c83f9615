"""The tasks of a dag: which depend on which, in what order Argo looks at them, what is wrong with that."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

_NAME = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)")
_RESULT = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?)\.([A-Z][a-zA-Z]+)")
RESULTS = ("Succeeded", "Failed", "Skipped", "Omitted", "Errored", "Daemoned", "AnySucceeded", "AllFailed")
_OF_ITEMS = ("AnySucceeded", "AllFailed")


def dependencies(task: Mapping[str, Any]) -> dict[str, bool]:
    """The tasks that a task depends on; True where it asks for the results of a loop's items."""
    if not task.get("depends"):
        return dict.fromkeys(task.get("dependencies") or (), False)
    found: dict[str, bool] = {}
    for match in _NAME.finditer(task["depends"]):
        name, _, result = match.group(0).partition(".") if match.group(1) else (match.group(0), "", "")
        if result in _OF_ITEMS:
            found[name] = True
        else:
            found[name] = False if not result else found.get(name, False)
    return found


def bad_results(task: Mapping[str, Any]) -> list[str]:
    """Argo's messages on the words after the dot in `depends`."""
    return [
        f"task result '{result}' for task '{name}' is invalid"
        for name, result in _RESULT.findall(task.get("depends") or "")
        if result not in RESULTS
    ]


def in_order(tasks: Sequence[Mapping[str, Any]]) -> tuple[list[int], str]:
    """The indices of the tasks, each after those that it depends on, and Argo's message if that cannot be."""
    index: dict[str, int] = {}
    for number, task in enumerate(tasks):
        name = task.get("name") or ""
        if name in index:
            return [], f"duplicated nodeName {name}"
        index[name] = number
    waits: list[int] = []
    after: dict[int, list[int]] = {}
    for number, task in enumerate(tasks):
        needed = dependencies(task)
        for name in needed:
            if name not in index:
                return [], f"invalid dependency {name}"
            after.setdefault(index[name], []).append(number)
        waits.append(len(needed))
    ready = deque(number for number, count in enumerate(waits) if count == 0)
    order = []
    while ready:
        order.append(number := ready.popleft())
        for follower in after.get(number, ()):
            waits[follower] -= 1
            if waits[follower] == 0:
                ready.append(follower)
    return (order, "") if len(order) == len(tasks) else ([], "graph with cycle")


def ancestors(name: str, needed: Mapping[str, Mapping[str, bool]]) -> set[str]:
    """All tasks that come before a task, directly or not."""
    found: set[str] = set()
    waiting = list(needed.get(name, ()))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += needed.get(one, ())
    return found
