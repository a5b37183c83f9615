"""A dag template: its tasks in the order of their dependencies, each looked at twice as Argo does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import leaves, names, tasks
from .leaves import inline_inputs

if TYPE_CHECKING:
    from .semantics import Validation

Template = Mapping[str, Any]


def check(validation: Validation, path: str, template: Template, scope: set[str], outer: str) -> None:
    """Look at all tasks, each after those that it depends on."""
    name, listed = template.get("name") or "", template["dag"].get("tasks") or ()
    where = f"{path}.dag.tasks"
    if not listed:
        validation.fail(where, f"templates.{name} must have at least one task")
        return
    order, wrong = tasks.in_order(listed)
    if wrong:
        validation.fail(where, f"templates.{name} sorting failed: {wrong}")
        return
    for number, message in names.check_list(
        listed, lambda title: names.bad_field(names.settled(title, validation.known | scope))
    ):
        validation.fail(f"{where}[{number}].name", f"templates.{name}.tasks{message}")
    needed = {task["name"]: tasks.dependencies(task) for task in listed}
    resolved = {}
    by_depends = any(task.get("depends") for task in listed)
    for number in order:
        task = listed[number]
        resolved[task["name"]] = _task(validation, f"{where}[{number}]", name, task, by_depends, scope, outer)
        _item_results(validation, f"{where}[{number}]", name, listed, needed[task["name"]])
    leaves.targets(validation, path, template, scope)
    by_name = {task["name"]: task for task in listed}
    for number in order:
        _task_again(validation, f"{where}[{number}]", name, listed[number], resolved, needed, by_name, scope, outer)


def _task(
    validation: Validation, where: str, dag: Any, task: Mapping[str, Any], by_depends: bool, scope: set[str], outer: str
) -> Template | None:
    title = task["name"]
    label = f"templates.{dag}.tasks.{title}"
    if (by_depends or task.get("dependencies")) and title[:1].isdigit():
        validation.fail(
            f"{where}.name", f"{label} name cannot begin with a digit when using either 'depends' or 'dependencies'"
        )
    if by_depends and task.get("dependencies"):
        validation.fail(
            f"{where}.dependencies",
            f"templates.{dag} cannot use both 'depends' and 'dependencies' in the same DAG template",
        )
    if by_depends and task.get("continueOn") is not None:
        validation.fail(
            f"{where}.continueOn",
            f"templates.{dag} cannot use 'continueOn' when using 'depends'. "
            "Instead use 'dep-task.Failed'/'dep-task.Errored'",
        )
    with validation.within(f"{label} "):
        resolved = validation.holder(where, task, None, outer)
    validation.add_outputs(
        resolved, "tasks", title, scope, aggregate=bool(task.get("withItems") or task.get("withParam"))
    )
    for message in tasks.bad_results(task):
        validation.fail(f"{where}.depends", f"{label} {message}")
    return resolved


def _item_results(
    validation: Validation, where: str, dag: Any, listed: Sequence[Mapping[str, Any]], needed: Mapping[str, bool]
) -> None:
    for other in listed:
        loops = other.get("withItems") or other.get("withParam") or other.get("withSequence") is not None
        if needed.get(other["name"]) and not loops:
            validation.fail(
                f"{where}.depends",
                f"templates.{dag}.tasks.{other['name']} dependency '{other['name']}' uses an items-based condition "
                "such as .AnySucceeded or .AllFailed but does not contain any items",
            )


def _task_again(
    validation: Validation,
    where: str,
    dag: Any,
    task: Mapping[str, Any],
    resolved: Mapping[str, Template | None],
    needed: Mapping[str, Mapping[str, bool]],
    by_name: Mapping[str, Mapping[str, Any]],
    scope: set[str],
    outer: str,
) -> None:
    title = task["name"]
    label = f"templates.{dag}.tasks.{title}"
    if task.get("hooks"):
        scope.add(f"tasks.{title}.status")
    validation.add_outputs(resolved[title], "tasks", title, scope)
    local = scope | inline_inputs(task)
    before = tasks.ancestors(title, needed)
    for name in before:
        loops = bool(by_name[name].get("withItems") or by_name[name].get("withParam"))
        validation.add_outputs(resolved[name], "tasks", name, local, aggregate=loops, before=True)
    with validation.within(f"{label} "):
        leaves.loop(validation, where, task, local)
        for message in names.unresolved(task, local, validation.known):
            validation.fail(where, message)
    arguments = task.get("arguments") or {}
    validation.arguments(f"{where}.arguments", f"{label}.arguments.", arguments)
    with validation.within(f"{label} "):
        leaves.argument_dependencies(validation, where, arguments, before)
        validation.holder(where, task, arguments, outer)
