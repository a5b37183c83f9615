"""The builtins of expr-lang that take values: https://expr-lang.org/docs/language-definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestra_engine.language.expr.collections import COLLECTIONS
from orchestra_engine.language.expr.figures import FIGURES
from orchestra_engine.language.expr.moments import MOMENTS
from orchestra_engine.language.expr.texts import TEXTS
from orchestra_engine.language.gotime import Location
from orchestra_engine.language.values import go_text, kind_name, type_name


def _type(value: Any) -> str:
    """The name that expr-lang's type() gives: a kind, or the package and name of a type that has one."""
    name = type_name(value)
    if isinstance(value, Location):
        return "time.Location"
    if name.startswith("time."):
        return name
    kinds = {"invalid": "nil", "int64": "int", "float64": "float", "uint8": "uint", "slice": "array"}
    return kinds.get(kind_name(value), kind_name(value))


REFUSED_BUILTINS = frozenset(("now",))
BUILTINS: dict[str, Callable[..., Any]] = {
    "type": _type,
    "string": go_text,
    **FIGURES,
    **TEXTS,
    **COLLECTIONS,
    **MOMENTS,
}
