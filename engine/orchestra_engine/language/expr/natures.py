"""What is known of a value before an expression runs: its Go type, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from orchestra_engine.language.values import Function, Signature, type_name

_PREFIXES = (("[]", "slice"), ("map[", "map"), ("*", "ptr"), ("func(", "func"))
_NAMED = {
    "time.Duration": "int64",
    "time.Month": "int",
    "time.Weekday": "int",
    "time.Time": "struct",
    "interface {}": "interface",
}
_COLLECTED = ("slice", "map")


@lru_cache(maxsize=1024)
def _kind(name: str) -> str:
    found = next((kind for prefix, kind in _PREFIXES if name.startswith(prefix)), "")
    return found or _NAMED.get(name, name)


@dataclass(frozen=True, slots=True)
class Nature:
    """`name` is Go's name of the type, "" where it is unknown; `elem` the nature of a slice's items if known better.

    `function` is the signature of a function.
    """

    name: str = ""
    elem: Nature | None = None
    nil: bool = False
    function: Signature | None = None

    @property
    def kind(self) -> str:
        """The kind, as Go's reflect names it; "" of what is unknown and of nil."""
        return _kind(self.name)

    @property
    def unknown(self) -> bool:
        """Whether nothing can be said before it runs."""
        return self.name == "interface {}" or (not self.name and not self.nil)

    @property
    def integer(self) -> bool:
        """int, int64 or uint8 themselves, not a type made of them."""
        return self.name in ("int", "int64", "uint8")

    @property
    def number(self) -> bool:
        """An integer or float64."""
        return self.integer or self.name == "float64"

    @property
    def item(self) -> Nature:
        """The nature of a slice's or a map's items."""
        if self.elem is not None:
            return self.elem
        if self.kind not in _COLLECTED:
            return UNKNOWN
        return named(self.name[2:] if self.kind == "slice" else self.name.partition("]")[2])

    @property
    def key(self) -> Nature:
        """The nature of a map's keys."""
        return named(self.name[4:].partition("]")[0]) if self.kind == "map" else UNKNOWN

    def __str__(self) -> str:
        return self.name or "unknown"

    def assignable(self, to: Nature) -> bool:
        """Whether Go lets a value of this nature stand where one of the other is wanted."""
        if self.nil:
            return to.kind in ("ptr", "interface", "func", "map", "slice")
        return bool(self.name and to.name) and (to.kind == "interface" or self.name == to.name)

    def comparable(self, to: Nature) -> bool:
        """Whether `==` may be asked of the two."""
        if self.unknown or to.unknown or self.nil or to.nil or (self.number and to.number):
            return True
        return self.kind == to.kind == "slice" or self.assignable(to)


@lru_cache(maxsize=1024)
def named(name: str) -> Nature:
    """The nature of a type of which nothing else is known."""
    return Nature(name)


UNKNOWN = Nature()
NIL = Nature(nil=True)
BOOL, INT, FLOAT, STRING = Nature("bool"), Nature("int"), Nature("float64"), Nature("string")
TIME, DURATION, LOCATION = Nature("time.Time"), Nature("time.Duration"), Nature("*time.Location")
ARRAY, MAP = Nature("[]interface {}"), Nature("map[string]interface {}")


def array_of(item: Nature) -> Nature:
    """A slice of anything, of whose items more is known."""
    return Nature("[]interface {}", item)


_OFTEN: dict[type, Nature] = {str: STRING, dict: MAP, bool: BOOL, int: INT, float: FLOAT, type(None): NIL}


def nature_of(value: Any) -> Nature:
    """The nature of a value of the environment."""
    known = _OFTEN.get(type(value))
    if known is not None:
        return known
    if isinstance(value, Function):
        return Nature(value.go_type, function=value.signature)
    name = type_name(value)
    return UNKNOWN if name == "func" else named(name)


def promoted(left: Nature, right: Nature) -> Nature:
    """The nature of a sum, a difference or a product of numbers."""
    return FLOAT if "float64" in (left.name, right.name) else INT
