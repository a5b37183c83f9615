"""Walks a checked tree over an environment, within bounds of steps and size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestra_engine.language import LanguageError, Refused
from orchestra_engine.language.expr.builtins import BUILTINS
from orchestra_engine.language.expr.lexer import located
from orchestra_engine.language.expr.methods import method
from orchestra_engine.language.expr.operators import OPERATIONS, to_int
from orchestra_engine.language.expr.predicates import NO_ITEM, NOT_INDEXED, PREDICATES
from orchestra_engine.language.expr.signatures import count_fault
from orchestra_engine.language.expr.tree import Node
from orchestra_engine.language.gotext import cut, size, to_bytes
from orchestra_engine.language.gotime import Duration, Location, Month, Time, Weekday
from orchestra_engine.language.values import (
    AnyMap,
    Bytes,
    Function,
    Groups,
    Ints,
    NilSlice,
    StringMap,
    Strings,
    Uint8,
    conversion_fault,
    go_text,
    is_number,
    type_name,
    wrapped,
)

_MAX_STEPS = 200_000
_MAX_TEXT = 4 * 2**20
_MAX_WEIGHT = 1_000_000
_MAX_NESTING = 400
_MAKERS = frozenset(("array", "map", "binary", "slice", "call", "builtin"))
_WITH_METHODS = (Time, Duration, Location, Month, Weekday)


class _ChainEnds(Exception):
    """A `?.` found nil: the chain it stands in is nil."""


class Evaluation:
    """One run of one expression. `names` holds what `let` declared, `scopes` the innermost predicate's pointers."""

    def __init__(self, source: str, env: Mapping[str, Any]) -> None:
        self.source, self.env = source, env
        self.names: dict[str, Any] = {}
        self.scopes: list[dict[str, Any]] = []
        self.steps = 0
        self.weights: dict[int, tuple[Any, int, int]] = {}  # by identity; the value is held, so that it stays its own

    def fault(self, message: str, node: Node) -> LanguageError:
        return located(message, self.source, node.at)

    def tick(self, node: Node, count: int = 1) -> None:
        self.steps += count
        if self.steps > _MAX_STEPS:
            raise Refused(str(self.fault(f"the expression takes more than {_MAX_STEPS} steps", node)))

    def run(self, node: Node) -> Any:
        self.tick(node)
        value = getattr(self, f"on_{node.kind}")(node)
        if isinstance(value, str) and len(value) > _MAX_TEXT:
            raise Refused(str(self.fault(f"the expression makes a text of more than {_MAX_TEXT} characters", node)))
        if node.kind in _MAKERS and isinstance(value, list | dict):
            self.weigh(value, node)
        return value

    def weigh(self, value: Any, node: Node) -> int:
        """The number of values in a value, however often a part of it is shared; each list is looked at once."""
        if isinstance(value, str):
            return 1 + len(value) // 16
        if not isinstance(value, list | dict):
            return 1
        known = self.weights.get(id(value))
        if known is None:
            items = value if isinstance(value, list) else value.values()
            self.tick(node, len(value) // 8)
            weight = 1 + sum([self.weigh(item, node) for item in items])
            depth = 1 + max([self.weights[id(item)][2] for item in items if id(item) in self.weights], default=0)
            known = self.weights[id(value)] = (value, weight, depth)
            if weight > _MAX_WEIGHT or depth > _MAX_NESTING:
                raise self.fault("memory budget exceeded", node)
        return known[1]

    def on_constant(self, node: Node) -> Any:
        return node.value

    def on_name(self, node: Node) -> Any:
        if node.value in self.names:
            return self.names[node.value]
        return self.env if node.value == "$env" else self.env.get(node.value)

    def on_pointer(self, node: Node) -> Any:
        scope = self.scopes[-1]
        value = scope.get({"": "item", "acc": "acc", "index": "index"}.get(node.value, ""))
        if value is NO_ITEM:
            raise self.fault(NOT_INDEXED, node)
        return value

    def on_sequence(self, node: Node) -> Any:
        value = None
        for item in node.items:
            value = self.run(item)
        return value

    def on_let(self, node: Node) -> Any:
        self.names[node.value] = self.run(node.items[0])
        try:
            return self.run(node.items[1])
        finally:
            del self.names[node.value]

    def truth(self, node: Node, at: Node) -> bool:
        """The value of a node that has to be true or false."""
        value = self.run(node)
        if not isinstance(value, bool):
            raise self.fault(conversion_fault(value, "bool"), at)
        return value

    def on_conditional(self, node: Node) -> Any:
        return self.run(node.items[1] if self.truth(node.items[0], node) else node.items[2])

    def on_array(self, node: Node) -> list[Any]:
        return [self.run(item) for item in node.items]

    def on_map(self, node: Node) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in zip(node.items[::2], node.items[1::2], strict=True):
            name = self.run(key)
            if not isinstance(name, str):
                raise self.fault(conversion_fault(name, "string"), node)
            given = self.run(value)
            found.setdefault(name, given)  # the first of two equal keys stays
        return found

    def on_unary(self, node: Node) -> Any:
        if node.value in ("not", "!"):
            return not self.truth(node.items[0], node)
        value = self.run(node.items[0])
        if node.value == "+":
            return value
        if not is_number(value):
            raise self.fault(f"invalid operation: - {type_name(value)}", node)
        return -value if isinstance(value, float) else wrapped(-value)

    def on_binary(self, node: Node) -> Any:
        operator, (left_node, right_node) = node.value, node.items
        if operator in ("&&", "and", "||", "or"):
            return self.logical(node, settles=operator in ("||", "or"))
        if operator == "??":
            left = self.run(left_node)
            return self.run(right_node) if left is None else left
        left, right = self.run(left_node), self.run(right_node)
        if isinstance(left, list | dict) or isinstance(right, list | dict):
            self.tick(node, (self.weigh(left, node) + self.weigh(right, node)) // 8)
        if operator == "in" and isinstance(right, list):
            right = self.keys_of(right_node, right)
        try:
            return OPERATIONS[operator](left, right)
        except LanguageError as error:
            raise self.fault(str(error), node) from None

    def keys_of(self, node: Node, items: list[Any]) -> Any:
        """A list of written texts, which the compiler makes a set of, so that nothing but a text may be looked up."""
        texts = node.kind == "array" and all(
            item.kind == "constant" and isinstance(item.value, str) for item in node.items
        )
        return dict.fromkeys(items) if texts and items else items

    def logical(self, node: Node, *, settles: bool) -> Any:
        """And, or; `settles` is the value that decides alone.

        Where a side is written as true or false, the compiler leaves the other side, whatever that is.
        """
        left, right = node.items
        for side, other in ((left, right), (right, left)):
            if side.kind == "constant" and side.value is not settles and isinstance(side.value, bool):
                return self.run(other)
        if any(side.kind == "constant" and side.value is settles for side in node.items):
            return settles
        found = self.truth(left, node)
        return found if found is settles else self.run(right)

    def on_chain(self, node: Node) -> Any:
        try:
            return self.run(node.items[0])
        except _ChainEnds:
            return None

    def on_member(self, node: Node) -> Any:
        base = self.run(node.items[0])
        if base is None and node.optional:
            raise _ChainEnds
        return self.fetch(node, base, self.run(node.items[1]))

    def fetch(self, node: Node, base: Any, key: Any) -> Any:
        if isinstance(base, _WITH_METHODS) and isinstance(key, str):
            found = method(base, key)
            if found is not None:
                return found
        if isinstance(key, str) and (member := getattr(base, "go_member", None)) and (found := member(key)):
            return found
        if isinstance(base, Mapping):
            return self.value_of(node, base, key)
        if isinstance(base, list | str):
            if not is_number(key):
                raise self.fault(f"invalid operation: int({'<nil>' if key is None else type_name(key)})", node)
            at, length = to_int(key), size(base) if isinstance(base, str) else len(base)
            at += length if at < 0 else 0
            if not 0 <= at < length:
                raise self.fault(f"index out of range: {at} (array length is {length})", node)
            return base[at] if isinstance(base, list) else Uint8(to_bytes(base)[at])
        raise self.fault(f"cannot fetch {go_text(key)} from {type_name(base)}", node)

    def value_of(self, node: Node, base: Mapping[Any, Any], key: Any) -> Any:
        if isinstance(base, AnyMap):
            try:
                return base.get(AnyMap.hashed(key), NilSlice() if isinstance(base, Groups) else None)
            except LanguageError as error:
                raise self.fault(str(error), node) from None
        if key is not None and not isinstance(key, str):
            raise self.fault(
                f"reflect.Value.MapIndex: value of type {type_name(key)} is not assignable to type string", node
            )
        return base.get(key or "", "" if isinstance(base, StringMap) else None)

    def on_slice(self, node: Node) -> Any:
        base = self.run(node.items[0])
        stop = self.run(node.stop) if node.stop else None
        start = self.run(node.start) if node.start else 0
        if not isinstance(base, list | str):
            if node.stop is None and not isinstance(base, dict):
                raise self.fault(f"invalid argument for len (type {type_name(base)})", node)
            raise self.fault(f"cannot slice {go_text(start)}", node)
        length = size(base) if isinstance(base, str) else len(base)
        try:
            low, high = to_int(start), length if node.stop is None else to_int(stop)
        except LanguageError as error:
            raise self.fault(str(error), node) from None
        high = max(high + length if high < 0 else min(high, length), 0)
        low = min(max(low + length if low < 0 else low, 0), high)
        if isinstance(base, str):
            return cut(base, low, high)
        typed: Any = type(base) if isinstance(base, Strings | Ints | Bytes) else list
        return typed(base[low:high])

    def on_call(self, node: Node) -> Any:
        callee = node.items[0]
        arguments = [self.run(item) for item in node.items[1:]]
        function = self.run(callee)
        if function is None:
            raise self.fault("invalid operation: cannot call nil", node)
        if not isinstance(function, Function):
            raise self.fault(f"invalid operation: cannot call non-function of type {type_name(function)}", node)
        return self.apply(node, function, arguments)

    def apply(self, node: Node, call: Any, arguments: list[Any]) -> Any:
        for argument in arguments:
            if isinstance(argument, list | dict | str):
                self.tick(node, self.weigh(argument, node) // 8)
        try:
            return call(*arguments)
        except Refused as error:
            raise Refused(str(self.fault(str(error), node))) from None
        except LanguageError as error:
            raise self.fault(str(error), node) from None

    def on_builtin(self, node: Node) -> Any:
        if node.value in PREDICATES:
            return PREDICATES[node.value](self, node)
        if fault := count_fault(node.value, len(node.items)):
            raise self.fault(fault, node)
        return self.apply(node, BUILTINS[node.value], [self.run(item) for item in node.items])

    def on_predicate(self, node: Node) -> Any:
        return self.run(node.items[0])
