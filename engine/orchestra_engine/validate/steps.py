"""A steps template: its steps in order, each with the template that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import leaves, names
from .leaves import inline_inputs

if TYPE_CHECKING:
    from .semantics import Validation

Template = Mapping[str, Any]


def check(validation: Validation, path: str, template: Template, scope: set[str], outer: str) -> None:
    """Look at all groups of steps, in Argo's order."""
    name, seen = template.get("name") or "", set()
    known = validation.known | {tag for tag in scope if tag.startswith("inputs.")}
    for group, steps in enumerate(template.get("steps") or ()):
        for number, step in enumerate(steps):
            where = f"{path}.steps[{group}][{number}]"
            title = step.get("name") or ""
            label = f"templates.{name}.steps[{group}]"
            if not title:
                validation.fail(f"{where}.name", f"{label}.name is required")
                continue
            if title in seen:
                validation.fail(f"{where}.name", f"{label}.name '{title}' is not unique")
            elif wrong := names.bad_field(names.settled(title, known)):
                validation.fail(f"{where}.name", f"{label}.name '{title}' is invalid: {wrong}")
            seen.add(title)
            scope.add(f"steps.{title}.status")
            _step(validation, where, f"templates.{name}.steps", f"{label}.{title}", step, scope, outer)


def _step(
    validation: Validation, where: str, all_steps: str, label: str, step: Mapping[str, Any], scope: set[str], outer: str
) -> None:
    title = step["name"]
    with validation.within(f"{label} "):
        leaves.loop(validation, where, step, scope)
    arguments = step.get("arguments") or {}
    validation.arguments(f"{where}.arguments", f"{label}.arguments.", arguments)
    with validation.within(f"{label} "):
        resolved = validation.holder(where, step, None, outer)
    if step.get("onExit") or "exit" in (step.get("hooks") or {}):
        validation.add_outputs(resolved, "steps", title, scope)
    validation.hooks(step.get("hooks"), f"{where}.hooks", label)
    local = scope | inline_inputs(step)
    for message in names.unresolved(step, local, validation.known):
        validation.fail(where, f"{all_steps} {message}")
    loops = bool(step.get("withItems") or step.get("withParam"))
    validation.add_outputs(resolved, "steps", title, scope, aggregate=loops)
    with validation.within(f"{label} "):
        validation.holder(where, step, arguments, outer)
