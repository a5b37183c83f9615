"""The builtins of expr-lang that take a predicate: `filter(list, {# > 2})` and its like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import LanguageError
from orchestra_engine.language.expr.operators import add
from orchestra_engine.language.expr.sorting import sorted_indices
from orchestra_engine.language.gotext import to_bytes
from orchestra_engine.language.values import Groups, Uint8, conversion_fault, kind_name, type_name

if TYPE_CHECKING:
    from orchestra_engine.language.expr.evaluator import Evaluation
    from orchestra_engine.language.expr.tree import Node

NO_ITEM = object()
NOT_INDEXED = "reflect: call of reflect.Value.Index on map Value"
Predicate = Callable[["Evaluation", "Node"], Any]


def _items(run: Evaluation, node: Node) -> list[Any]:
    value = run.run(node.items[0])
    if isinstance(value, str):
        return [Uint8(byte) for byte in to_bytes(value)]
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [NO_ITEM] * len(value)
    shown = "zero" if value is None else kind_name(value)
    raise run.fault(f"reflect: call of reflect.Value.Len on {shown} Value", node)


def _real(run: Evaluation, node: Node, item: Any) -> Any:
    """An item that is needed itself.

    Raises LanguageError if it is one of a map, which Go counts but cannot index.
    """
    if item is NO_ITEM:
        raise run.fault(NOT_INDEXED, node)
    return item


def _each(run: Evaluation, node: Node, *, which: int = 1, backwards: bool = False) -> Iterator[tuple[int, Any, Any]]:
    """Index, item and the predicate's value for each item."""
    items = _items(run, node)
    order = range(len(items) - 1, -1, -1) if backwards else range(len(items))
    for index in order:
        run.scopes.append({"item": items[index], "index": index})
        try:
            value = run.run(node.items[which]) if which < len(node.items) else _real(run, node, items[index])
        finally:
            run.scopes.pop()
        yield index, items[index], value


def _truths(run: Evaluation, node: Node, *, backwards: bool = False) -> Iterator[tuple[int, Any, bool]]:
    for index, item, value in _each(run, node, backwards=backwards):
        if not isinstance(value, bool):
            raise run.fault(conversion_fault(value, "bool"), node)
        yield index, item, value


def _find(run: Evaluation, node: Node) -> Any:
    backwards = "Last" in node.value
    wants_index = node.value.endswith("Index")
    for index, item, value in _truths(run, node, backwards=backwards):
        if value:
            return index if wants_index else _real(run, node, item)
    return None


def _group(run: Evaluation, node: Node) -> Groups:
    groups = Groups()
    for _, item, key in _each(run, node):
        if isinstance(key, list | dict):
            raise run.fault(f"hash of unhashable type: {type_name(key)}", node)
        groups.setdefault(Groups.hashed(key), []).append(_real(run, node, item))
    return groups


def _sort(run: Evaluation, node: Node) -> list[Any]:
    direction = run.run(node.items[2]) if len(node.items) > 2 else "asc"
    if not isinstance(direction, str):
        raise run.fault("sortBy order argument must be a string", node)
    if direction not in ("asc", "desc"):
        raise run.fault("unknown order, use asc or desc", node)
    keyed = [(key, _real(run, node, item)) for _, item, key in _each(run, node)]
    try:
        found = sorted_indices([key for key, _ in keyed], direction)
    except LanguageError as error:
        raise run.fault(str(error), node) from None
    return [keyed[i][1] for i in found]


def _reduce(run: Evaluation, node: Node) -> Any:
    items = _items(run, node)
    if len(node.items) > 2:
        total, rest, first = run.run(node.items[2]), items, 0
    elif items:
        total, rest, first = _real(run, node, items[0]), items[1:], 1
    else:
        raise run.fault("reduce of empty array with no initial value", node)
    for index, item in enumerate(rest, first):
        run.scopes.append({"item": item, "index": index, "acc": total})
        total = run.run(node.items[1])
        run.scopes.pop()
    return total


def _sum(run: Evaluation, node: Node) -> Any:
    values = [value for _, _, value in _each(run, node)]
    # Of items that are written out as expressions the compiler makes additions, which text has too.
    items = node.items[0].items if len(node.items) == 1 and node.items[0].kind == "array" else []
    written = len(items) > 1 and any(item.kind != "constant" or item.value is None for item in items)
    total: Any = values.pop() if written else 0
    for value in reversed(values) if written else values:
        try:
            total = add(value, total)
        except LanguageError as error:
            raise run.fault(str(error), node) from None
    return total


PREDICATES: dict[str, Predicate] = {
    "all": lambda run, node: all(value for _, _, value in _truths(run, node)),
    "none": lambda run, node: not any(value for _, _, value in _truths(run, node)),
    "any": lambda run, node: any(value for _, _, value in _truths(run, node)),
    "one": lambda run, node: sum(value for _, _, value in _truths(run, node)) == 1,
    "filter": lambda run, node: [_real(run, node, item) for _, item, value in _truths(run, node) if value],
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
