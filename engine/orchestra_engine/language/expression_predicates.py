"""The builtins of expr-lang that take a predicate: `filter(list, {# > 2})` and its like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from orchestra_engine.language.expression_builtins import go_sorted, type_name

if TYPE_CHECKING:
    from orchestra_engine.language.expression_evaluator import Evaluation
    from orchestra_engine.language.expression_parser import Node

Predicate = Callable[["Evaluation", "Node"], Any]


def _items(run: Evaluation, node: Node) -> list[Any]:
    value = run.run(node.items[0])
    if isinstance(value, dict):
        return list(value.values())
    if not isinstance(value, list):
        raise run.fault(f"builtin {node.value} takes only array (got {type_name(value)})", node.items[0])
    return value


def _each(run: Evaluation, node: Node, *, which: int = 1, backwards: bool = False) -> Iterator[tuple[int, Any, Any]]:
    """Index, item and the predicate's value for each item."""
    items = _items(run, node)
    order = range(len(items) - 1, -1, -1) if backwards else range(len(items))
    for index in order:
        run.scopes.append({"item": items[index], "index": index})
        try:
            value = run.run(node.items[which]) if which < len(node.items) else items[index]
        finally:
            run.scopes.pop()
        yield index, items[index], value


def _truths(run: Evaluation, node: Node, *, backwards: bool = False) -> Iterator[tuple[int, Any, bool]]:
    for index, item, value in _each(run, node, backwards=backwards):
        if not isinstance(value, bool):
            raise run.fault(f"predicate should return boolean (got {type_name(value)})", node.items[-1])
        yield index, item, value


def _find(run: Evaluation, node: Node) -> Any:
    backwards = "Last" in node.value
    wants_index = node.value.endswith("Index")
    for index, item, value in _truths(run, node, backwards=backwards):
        if value:
            return index if wants_index else item
    return -1 if wants_index else None


def _group(run: Evaluation, node: Node) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for _, item, key in _each(run, node):
        groups.setdefault(key, []).append(item)
    return groups


def _sort(run: Evaluation, node: Node) -> list[Any]:
    keyed = [(key, index, item) for index, item, key in _each(run, node)]
    order = run.run(node.items[2]) if len(node.items) > 2 else "asc"
    found = go_sorted([key for key, _, _ in keyed], order)
    return [keyed[i][2] for i in found]


def _reduce(run: Evaluation, node: Node) -> Any:
    items = _items(run, node)
    if len(node.items) > 2:
        total, rest, first = run.run(node.items[2]), items, 0
    elif items:
        total, rest, first = items[0], items[1:], 1
    else:
        raise run.fault("reduce of empty array with no initial value", node)
    for index, item in enumerate(rest, first):
        run.scopes.append({"item": item, "index": index, "acc": total})
        total = run.run(node.items[1])
        run.scopes.pop()
    return total


def _sum(run: Evaluation, node: Node) -> Any:
    total: Any = 0
    for _, _, value in _each(run, node):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise run.fault(f"invalid operation: {type_name(total)} + {type_name(value)}", node)
        total += value
    return total


PREDICATES: dict[str, Predicate] = {
    "all": lambda run, node: all(value for _, _, value in _truths(run, node)),
    "none": lambda run, node: not any(value for _, _, value in _truths(run, node)),
    "any": lambda run, node: any(value for _, _, value in _truths(run, node)),
    "one": lambda run, node: sum(value for _, _, value in _truths(run, node)) == 1,
    "filter": lambda run, node: [item for _, item, value in _truths(run, node) if value],
    "map": lambda run, node: [value for _, _, value in _each(run, node)],
    "count": lambda run, node: sum(value for _, _, value in _truths(run, node)),
    "find": _find,
    "findIndex": _find,
    "findLast": _find,
    "findLastIndex": _find,
    "groupBy": _group,
    "sortBy": _sort,
    "reduce": _reduce,
    "sum": _sum,
}
