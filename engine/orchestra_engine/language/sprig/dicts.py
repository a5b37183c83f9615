"""sprig's functions of dictionaries: https://masterminds.github.io/sprig/dicts.html. None changes what it is given.

Where Go's order of keys is random, theirs is sorted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestra_engine.language import LanguageError
from orchestra_engine.language.sprig.lists import empty
from orchestra_engine.language.sprig.text import text_of
from orchestra_engine.language.values import Strings, conversion_fault, type_name

_MAX_DEPTH = 500
MUST = frozenset(("merge", "mergeOverwrite", "deepCopy"))


def _merged(target: dict[str, Any], sources: tuple[Any, ...], *, over: bool, depth: int = 0) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise LanguageError("nested too deep")
    merged = dict(target or {})
    for source in sources:
        for key, value in (source or {}).items():
            if value is None and not over:
                continue
            mine = merged.get(key)
            if isinstance(mine, dict) and isinstance(value, dict):
                merged[key] = _merged(mine, (value,), over=over, depth=depth + 1)
            elif (over and not empty(value)) or empty(mine):
                merged[key] = value
    return merged


def _merge(target: dict[str, Any] | None, sources: tuple[Any, ...], *, over: bool) -> dict[str, Any] | None:
    merged = _merged(target or {}, sources, over=over)
    return None if target is None and all(source is None for source in sources) else merged


def _dig(*arguments: Any) -> Any:
    if len(arguments) < 3:
        raise LanguageError("dig needs at least three arguments")
    *keys, default, found = arguments
    for key in keys:
        if type_name(found) != "map[string]interface {}":
            raise LanguageError(conversion_fault(found, "map[string]interface {}"))
        if not isinstance(key, str):
            raise LanguageError(conversion_fault(key, "string"))
        if key not in found:
            return default
        found = found[key]
    return found


def _pairs(*items: Any) -> dict[str, Any]:
    return {text_of(items[i]): items[i + 1] if i + 1 < len(items) else "" for i in range(0, len(items), 2)}


def _keys(*dicts: dict[str, Any] | None) -> list[str]:
    return Strings(key for one in dicts for key in sorted(one or {}))


def _copy(value: Any) -> Any:
    if value is None:
        raise LanguageError("reflect: call of reflect.Value.Type on zero Value")
    return _copied(value)


def _copied(value: Any, depth: int = 0) -> Any:
    if depth > _MAX_DEPTH:
        raise LanguageError("nested too deep")
    if isinstance(value, dict):
        return type(value)((key, _copied(item, depth + 1)) for key, item in value.items())
    return type(value)(_copied(item, depth + 1) for item in value) if isinstance(value, list) else value


def _set(target: dict[str, Any] | None, key: str, value: Any) -> dict[str, Any]:
    if target is None:
        raise LanguageError("assignment to entry in nil map")
    return {**target, key: value}


FUNCTIONS: dict[str, tuple[str, Callable[..., Any]]] = {
    "deepCopy": ("any > any", _copy),
    "dict": ("any... > dict", _pairs),
    "dig": ("any... > any error", _dig),
    "get": ("dict string > any", lambda d, k: (d or {}).get(k, "")),
    "hasKey": ("dict string > bool", lambda d, k: k in (d or {})),
    "keys": ("dict... > string[]", _keys),
    "merge": ("dict dict... > any", lambda d, *more: _merge(d, more, over=False)),
    "mergeOverwrite": ("dict dict... > any", lambda d, *more: _merge(d, more, over=True)),
    "omit": ("dict string... > dict", lambda d, *ks: {k: v for k, v in (d or {}).items() if k not in ks}),
    "pick": ("dict string... > dict", lambda d, *ks: {k: d[k] for k in ks if k in (d or {})}),
    "pluck": ("string dict... > any[]", lambda k, *ds: [d[k] for d in ds if k in (d or {})]),
    "set": ("dict string any > dict", _set),
    "unset": ("dict string > dict", lambda d, k: None if d is None else {x: y for x, y in d.items() if x != k}),
    "values": ("dict > any[]", lambda d: [d[k] for k in sorted(d or {})]),
}
