"""dag templates, as Argo's controller checks them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from orchestra_engine.operate import depends
from orchestra_engine.validate import arguments, names, references
from orchestra_engine.validate.faults import InvalidSpec
from orchestra_engine.validate.steps import add_items, hooks, no_deadline

if TYPE_CHECKING:
    from orchestra_engine.validate.templates import Known, TemplateCheck

Needs = dict[str, dict[str, bool]]


def check(check: TemplateCheck, template: Mapping[str, Any], scope: str, known: Known, path: str) -> None:
    """A dag template whose arguments have been put in. Raises InvalidSpec."""
    no_deadline(template, path)
    name = template.get("name", "")
    listed = template["dag"].get("tasks") or []
    where = f"{path}.dag.tasks"
    if not listed:
        raise InvalidSpec(f"templates.{name} must have at least one task", where)
    tasks = {task.get("name") or "": task for task in listed}
    paths = {task.get("name") or "": f"{where}[{i}]" for i, task in enumerate(listed)}
    needs: Needs = {n: depends.logic(t, lambda one: tasks.get(one, {}))[0] for n, t in tasks.items()}
    order = _sorted(name, [t.get("name") or "" for t in listed], needs, where)
    try:
        names.check(listed, where)
    except InvalidSpec as error:
        raise InvalidSpec(f"templates.{name}.tasks{error.message}", error.path) from None
    found = {one: _task(check, template, scope, known, tasks, needs, one, paths[one]) for one in order}
    _targets(check, template, known, tasks, path)
    for one in order:
        _references(check, template, scope, known, tasks, needs, found, one, paths[one])


def _sorted(name: str, listed: list[str], needs: Needs, path: str) -> list[str]:
    seen: set[str] = set()
    for task in listed:
        if task in seen:
            raise InvalidSpec(f"templates.{name} sorting failed: duplicated nodeName {task}", path)
        seen.add(task)
    for index, task in enumerate(listed):
        for one in needs[task]:
            if one not in seen:
                raise InvalidSpec(f"templates.{name} sorting failed: invalid dependency {one}", f"{path}[{index}]")
    missing = {task: len(needs[task]) for task in listed}
    after: dict[str, list[str]] = {}
    for task in listed:
        for one in needs[task]:
            after.setdefault(one, []).append(task)
    ready = [task for task in listed if not missing[task]]
    for task in ready:
        for one in after.get(task, ()):
            missing[one] -= 1
            if not missing[one]:
                ready.append(one)
    if len(ready) < len(listed):
        raise InvalidSpec(f"templates.{name} sorting failed: graph with cycle", path)
    return ready


def _task(
    check: TemplateCheck,
    template: Mapping[str, Any],
    scope: str,
    known: Known,
    tasks: Mapping[str, Mapping[str, Any]],
    needs: Needs,
    one: str,
    path: str,
) -> dict[str, Any] | None:
    name, task = template.get("name", ""), tasks[one]
    start, uses = f"templates.{name}.tasks.{one}", any(t.get("depends") for t in tasks.values())
    if (uses or task.get("dependencies")) and one[:1].isdigit():
        raise InvalidSpec(
            f"{start} name cannot begin with a digit when using either 'depends' or 'dependencies'", f"{path}.name"
        )
    if uses and task.get("dependencies"):
        raise InvalidSpec(
            f"templates.{name} cannot use both 'depends' and 'dependencies' in the same DAG template",
            f"{path}.dependencies",
        )
    if uses and task.get("continueOn") is not None:
        raise InvalidSpec(
            f"templates.{name} cannot use 'continueOn' when using 'depends'. "
            "Instead use 'dep-task.Failed'/'dep-task.Errored'",
            f"{path}.continueOn",
        )
    found = _resolved(check, task, scope, None, start, path)
    loop = bool(task.get("withItems") or task.get("withParam"))
    check.add_outputs(found, f"tasks.{one}", known, loop=loop)
    wrong = depends.unknown_result(task)
    if wrong:
        raise InvalidSpec(f"{start} task result '{wrong[1]}' for task '{wrong[0]}' is invalid", f"{path}.depends")
    for other, by_items in needs[one].items():
        before = tasks[other]
        if by_items and not (before.get("withItems") or before.get("withParam") or before.get("withSequence")):
            raise InvalidSpec(
                f"templates.{name}.tasks.{other} dependency '{other}' uses an items-based condition such as "
                ".AnySucceeded or .AllFailed but does not contain any items",
                f"{path}.depends",
            )
    return found


def _resolved(
    check: TemplateCheck, task: Mapping[str, Any], scope: str, given: Mapping[str, Any] | None, start: str, path: str
) -> dict[str, Any] | None:
    try:
        return check.holder(task, scope, given, path)
    except InvalidSpec as error:
        raise error.within(start) from None


def _targets(
    check: TemplateCheck, template: Mapping[str, Any], known: Known, tasks: Collection[str], path: str
) -> None:
    target = template["dag"].get("target") or ""
    if not target:
        return
    where = f"{path}.dag.target"
    try:
        references.check(target, {**known, **check.globals}, where, template_alone=check.alone)
    except InvalidSpec as error:
        raise error.within(f"templates.{template.get('name', '')}.targets") from None
    for one in target.split(" "):
        if not references.is_parameter(one) and one not in tasks:
            raise InvalidSpec(f"templates.{template.get('name', '')}.targets: target '{one}' is not defined", where)


def _references(
    check: TemplateCheck,
    template: Mapping[str, Any],
    scope: str,
    known: Known,
    tasks: Mapping[str, Mapping[str, Any]],
    needs: Needs,
    found: Mapping[str, dict[str, Any] | None],
    one: str,
    path: str,
) -> None:
    task, start = tasks[one], f"templates.{template.get('name', '')}.tasks.{one}"
    if task.get("hooks") is not None:
        known[f"tasks.{one}.status"] = True
    check.add_outputs(found[one], f"tasks.{one}", known, loop=False)
    own = dict(known)
    ancestors = _ancestors(one, needs)
    for other in ancestors:
        loop = bool(tasks[other].get("withItems") or tasks[other].get("withParam"))
        check.add_outputs(found[other], f"tasks.{other}", own, loop=loop, ancestor=True)
    for parameter in ((task.get("inline") or {}).get("inputs") or {}).get("parameters") or []:
        own[f"inputs.parameters.{parameter['name']}"] = True
    try:
        add_items(task, own, path)
        references.check(dict(task), {**own, **check.globals}, path, template_alone=check.alone)
    except InvalidSpec as error:
        raise error.within(start) from None
    hooks(task.get("hooks") or {}, start, f"{path}.hooks")
    arguments.check(f"{start}.arguments.", task.get("arguments") or {}, f"{path}.arguments")
    _dependencies(task.get("arguments") or {}, ancestors, start, f"{path}.arguments")
    _resolved(check, task, scope, task.get("arguments") or {}, start, path)


def _ancestors(one: str, needs: Needs) -> set[str]:
    found: set[str] = set()
    todo = list(needs[one])
    while todo:
        other = todo.pop()
        if other not in found:
            found.add(other)
            todo += needs[other]
    return found


def _dependencies(given: Mapping[str, Any], ancestors: Collection[str], start: str, path: str) -> None:
    for group, field, word in (("parameters", "value", "parameter"), ("artifacts", "from", "artifact")):
        for index, item in enumerate(given.get(group) or []):
            text = item.get(field)
            if isinstance(text, str) and text.startswith("{{tasks."):
                other = text.split(".")[1]
                if other not in ancestors:
                    raise InvalidSpec(
                        f"{start} missing dependency '{other}' for {word} '{item['name']}'", f"{path}.{group}[{index}]"
                    )
