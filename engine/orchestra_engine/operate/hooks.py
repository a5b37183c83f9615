"""Lifecycle hooks of steps and tasks, and their exit handlers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
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


def lifecycle(
    op: Operation,
    scope: Scope,
    step: Mapping[str, Any],
    parent: Mapping[str, Any],
    where: str,
    options: Options,
    name: str,
) -> bool:
    """Run the hooks of a node whose expressions hold; whether all that were run have ended.

    Raises LanguageError for an expression that fails, NodeError for a hook that cannot run.
    """
    done = True
    for hook_name, hook in sorted((step.get("hooks") or {}).items()):
        if hook_name == "exit":
            continue
        node_name = f"{parent['name']}.hooks.{hook_name}"
        node = op.board.named(node_name)
        if node is not None and is_final(node):
            continue
        if node is None:
            env = expressions.environment(scope.with_globals(op.params))
            if not expressions.evaluate_bool(hook.get("expression", ""), env):
                continue
        arguments = hook.get("arguments") or {}
        outputs = (last_attempt(op.board, parent) or parent).get("outputs")
        if _given(hook) and outputs is not None:
            arguments = _arguments(op, scope, arguments, f"{options.word}.{name}", outputs)
        made = _run(op, node_name, hook, where, arguments, replace(options, flag=_HOOKED, word="steps"), parent)
        done = done and made is not None and is_final(made)
    return done


def on_exit(
    op: Operation,
    scope: Scope,
    step: Mapping[str, Any],
    parent: Mapping[str, Any],
    where: str,
    options: Options,
    name: str,
) -> bool:
    """Run the exit handler of a node that has ended; whether it has ended too (or there is none to run).

    Raises LanguageError for an expression that fails, NodeError for a handler that cannot run.
    """
    hook = exit_hook(op.spec, step)
    if hook is None or not op.may_run(True):
        return True
    node_name = f"{parent['name']}.onExit"
    node = op.board.named(node_name)
    if node is not None and is_final(node):
        return True
    if node is None and hook.get("expression"):
        env = expressions.environment(scope.with_globals(op.params))
        if not expressions.evaluate_bool(hook["expression"], env):
            return True
    arguments = hook.get("arguments") or {}
    if _given(hook):
        outputs = (last_attempt(op.board, parent) or parent).get("outputs")
        arguments = _arguments(op, scope, arguments, f"{options.word}.{name}", outputs)
    options = replace(options, flag=_HOOKED, on_exit=True, word="steps")
    made = _run(op, node_name, hook, where, arguments, options, parent)
    return made is not None and is_final(made)


def _run(
    op: Operation,
    node_name: str,
    hook: Mapping[str, Any],
    where: str,
    arguments: Mapping[str, Any],
    options: Options,
    parent: Mapping[str, Any],
) -> dict[str, Any] | None:
    try:
        made = op.execute(node_name, _holder(hook), where, arguments, options)
    except Blocked:
        return None
    finally:
        if op.board.named(node_name) is not None:
            op.board.add_child(parent["id"], op.board.id(node_name))
    return made


def _arguments(
    op: Operation, scope: Scope, arguments: Mapping[str, Any], prefix: str, outputs: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """A hook's arguments with what the node gave out put in; an exit code is not among it, as in Argo."""
    for parameter in (outputs or {}).get("parameters") or ():
        scope.params[f"{prefix}.outputs.parameters.{parameter['name']}"] = parameter.get("value", "")
    for artifact in (outputs or {}).get("artifacts") or ():
        scope.artifacts[f"{prefix}.outputs.artifacts.{artifact['name']}"] = artifact
    marked = scope.mark_absent(arguments)
    text = tags.replace(json.dumps(marked, ensure_ascii=False), scope.with_globals(op.params))
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
