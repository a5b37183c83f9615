"""One group of steps: which of its steps run, and when the group has ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import LanguageError, conditions, tags
from orchestra_engine.operate import hooks, loops
from orchestra_engine.operate.context import Blocked, NodeError, completed, failed, is_final
from orchestra_engine.operate.scope import Scope
from orchestra_engine.operate.templates import IdentityCache, text_of

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation, Options

_indexes = IdentityCache()

Parts = list[tuple[dict[str, Any], ...]]


def execute(
    op: Operation, group: list[dict[str, Any]], ident: str, where: str, scope: Scope, options: Options
) -> dict[str, Any]:
    """Start what can start in a group and mark it when all of it has ended; the group's node."""
    board = op.board
    node = board.nodes[ident]
    if is_final(node):
        return node
    entry = board.section("groups").get(ident)
    hooked = any(hooks.has_any(step) for step in group)
    if entry is not None and entry["n"] is None and op.collecting is None and not hooked:
        still = _unsettled(op, entry["open"])
        if not still and entry["open"]:
            return node
        if all(is_final(board.nodes[c]) for c in still):
            left = dict(entry["open"])
            for child in still:
                del left[child]
            return _settle(op, group, ident, left)
    try:
        parts = _parts(op, group, node, where, scope, options)
    except LanguageError as error:
        return board.mark(ident, "Error", str(error))
    visit = _Visit(op, group, ident, where, scope, options, parts)
    return visit.run(entry)


def _unsettled(op: Operation, looked: Mapping[str, int]) -> set[str]:
    """Those of a group's open nodes that something may have to be done for."""
    nodes = op.board.nodes
    near = looked if op.full else looked.keys() & op.board.dirty
    return {child for child in near if is_final(nodes[child]) or not op.rests(nodes[child])}


def _settle(op: Operation, group: Sequence[Mapping[str, Any]], ident: str, still: dict[str, int]) -> dict[str, Any]:
    """Keep what has not ended; if nothing is left, say how the group ended."""
    board = op.board
    if still:
        if board.section("groups").get(ident) != (fresh := {"n": None, "open": still}):
            board.section("groups")[ident] = fresh
        return board.nodes[ident]
    steps = {step["name"]: step for step in group}
    start = len(board.nodes[ident]["name"]) + 1
    for child in board.nodes[ident].get("children", ()):
        node = board.nodes[child]
        step = steps.get(node["name"][start:].partition("(")[0], {})
        if failed(node) and not continues(step, node["phase"]):
            return board.mark(ident, "Failed", f"child '{child}' failed")
    return board.mark(ident, "Succeeded")


def continues(step: Mapping[str, Any], phase: str) -> bool:
    """Whether `continueOn` forgives that phase."""
    forgiven = step.get("continueOn") or {}
    return bool(forgiven.get("error" if phase == "Error" else "failed"))


def resolve(step: Mapping[str, Any], scope: Scope, params: Mapping[str, str]) -> dict[str, Any]:
    """A step or task with the references to others replaced; hooks are left for later, a skipped one as it is.

    Raises LanguageError for what cannot be resolved.
    """
    body = {k: v for k, v in step.items() if k not in ("hooks", "inline")}
    values = scope.with_globals(params) if "{{" in text_of(step) else params
    when = step.get("when")
    if when:
        when = json.loads(tags.replace(json.dumps(when, ensure_ascii=False), values, strict=tags.nodes_only))
        try:
            if not conditions.evaluate(when):
                return {**step, "when": when}
        except LanguageError:
            # The condition may need the item of a loop, which is put in later.
            if not loops.expands(step):
                raise
    resolved = body if values is params else _filled(body, scope, values)
    if step.get("inline"):
        inline = json.dumps(step["inline"], ensure_ascii=False)
        if "{{" in inline:
            resolved["inline"] = json.loads(tags.replace(inline, values, strict=tags.nodes_only))
        else:
            resolved["inline"] = step["inline"]
    if step.get("hooks"):
        resolved["hooks"] = step["hooks"]
    artifacts = (resolved.get("arguments") or {}).get("artifacts")
    if artifacts and any(a.get("from") or a.get("fromExpression") for a in artifacts):
        found = hooks.resolve_artifacts(scope, artifacts, "unable to resolve references: ")
        resolved["arguments"] = {**resolved["arguments"], "artifacts": found}
    return resolved


def _filled(body: dict[str, Any], scope: Scope, values: Mapping[str, Any]) -> dict[str, Any]:
    if body.get("arguments"):
        body["arguments"] = scope.mark_absent(body["arguments"])
    found: dict[str, Any] = json.loads(
        tags.replace(json.dumps(body, ensure_ascii=False), values, strict=tags.nodes_only)
    )
    return found


def _parts(
    op: Operation, group: list[dict[str, Any]], node: Mapping[str, Any], where: str, scope: Scope, options: Options
) -> Parts:
    """The steps of a group with references resolved and loops expanded."""
    resolved = []
    for step in group:
        try:
            resolved.append(resolve(step, scope, op.params))
        except LanguageError as error:
            raise LanguageError(f"failed to resolve references: {error}") from None
    parts: Parts = []
    for step in resolved:
        if not loops.expands(step):
            parts.append((step,))
            continue
        found = loops.expand(step, scope.with_globals(op.params))
        if not found:
            _skipped(op, f"{node['name']}.{step['name']}", step, node, where, options, "Skipped, empty params")
        parts.append(found)
    return parts


def _skipped(
    op: Operation, name: str, step: Mapping[str, Any], group: Mapping[str, Any], where: str, options: Options, why: str
) -> None:
    if op.board.named(name) is None:
        made = op.board.create(
            name, "Skipped", scope=where, holder=step, boundary=options.boundary, phase="Skipped", flag={}, message=why
        )
        op.board.add_child(group["id"], made["id"])


class _Visit:
    """One look at a group whose steps are known."""

    def __init__(
        self,
        op: Operation,
        group: list[dict[str, Any]],
        ident: str,
        where: str,
        scope: Scope,
        options: Options,
        parts: Parts,
    ) -> None:
        self.op, self.group, self.ident, self.where = op, group, ident, where
        self.scope, self.options, self.parts = scope, options, parts
        self.prefix = op.board.nodes[ident]["name"] + "."
        self.hooked = any(hooks.has_any(step) for step in group)

    def run(self, entry: Mapping[str, Any] | None) -> dict[str, Any]:
        board = self.op.board
        begin = 0 if entry is None else entry["n"]
        looked = {} if entry is None else dict(entry["open"])
        for child in list(looked):
            if self.op.collecting is not None or not self.op.rests(board.nodes[child]):
                ended = self.step(self.step_of(board.nodes[child]))
                if ended is not None:
                    return ended
        total = sum(map(len, self.parts))
        reached = total if begin is None else begin
        if begin is not None:
            for step in islice(chain.from_iterable(self.parts), begin, None):
                outcome = self.made(step)
                if isinstance(outcome, dict):
                    return outcome
                if outcome is False:
                    break
                reached += 1
                looked[board.id(self.prefix + step["name"])] = 1
        return self.close(looked, reached, total)

    def close(self, looked: dict[str, int], reached: int, total: int) -> dict[str, Any]:
        board = self.op.board
        if is_final(board.nodes[self.ident]):
            return board.nodes[self.ident]
        try:
            still = {child: 1 for child in looked if child in board.nodes and not self.over(board.nodes[child])}
        except LanguageError as error:
            return board.mark(self.ident, "Error", str(error))
        except NodeError as error:
            return board.mark(self.ident, "Error", error.message)
        if reached < total:
            board.section("groups")[self.ident] = {"n": reached, "open": still}
            return board.nodes[self.ident]
        return _settle(self.op, self.group, self.ident, still)

    def step_of(self, node: Mapping[str, Any]) -> dict[str, Any]:
        name = node["name"][len(self.prefix) :]
        base = name.partition("(")[0]
        for part in self.parts:
            if part and part[0]["name"].partition("(")[0] == base:
                return _index(part)[name]
        return {"name": name}

    def made(self, step: dict[str, Any]) -> dict[str, Any] | bool:
        """True: the step has its node. False: it has to wait. A node: the group, which has ended by this."""
        op, name = self.op, self.prefix + step["name"]
        group = op.board.nodes[self.ident]
        try:
            proceed = conditions.evaluate(step.get("when") or "")
        except LanguageError as error:
            return self.refuse(step, name, str(error))
        if not proceed:
            _skipped(op, name, step, group, self.where, self.options, f"when '{step['when']}' evaluated false")
            return True
        ended = self.step(step)
        if ended is not None:
            return ended
        return op.board.named(name) is not None

    def refuse(self, step: Mapping[str, Any], name: str, message: str) -> dict[str, Any]:
        board = self.op.board
        if board.named(name) is None:
            board.create(
                name,
                "Skipped",
                scope=self.where,
                holder=step,
                boundary=self.options.boundary,
                phase="Error",
                flag={},
                message=message,
            )
        board.add_child(self.ident, board.id(name))
        return board.mark(self.ident, "Error", message)

    def step(self, step: dict[str, Any]) -> dict[str, Any] | None:
        """Execute a step; the group's node if that has ended the group."""
        op, name = self.op, self.prefix + step["name"]
        new = op.board.named(name) is None
        try:
            op.execute(name, step, self.where, step.get("arguments") or {}, self.options)
        except Blocked:
            return None
        except NodeError as error:
            op.board.add_child(self.ident, op.board.id(name))
            message = f"step group deemed errored due to child {name} error: {error.message}"
            return op.board.mark(self.ident, "Error", message)
        finally:
            if new and op.board.named(name) is not None:
                op.board.add_child(self.ident, op.board.id(name))
        return None

    def over(self, node: dict[str, Any]) -> bool:
        """Whether a step and its hooks have ended."""
        if node["type"] == "Skipped" or not self.hooked:
            return is_final(node)
        step = self.step_of(node)
        if not hooks.has_any(step):
            return is_final(node)
        self.scope.params[f"steps.{node['displayName']}.status"] = node["phase"]
        owner = hooks.Owner(self.op, self.scope, step, node, self.where, self.options)
        if not hooks.lifecycle(owner):
            return False
        node = self.op.board.nodes[node["id"]]
        return hooks.on_exit(replace(owner, node=node)) if completed(node) else is_final(node)


def _index(part: tuple[dict[str, Any], ...]) -> dict[str, dict[str, Any]]:
    if len(part) == 1:
        return {part[0]["name"]: part[0]}
    found = _indexes.get((part,))
    return found or _indexes.put((part,), {step["name"]: step for step in part})
