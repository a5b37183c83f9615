"""sprig's functions of lists: https://masterminds.github.io/sprig/lists.html."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestra_engine.language import LanguageError
from orchestra_engine.language.sprig.numbers import int64
from orchestra_engine.language.values import NilSlice, deeply_equal, distinct, kind_name, type_name

MUST = frozenset(
    [
        "append",
        "push",
        "prepend",
        "first",
        "rest",
        "last",
        "initial",
        "compact",
        "reverse",
        "uniq",
        "without",
        "has",
        "slice",
        "chunk",
    ]
)


def _items(value: Any, refusal: str) -> list[Any]:
    if value is None:
        raise LanguageError("runtime error: invalid memory address or nil pointer dereference")
    if not isinstance(value, list):
        raise LanguageError(refusal.format(kind_name(value)))
    return value


def empty(value: Any) -> bool:
    """Whether a value is nothing: nil, false, 0, "", an empty list or map."""
    if isinstance(value, str | list | dict):
        return not value
    return value is None or value is False or (isinstance(value, int | float) and value == 0)


def _chunk(size: int, value: Any) -> list[list[Any]]:
    items = _items(value, "Cannot chunk type {}")
    if size < 1:
        raise LanguageError("runtime error: makeslice: len out of range")
    return [items[i : i + size] for i in range(0, len(items), size)]


def _rest(value: Any) -> list[Any]:
    return _items(value, "Cannot find rest on type {}")[1:] if value else _nothing(value, "rest")


def _initial(value: Any) -> list[Any]:
    return _items(value, "Cannot find initial on type {}")[:-1] if value else _nothing(value, "initial")


def _nothing(value: Any, name: str) -> list[Any]:
    _items(value, f"Cannot find {name} on type {{}}")
    return NilSlice()


def _first(value: Any) -> Any:
    return items[0] if (items := _items(value, "Cannot find first on type {}")) else None


def _last(value: Any) -> Any:
    return items[-1] if (items := _items(value, "Cannot find last on type {}")) else None


def _uniq(value: Any) -> list[Any]:
    return distinct(_items(value, "Cannot find uniq on type {}"), deeply_equal)


def _without(value: Any, *unwanted: Any) -> list[Any]:
    items = _items(value, "Cannot find without on type {}")
    return [item for item in items if not any(deeply_equal(item, other) for other in unwanted)]


def _has(needle: Any, value: Any) -> bool:
    if value is None:
        return False
    return any(deeply_equal(needle, item) for item in _items(value, "Cannot find has on type {}"))


def _slice(value: Any, *bounds: Any) -> Any:
    items = _items(value, "list should be type of slice or array but {}")
    if not items:
        return None
    start = int64(bounds[0]) if bounds else 0
    stop = int64(bounds[1]) if len(bounds) > 1 else len(items)
    if not 0 <= start <= stop <= len(items):
        raise LanguageError("reflect.Value.Slice: slice index out of bounds")
    return items[start:stop]


def _concat(*values: Any) -> list[Any]:
    return [item for one in values for item in _items(one, "Cannot concat type {} as list")] or NilSlice()


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if not empty(value)), None)


def _default(default: Any, *given: Any) -> Any:
    return default if not given or empty(given[0]) else given[0]


FUNCTIONS: dict[str, tuple[str, Callable[..., Any]]] = {
    "all": ("any... > bool", lambda *v: not any(empty(x) for x in v)),
    "any": ("any... > bool", lambda *v: any(not empty(x) for x in v)),
    "append": ("any any > any[]", lambda v, x: [*_items(v, "Cannot push on type {}"), x]),
    "chunk": ("int any > [][]interface{}", _chunk),
    "coalesce": ("any... > any", _coalesce),
    "compact": ("any > any[]", lambda v: [x for x in _items(v, "Cannot compact on type {}") if not empty(x)]),
    "concat": ("any... > any", _concat),
    "default": ("any any... > any", _default),
    "empty": ("any > bool", empty),
    "first": ("any > any", _first),
    "has": ("any any > bool", _has),
    "initial": ("any > any[]", _initial),
    "last": ("any > any", _last),
    "list": ("any... > any[]", lambda *v: list(v)),
    "prepend": ("any any > any[]", lambda v, x: [x, *_items(v, "Cannot prepend on type {}")]),
    "push": ("any any > any[]", lambda v, x: [*_items(v, "Cannot push on type {}"), x]),
    "rest": ("any > any[]", _rest),
    "reverse": ("any > any[]", lambda v: _items(v, "Cannot find reverse on type {}")[::-1]),
    "slice": ("any any... > any", _slice),
    "ternary": ("any any bool > any", lambda yes, no, condition: yes if condition else no),
    "tuple": ("any... > any[]", lambda *v: list(v)),
    "uniq": ("any > any[]", _uniq),
    "without": ("any any... > any[]", _without),
    "deepEqual": ("any any > bool", deeply_equal),
    "kindIs": ("string any > bool", lambda name, v: kind_name(v) == name),
    "kindOf": ("any > string", kind_name),
    "typeIs": ("string any > bool", lambda name, v: type_name(v) == name),
    "typeIsLike": ("string any > bool", lambda name, v: type_name(v) in (name, "*" + name)),
    "typeOf": ("any > string", type_name),
}
