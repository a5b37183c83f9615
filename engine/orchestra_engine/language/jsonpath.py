"""JSONPath for Argo's `jsonpath(text, path)`: names, indices, slices, unions, wildcards, `..`, simple filters."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from orchestra_engine.language import LanguageError, gojson

_STEP = re.compile(
    r"""
    (?P<deep>\.\.)(?=[\w*\['"])
  | \.(?P<name>[\w$-]+) | (?P<first>(?<=\.\.)[\w$-]+) | \.?(?P<any>\*)
  | \[\s*'(?P<single>(?:[^'\\]|\\.)*)'\s*\] | \[\s*"(?P<double>(?:[^"\\]|\\.)*)"\s*\]
  | \[\s*(?P<wild>\*)\s*\]
  | \[\s*(?P<slice>-?\d*\s*:\s*-?\d*(?:\s*:\s*-?\d+)?)\s*\]
  | \[\s*(?P<union>(?:-?\d+|'[^']*'|"[^"]*")(?:\s*,\s*(?:-?\d+|'[^']*'|"[^"]*"))*)\s*\]
  | \[\?\(\s*@\.(?P<field>[\w.-]+)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>[^\])]+?))?\s*\)\]
    """,
    re.VERBOSE,
)
_MAX_FOUND = 100_000


@lru_cache(maxsize=512)
def _steps(path: str) -> tuple[tuple[str, Any], ...]:
    if not path.startswith("$"):
        raise LanguageError(f"invalid JSONPath selector '{path}' unexpected token '{path[:1]}' at index 0")
    found: list[tuple[str, Any]] = []
    at = 1
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            rest = path[at:].lstrip(".")
            raise LanguageError(
                f"invalid JSONPath selector '{path}' invalid token. '{rest}' does not match any token format"
            )
        found.append(_step(step))
        at = step.end()
    return tuple(found)


def _step(step: re.Match[str]) -> tuple[str, Any]:
    if step["deep"]:
        return "deep", None
    if step["any"] or step["wild"]:
        return "all", None
    for group in ("name", "first", "single", "double"):
        if step[group] is not None:
            return "key", step[group]
    if step["slice"] is not None:
        return "slice", tuple(int(p) if p.strip() else None for p in step["slice"].split(":"))
    if step["union"] is not None:
        parts = [part.strip() for part in step["union"].split(",")]
        keys = [part[1:-1] if part[0] in "'\"" else int(part) for part in parts]
        return ("key", keys[0]) if len(keys) == 1 else ("union", keys)
    return "filter", (step["field"].split("."), step["op"], step["value"])


def _get(value: Any, key: str | int) -> list[Any]:
    if isinstance(key, str):
        return [value[key]] if isinstance(value, dict) and key in value else []
    if isinstance(value, list) and -len(value) <= key < len(value):
        return [value[key]]
    return []


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value[k] for k in sorted(value)]
    return list(value) if isinstance(value, list) else []


def _descend(value: Any) -> list[Any]:
    found, todo = [], [value]
    while todo:
        one = todo.pop()
        if isinstance(one, list | dict):
            found.append(one)
            todo += reversed(_children(one))
    return found


def _keeps(value: Any, condition: tuple[list[str], str | None, str | None]) -> bool:
    names, operator, text = condition
    for name in names:
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    if operator is None or text is None:
        return value is not False and value is not None
    wanted: Any = text[1:-1] if text[:1] in "'\"" else gojson.loads(text)
    if operator in ("==", "!="):
        return (value == wanted) is (operator == "==")
    numbers = isinstance(value, int | float) and isinstance(wanted, int | float)
    if not numbers and not (isinstance(value, str) and isinstance(wanted, str)):
        return False
    return {"<": value < wanted, ">": value > wanted, "<=": value <= wanted, ">=": value >= wanted}[operator]


def query(path: str, data: Any) -> Any:
    """What a path finds: one value for a definite path, a list for one with wildcards, slices, unions or filters.

    Raises LanguageError if the path is wrong or a definite path leads nowhere.
    """
    values, many = [data], False
    for kind, detail in _steps(path.strip()):
        many = many or kind != "key"
        before = values[0] if values else None
        values = [found for value in values for found in _apply(kind, detail, value)]
        if len(values) > _MAX_FOUND:
            raise LanguageError(f"the path '{path}' finds more than {_MAX_FOUND} values")
        if not values and not many:
            raise _lost(before, detail)
    return values if many else values[0]


def _lost(value: Any, key: str | int) -> LanguageError:
    """Why a definite path leads nowhere."""
    wanted = "array slice" if isinstance(key, int) else "map"
    if isinstance(value, dict) and isinstance(key, str):
        return LanguageError(f"key: invalid token key '{key}' not found")
    if isinstance(value, list) and isinstance(key, int):
        return LanguageError("index: invalid token out of range")
    kinds = {dict: "map", str: "string", bool: "bool", list: "slice", type(None): "nil"}
    found = kinds.get(type(value), "float64")
    return LanguageError(
        f"{'index' if isinstance(key, int) else 'key'}: invalid token target. expected [{wanted}] got [{found}]"
    )


def _apply(kind: str, detail: Any, value: Any) -> list[Any]:
    if kind == "key":
        return _get(value, detail)
    if kind == "all":
        return _children(value)
    if kind == "deep":
        return _descend(value)
    if kind == "slice":
        return list(value[slice(*detail)]) if isinstance(value, list) else []
    if kind == "union":
        return [found for key in detail for found in _get(value, key)]
    return [item for item in _children(value) if _keeps(item, detail)]
