"""`depends` and `dependencies`: which tasks a task waits for, and whether it runs given how they ended."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestra_engine.language import LanguageError, expressions
from orchestra_engine.operate.loops import expands

RESULTS = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed")
OF_ITEMS = ("AnySucceeded", "AllFailed")
_NAME = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)")
_RESULT = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)")


def _expanded(name: str, task: Mapping[str, Any]) -> str:
    words = ["Succeeded", "Skipped", "Daemoned"]
    forgiven = task.get("continueOn") or {}
    if forgiven.get("error"):
        words.append("Errored")
    if forgiven.get("failed"):
        words.append("Failed")
    return "(" + " || ".join(f"{name}.{word}" for word in words) + ")"


def logic(task: Mapping[str, Any], find: Callable[[str], Mapping[str, Any]]) -> tuple[dict[str, bool], str]:
    """The tasks that a task depends on (True: by a result of its items), and the condition, bare names written out."""
    if task.get("depends"):
        text = task["depends"]
    else:
        text = " && ".join(_expanded(name, find(name)) for name in task.get("dependencies") or [])
    found: dict[str, bool] = {}
    pieces: list[str] = []
    at = 0
    for match in _NAME.finditer(text):
        if match[1] is not None:
            name, _, result = match[1].partition(".")
            found[name] = found.get(name, False) or result in OF_ITEMS
        else:
            found[match[2]] = False
            pieces += [text[at : match.start()], _expanded(match[2], find(match[2]))]
            at = match.end()
    return found, "".join(pieces) + text[at:]


def holds(condition: str, results: Mapping[str, Mapping[str, bool]]) -> bool:
    """Whether a task runs, given the results of those it depends on.

    Raises LanguageError with Argo's message.
    """
    text = condition.replace("-", "_")
    try:
        return expressions.evaluate_bool(text, {name.replace("-", "_"): value for name, value in results.items()})
    except LanguageError as error:
        raise LanguageError(f"unable to evaluate expression '{text}': {error}") from None


@dataclass(frozen=True)
class Plan:
    """A dag's tasks in an order in which each comes after those it depends on."""

    tasks: Mapping[str, dict[str, Any]]
    order: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]]
    conditions: Mapping[str, str]
    targets: tuple[str, ...]

    @cached_property
    def ends(self) -> frozenset[str]:
        """The targets, to be looked up."""
        return frozenset(self.targets)

    @cached_property
    def loops(self) -> tuple[str, ...]:
        """The tasks that are loops."""
        return tuple(name for name, task in self.tasks.items() if expands(task))

    def ancestors(self, name: str) -> set[str]:
        """All tasks that have to end before a task can start."""
        found: set[str] = set()
        todo = list(self.needs[name])
        while todo:
            one = todo.pop()
            if one not in found:
                found.add(one)
                todo += self.needs[one]
        return found


def plan(dag: Mapping[str, Any]) -> Plan:
    """The plan of a dag; without `target`, the targets are the tasks that no other depends on.

    Raises LanguageError for a target or a dependency that is not there.
    """
    tasks = {task["name"]: task for task in dag.get("tasks") or []}

    def find(name: str) -> Mapping[str, Any]:
        if name not in tasks:
            raise LanguageError(f"target {name} does not exist")
        return tasks[name]

    needs: dict[str, tuple[str, ...]] = {}
    conditions: dict[str, str] = {}
    for name, task in tasks.items():
        found, conditions[name] = logic(task, find)
        for dependency in found:
            find(dependency)
        needs[name] = tuple(found)
    if dag.get("target"):
        targets = tuple(name for name in dag["target"].split(" "))
        for name in targets:
            find(name)
    else:
        needed = {one for found in needs.values() for one in found}
        targets = tuple(sorted(name for name in tasks if name not in needed))
    return Plan(tasks, _order(targets, tasks, needs), needs, conditions, targets)


def _order(targets: tuple[str, ...], tasks: Mapping[str, Any], needs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    wanted: set[str] = set()
    todo = list(targets)
    while todo:
        one = todo.pop()
        if one not in wanted:
            wanted.add(one)
            todo += needs[one]
    missing = {name: len(needs[name]) for name in tasks if name in wanted}
    after: dict[str, list[str]] = {}
    for name in missing:
        for one in needs[name]:
            after.setdefault(one, []).append(name)
    ready = [name for name, count in missing.items() if not count]
    for name in ready:
        for one in after.get(name, ()):
            missing[one] -= 1
            if not missing[one]:
                ready.append(one)
    return tuple(ready)
