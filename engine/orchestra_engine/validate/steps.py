"""steps templates, as Argo's controller checks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestra_engine.validate import arguments, names, references
from orchestra_engine.validate.faults import InvalidSpec

if TYPE_CHECKING:
    from orchestra_engine.validate.templates import Known, TemplateCheck


def no_deadline(template: Mapping[str, Any], path: str) -> None:
    """activeDeadlineSeconds belongs to leaves."""
    if template.get("activeDeadlineSeconds") is not None:
        raise InvalidSpec(
            f"templates.{template.get('name', '')}.activeDeadlineSeconds is only valid for leaf templates",
            f"{path}.activeDeadlineSeconds",
        )


def check(check: TemplateCheck, template: Mapping[str, Any], scope: str, known: Known, path: str) -> None:
    """A steps template whose arguments have been put in. Raises InvalidSpec."""
    no_deadline(template, path)
    seen: set[str] = set()
    for index, group in enumerate(template["steps"]):
        for place, step in enumerate(group):
            _step(check, template, scope, known, seen, index, step, f"{path}.steps[{index}][{place}]")


def _step(
    check: TemplateCheck,
    template: Mapping[str, Any],
    scope: str,
    known: Known,
    seen: set[str],
    index: int,
    step: Mapping[str, Any],
    path: str,
) -> None:
    start, name = f"templates.{template.get('name', '')}.steps", step.get("name") or ""
    _name(f"{start}[{index}].name", name, seen, f"{path}.name")
    prefix, where = f"steps.{name}", f"{start}[{index}].{name}"
    known[f"{prefix}.status"] = True
    try:
        add_items(step, known, path)
    except InvalidSpec as error:
        raise error.within(where) from None
    arguments.check(f"{where}.arguments.", step.get("arguments") or {}, f"{path}.arguments")
    found = _resolved(check, step, scope, None, where, path)
    if step.get("onExit") or "exit" in (step.get("hooks") or {}):
        check.add_outputs(found, prefix, known, loop=False)
    hooks(step.get("hooks") or {}, where, f"{path}.hooks")
    own = dict(known)
    for parameter in ((step.get("inline") or {}).get("inputs") or {}).get("parameters") or []:
        own[f"inputs.parameters.{parameter['name']}"] = True
    try:
        references.check(dict(step), {**own, **check.globals}, path, template_alone=check.alone)
    except InvalidSpec as error:
        raise error.within(start) from None
    check.add_outputs(found, prefix, known, loop=bool(step.get("withItems") or step.get("withParam")))
    _resolved(check, step, scope, step.get("arguments") or {}, where, path)


def _name(where: str, name: str, seen: set[str], path: str) -> None:
    if not name:
        raise InvalidSpec(f"{where} is required", path)
    if name in seen:
        raise InvalidSpec(f"{where} '{name}' is not unique", path)
    wrong = names.step_faults(name)
    if wrong:
        raise InvalidSpec(f"{where} '{name}' is invalid: {wrong}", path)
    seen.add(name)


def _resolved(
    check: TemplateCheck, step: Mapping[str, Any], scope: str, given: Mapping[str, Any] | None, where: str, path: str
) -> dict[str, Any] | None:
    try:
        return check.holder(step, scope, given, path)
    except InvalidSpec as error:
        raise error.within(where) from None


def hooks(found: Mapping[str, Any], start: str, path: str) -> None:
    """Hooks other than the exit handler need an expression."""
    for name, hook in sorted(found.items()):
        if name != "exit" and not (hook or {}).get("expression"):
            raise InvalidSpec(f"{start}.{name} Expression required", f"{path}.{name}")


def add_items(step: Mapping[str, Any], known: Known, path: str) -> None:
    """Add to the known names what a loop's item has. Raises InvalidSpec for more than one kind of loop."""
    items, param, sequence = step.get("withItems"), step.get("withParam"), step.get("withSequence")
    if bool(items) + bool(param) + (sequence is not None) > 1:
        raise InvalidSpec("only one of withItems, withParam, withSequence can be specified", path)
    for item in items or []:
        if isinstance(item, dict):
            known |= {f"item.{key}": True for key in item}
        elif isinstance(item, list):
            known |= {f"item.[{i}]": True for i in range(len(item))}
        else:
            known["item"] = True
    if items and any(isinstance(item, dict | list) for item in items):
        known["item"] = True
    if param:
        known["item"] = known[references.ANY_ITEM] = True
    if sequence is not None:
        if sequence.get("count") is not None and sequence.get("end") is not None:
            raise InvalidSpec("only one of count or end can be defined in withSequence", f"{path}.withSequence")
        known["item"] = True
