"""dag templates: tasks start when what they depend on has ended as they wish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import LanguageError
from orchestra_engine.operate import dag_task, graph, outputs, scope, step_group
from orchestra_engine.operate.context import completed, is_final
from orchestra_engine.operate.depends import Plan, plan
from orchestra_engine.operate.operation import Options
from orchestra_engine.operate.scope import Scope
from orchestra_engine.operate.templates import IdentityCache, text_of

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation, Work

_plans = IdentityCache()
_OPEN = 3


def execute(op: Operation, work: Work) -> dict[str, Any] | None:
    """Start what can start, and mark the node when its targets have ended.

    Raises LanguageError if the outputs cannot be put together.
    """
    board = op.board
    node = board.named(work.name)
    if node is None:
        node = op.make(work, "DAG", "Running")
    elif node["phase"] == "Pending":
        node = board.mark(node["id"], "Running")
    ident = node["id"]
    op.parents[ident] = work.template
    dag = work.template["dag"]
    found: Plan = _plans.get((dag,)) or _plans.put((dag,), plan(dag))
    options = Options(
        boundary=ident, on_exit=work.options.on_exit, results=graph.result_names(text_of(work.raw)), word="tasks"
    )
    visit = dag_task.Visit(op, work, found, options)
    todo = board.section("groups").get(ident, {"open": dict.fromkeys(found.order, 1)})["open"]
    left = {name: 1 for name in todo if not visit.task(name)}
    visit.close_groups()
    if is_final(board.nodes[ident]):
        return board.nodes[ident]
    if left and (todo != left or ident not in board.section("groups")):
        board.section("groups")[ident] = {"n": None, "open": left}
    return _assess(op, work, visit, ident)


def _assess(op: Operation, work: Work, visit: dag_task.Visit, ident: str) -> dict[str, Any]:
    board, found = op.board, visit.plan
    if board.count(ident, _OPEN):
        return board.nodes[ident]
    if op.shutdown and not work.options.on_exit:
        _lead_out(op, work, found, ident)
        return board.mark(ident, "Failed")
    phase = _phase(op, work, found, ident)
    if phase == "Running":
        return board.nodes[ident]
    if phase != "Succeeded":
        _lead_out(op, work, found, ident)
        return board.mark(ident, phase)
    visit.check_loops()
    for name in found.tasks:  # those of the tasks and not the dag's own, which are up to a dag around it
        outputs.publish(op, (board.named(f"{work.name}.{name}") or {}).get("outputs"))
    given = outputs.of_template(work.template, _final_scope(op, work, found)) if work.template.get("outputs") else None
    if given is not None:
        board.put(ident, "outputs", given)
    _lead_out(op, work, found, ident)  # a dag whose outputs fail leads nowhere
    return board.mark(ident, "Succeeded")


def _lead_out(op: Operation, work: Work, found: Plan, ident: str) -> None:
    ends = [op.board.named(f"{work.name}.{name}") for name in found.targets]
    graph.lead_out(op.board, ident, [node["id"] for node in ends if node is not None])


def _phase(op: Operation, work: Work, found: Plan, ident: str) -> str:
    """The dag's phase by its targets; one that was skipped or omitted has the phase of the branch that leads to it."""
    board = op.board
    phases = {board.id(f"{work.name}.{name}"): "" for name in found.targets}
    todo = [(child, "Succeeded") for child in board.nodes[ident].get("children", ())]
    seen = set(todo)
    for child, above in todo:
        node = board.nodes.get(child)
        if node is None:
            return "Running"
        branch = node["phase"] if completed(node) else above
        if child in phases and phases[child] not in ("Failed", "Error"):
            phases[child] = branch
        for below in _next(op, node):
            if (below, branch) not in seen:
                seen.add((below, branch))
                todo.append((below, branch))
    return _verdict(work, found, list(phases.values()))


def _next(op: Operation, node: Mapping[str, Any]) -> list[str]:
    """The nodes after a node. Of a Retry: those after its attempts, its hooks, and (where Argo stops) the tasks that
    are attached to a hook with a retryStrategy: passed over, they would keep the dag Running for ever."""
    children: list[str] = node.get("children", [])
    if node["type"] != "Retry":
        return children
    below: list[str] = []
    for child in reversed(children):
        attempt = op.board.nodes[child]
        flag = attempt.get("nodeFlag") or {}
        if flag.get("retried") and not flag.get("hooked"):
            below += attempt.get("children", ())
        else:
            below.append(child)
    return below


def _verdict(work: Work, found: Plan, phases: list[str]) -> str:
    fail_fast = work.template["dag"].get("failFast") is not False
    result = "Succeeded"
    for name, phase in zip(found.targets, phases, strict=True):
        if not phase:
            result = "Running"
            if not fail_fast:
                break
        elif phase in ("Failed", "Error") and not step_group.continues(found.tasks[name], phase):
            result = phase
            if fail_fast:
                break
    return result


def _final_scope(op: Operation, work: Work, found: Plan) -> Scope:
    seen = Scope(work.inputs)
    for name, task in found.tasks.items():
        node = op.board.named(f"{work.name}.{name}")
        if node is not None:
            add_task(op, seen, node, task, work.inner)
    return seen


def add_task(op: Operation, seen: Scope, node: dict[str, Any], task: Mapping[str, Any], where: str) -> None:
    """What can be referred to of a task that has ended. Raises LanguageError if a loop's results are no JSON."""
    prefix = f"tasks.{task['name']}"
    if node["type"] == "TaskGroup":
        scope.aggregate(seen, prefix, [op.board.nodes[c] for c in node.get("children", ()) if c in op.board.nodes])
    scope.add_node(seen, prefix, op.board, node)
    if node.get("outputs") is None and node["phase"] in ("Skipped", "Omitted"):
        try:
            _, template = op.library.find(where, task)
        except LanguageError:
            return
        scope.add_skipped(seen, prefix, node, template, with_artifacts=False)
