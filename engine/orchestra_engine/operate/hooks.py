"""Lifecycle hooks of steps and tasks, and their exit handlers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import LanguageError, expressions, tags
from orchestra_engine.operate.context import Blocked, is_final
from orchestra_engine.operate.scope import Scope, last_attempt

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation, Options

_HOOKED = {"hooked": True}


def has_any(step: Mapping[str, Any]) -> bool:
    """Whether a step or task has hooks or an exit handler."""
    return bool(step.get("hooks")) or bool(step.get("onExit"))


def exit_hook(spec: Mapping[str, Any], holder: Mapping[str, Any]) -> dict[str, Any] | None:
    """The exit handler of a step, a task or the workflow; without arguments of its own it gets the workflow's."""
    arguments = spec.get("arguments") or {}
    if holder.get("onExit"):
        return {"template": holder["onExit"], "arguments": arguments}
    hook = (holder.get("hooks") or {}).get("exit")
    if hook is None:
        return None
    return hook if _given(hook) else {**hook, "arguments": arguments}


def _given(hook: Mapping[str, Any]) -> bool:
    arguments = hook.get("arguments") or {}
    return bool(arguments.get("parameters") or arguments.get("artifacts"))


def _holder(hook: Mapping[str, Any]) -> dict[str, Any]:
    return {k: hook[k] for k in ("template", "templateRef") if hook.get(k)}


@dataclass(frozen=True)
class Owner:
    """A step or task that has hooks, and its node. `where` is the scope in which its templates are looked up."""

    op: Operation
    scope: Scope  # also takes in what the node gave out
    step: Mapping[str, Any]
    node: Mapping[str, Any]
    where: str
    options: Options


def lifecycle(owner: Owner) -> bool:
    """Run the hooks of a node whose expressions hold; whether all that were run have ended.

    Raises LanguageError for an expression that fails, NodeError for a hook that cannot run.
    """
    done = True
    for name, hook in sorted((owner.step.get("hooks") or {}).items()):
        node_name = f"{owner.node['name']}.hooks.{name}"
        node = owner.op.board.named(node_name)
        if name == "exit" or is_final(node) or (node is None and not _holds(owner, hook.get("expression", ""))):
            continue
        arguments = hook.get("arguments") or {}
        outputs = _outputs(owner)
        if _given(hook) and outputs is not None:
            arguments = _arguments(owner, arguments, outputs)
        made = _run(owner, node_name, hook, arguments, replace(owner.options, flag=_HOOKED, word="steps"))
        done = done and is_final(made)
    return done


def on_exit(owner: Owner) -> bool:
    """Run the exit handler of a node that has ended; whether it has ended too (or there is none to run).

    Raises LanguageError for an expression that fails, NodeError for a handler that cannot run.
    """
    hook = exit_hook(owner.op.spec, owner.step)
    if hook is None:
        return True
    node_name = f"{owner.node['name']}.onExit"
    node = owner.op.board.named(node_name)
    if node is None and not owner.op.may_run(True):
        return True
    if is_final(node) or (node is None and hook.get("expression") and not _holds(owner, hook["expression"])):
        return True
    arguments = hook.get("arguments") or {}
    if _given(hook):
        arguments = _arguments(owner, arguments, _outputs(owner))
    options = replace(owner.options, flag=_HOOKED, on_exit=True, word="steps")
    return is_final(_run(owner, node_name, hook, arguments, options))


def _holds(owner: Owner, expression: str) -> bool:
    env = expressions.environment(owner.scope.with_globals(owner.op.params))
    return expressions.evaluate_bool(expression, env)


def _outputs(owner: Owner) -> Mapping[str, Any] | None:
    """What the node, or its last attempt, gave out."""
    found: Mapping[str, Any] | None = (last_attempt(owner.op.board, owner.node) or owner.node).get("outputs")
    return found


def _run(
    owner: Owner, node_name: str, hook: Mapping[str, Any], arguments: Mapping[str, Any], options: Options
) -> dict[str, Any] | None:
    board = owner.op.board
    try:
        return owner.op.execute(node_name, _holder(hook), owner.where, arguments, options)
    except Blocked:
        return None
    finally:
        if board.named(node_name) is not None:
            board.add_child(owner.node["id"], board.id(node_name))


def _arguments(owner: Owner, arguments: Mapping[str, Any], outputs: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """A hook's arguments with what the node gave out put in; an exit code is not among it, as in Argo."""
    scope, prefix = owner.scope, f"{owner.options.word}.{owner.step['name']}"
    for parameter in (outputs or {}).get("parameters") or ():
        scope.params[f"{prefix}.outputs.parameters.{parameter['name']}"] = parameter.get("value", "")
    for artifact in (outputs or {}).get("artifacts") or ():
        scope.artifacts[f"{prefix}.outputs.artifacts.{artifact['name']}"] = artifact
    marked = scope.mark_absent(arguments)
    text = tags.replace(json.dumps(marked, ensure_ascii=False), scope.with_globals(owner.op.params))
    resolved = json.loads(text)
    if resolved.get("artifacts"):
        resolved["artifacts"] = resolve_artifacts(scope, resolved["artifacts"], "unable to resolve references: ")
    return resolved


def resolve_artifacts(scope: Scope, artifacts: list[dict[str, Any]], prefix: str = "") -> list[dict[str, Any]]:
    """Arguments' artifacts with `from` and `fromExpression` replaced by what they refer to.

    Raises LanguageError, with `prefix`, if one that is not optional leads nowhere.
    """
    found = []
    for artifact in artifacts:
        if not artifact.get("from") and not artifact.get("fromExpression"):
            found.append(artifact)
            continue
        try:
            resolved = scope.artifact(artifact)
        except LanguageError as error:
            if artifact.get("optional"):
                continue
            raise LanguageError(f"{prefix}{error}") from None
        if resolved is not None:
            resolved.pop("globalName", None)
            found.append({**resolved, "name": artifact["name"]})
    return found
