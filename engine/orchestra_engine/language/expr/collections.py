"""expr-lang's builtins of lists and maps: https://expr-lang.org/docs/language-definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestra_engine.language import LanguageError
from orchestra_engine.language.expr.operators import to_int as number_to_int
from orchestra_engine.language.expr.sorting import sorted_indices
from orchestra_engine.language.gotext import (
    to_bytes,
)
from orchestra_engine.language.values import (
    AnyMap,
    NilSlice,
    Uint8,
    distinct,
    equal,
    go_text,
    kind_name,
    type_name,
)

_MAX_DEPTH = 1000


def _list(value: Any, verb: str) -> list[Any]:
    if not isinstance(value, list):
        raise LanguageError(f"cannot {verb} {kind_name(value)}")
    return value


def _mapping(value: Any, refusal: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise LanguageError(refusal.format(kind_name(value)))
    return value


def _length(value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise LanguageError(f"invalid argument for len (type {type_name(value)})")
    return len(value)


def _uniq(items: Any) -> list[Any]:
    return distinct(_list(items, "uniq"), equal)


def _concat(*lists: Any) -> list[Any]:
    found = [item for one in lists for item in _list(one, "concat")]
    return found or NilSlice()


def flattened(items: Any, depth: int = 0) -> list[Any]:
    """A list without lists in it.

    Raises LanguageError for what is no list, and for one nested too deep.
    """
    if depth > _MAX_DEPTH:
        raise LanguageError("recursion depth exceeded")
    found: list[Any] = []
    for item in _list(items, "flatten"):
        found += flattened(item, depth + 1) if isinstance(item, list) else [item]
    return found


def _get(container: Any, key: Any) -> Any:
    if isinstance(container, list | str):
        at = number_to_int(key)
        items = [Uint8(byte) for byte in to_bytes(container)] if isinstance(container, str) else container
        return items[at] if -len(items) <= at < len(items) else None
    if isinstance(container, dict):
        if not isinstance(container, AnyMap) and key is not None and not isinstance(key, str):
            name = type_name(key)
            raise LanguageError(f"reflect.Value.MapIndex: value of type {name} is not assignable to type string")
        return container.get(AnyMap.hashed(key) if isinstance(container, AnyMap) else key or "")
    return None


def _end(at: int) -> Callable[[Any], Any]:
    def call(items: Any) -> Any:
        if isinstance(items, str):
            return Uint8(to_bytes(items)[at]) if items else None
        return items[at] if isinstance(items, list) and items else None

    return call


def _take(items: Any, count: Any) -> list[Any]:
    found = _list(items, "take from")
    if not isinstance(count, int) or isinstance(count, bool):
        raise LanguageError(f"cannot take {kind_name(count)} elements")
    if count < 0:
        raise LanguageError("reflect.Value.Slice: slice index out of bounds")
    return found[:count]


def _pairs(items: Any) -> AnyMap:
    if not isinstance(items, list):
        raise LanguageError(f"cannot transform {go_text(items)} from pairs")
    found = AnyMap()
    for pair in items:
        if not isinstance(pair, list):
            raise LanguageError(f"invalid pair {go_text(pair)}")
        if len(pair) != 2:
            raise LanguageError(f"invalid pair length {go_text(pair)}")
        found[AnyMap.hashed(pair[0])] = pair[1]
    return found


def _sort(items: Any, *order: Any) -> list[Any]:
    values = items if isinstance(items, list) else NilSlice()
    direction = order[0] if order else "asc"
    if not isinstance(direction, str):
        raise LanguageError(f"sort order argument must be a string (got {type_name(direction)})")
    if direction not in ("asc", "desc"):
        raise LanguageError(f"invalid order {direction}, expected asc or desc")
    return [values[i] for i in sorted_indices(values, direction)] if isinstance(items, list) else values


def _in_order(value: dict[Any, Any]) -> list[tuple[Any, Any]]:
    """Keys and values, sorted if the keys are text: Go's own order is random."""
    if isinstance(value, AnyMap):
        return list(zip(value.names(), value.values(), strict=True))
    return sorted(value.items(), key=lambda pair: pair[0])


def _keys(value: Any) -> list[Any]:
    return [key for key, _ in _in_order(_mapping(value, "cannot get keys from {}"))]


def _values(value: Any) -> list[Any]:
    return [item for _, item in _in_order(_mapping(value, "cannot get values from {}"))]


def _to_pairs(value: Any) -> list[Any]:
    return [list(pair) for pair in _in_order(_mapping(value, "cannot transform {} to pairs"))]


COLLECTIONS: dict[str, Callable[..., Any]] = {
    "len": _length,
    "first": _end(0),
    "last": _end(-1),
    "get": _get,
    "take": _take,
    "keys": _keys,
    "values": _values,
    "toPairs": _to_pairs,
    "fromPairs": _pairs,
    "reverse": lambda v: _list(v, "reverse")[::-1],
    "uniq": _uniq,
    "concat": _concat,
    "flatten": flattened,
    "sort": _sort,
}
