"""steps templates: groups one after another, the steps of a group side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import LanguageError
from orchestra_engine.operate import graph, loops, outputs, scope, step_group
from orchestra_engine.operate.context import failed, is_final
from orchestra_engine.operate.operation import Options
from orchestra_engine.operate.scope import Scope
from orchestra_engine.operate.templates import text_of

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation, Work


def execute(op: Operation, work: Work) -> dict[str, Any] | None:
    """Bring the groups forward in order, up to the first that has not ended.

    Raises LanguageError if the results or the outputs cannot be put together.
    """
    board = op.board
    node = board.named(work.name)
    if node is None:
        node = op.make(work, "Steps", "Running")
    elif node["phase"] == "Pending":
        node = board.mark(node["id"], "Running")
    op.parents[node["id"]] = work.template
    options = Options(boundary=node["id"], on_exit=work.options.on_exit, results=graph.result_names(text_of(work.raw)))
    seen = Scope(work.inputs)
    scope.add_workflow_outputs(seen, board.status.get("outputs"))
    groups = work.template["steps"]
    named = graph.step_names(text_of(work.raw))
    for index, group in enumerate(groups):
        made = _group_node(op, work, node, index)
        made = step_group.execute(op, group, made["id"], work.inner, seen, options)
        if not is_final(made):
            return board.nodes[node["id"]]
        if failed(made):
            _lead_out(op, work, node["id"], len(groups))
            return board.mark(node["id"], "Failed", made.get("message", ""))
        for step in group:
            if step.get("inline") and loops.expands(step) and made.get("children"):
                raise LanguageError("failed to get a template")  # as Argo, which looks for it by the node's name for it
        _add_outputs(op, work, [step for step in group if named is None or step["name"] in named], made, seen)
    _lead_out(op, work, node["id"], len(groups))
    found = outputs.of_template(work.template, seen)
    if found is not None:
        board.put(node["id"], "outputs", found)
        outputs.publish(op, found)
    return board.mark(node["id"], "Succeeded")


def _group_node(op: Operation, work: Work, node: Mapping[str, Any], index: int) -> dict[str, Any]:
    board = op.board
    name = f"{work.name}[{index}]"
    group = board.named(name)
    if group is not None:
        return group
    group = board.create(name, "StepGroup", scope=work.inner, holder={}, boundary=node["id"], phase="Running", flag={})
    if index == 0:
        board.add_child(node["id"], group["id"])
        return group
    before = board.id(f"{work.name}[{index - 1}]")
    children = list(board.nodes[before].get("children", ()))
    if children:
        graph.connect(board, children, group["id"])
    else:
        board.add_child(before, group["id"])
    return group


def _lead_out(op: Operation, work: Work, ident: str, count: int) -> None:
    for index in range(count - 1, -1, -1):
        group = op.board.named(f"{work.name}[{index}]")
        if group is not None:
            graph.lead_out(op.board, ident, group.get("children", ()))
            return


def _add_outputs(op: Operation, work: Work, group: list[dict[str, Any]], made: Mapping[str, Any], seen: Scope) -> None:
    """What later groups can refer to of a group's steps; of a loop, the lists of its items' outputs."""
    for step in group:
        prefix = f"steps.{step['name']}"
        child = op.board.named(f"{made['name']}.{step['name']}")
        if child is None:
            start = f"{made['name']}.{step['name']}("
            items = [op.board.nodes[c] for c in made.get("children", ())]
            scope.aggregate(seen, prefix, [n for n in items if n["name"].startswith(start) and n["type"] != "Skipped"])
            scope.add_node(seen, prefix, op.board, made)
            continue
        scope.add_node(seen, prefix, op.board, child)
        if child.get("outputs") is None and child["phase"] in ("Skipped", "Omitted"):
            try:
                _, template = op.library.find(work.inner, step)
            except LanguageError:
                continue
            scope.add_skipped(seen, prefix, child, template, with_artifacts=True)
