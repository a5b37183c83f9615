"""Walks a tree of `expression_parser` over an environment, within bounds of steps and size."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

from orchestra_engine.language import LanguageError, regex
from orchestra_engine.language.expression_builtins import BUILTINS, RESULTS, type_name
from orchestra_engine.language.expression_lexer import located
from orchestra_engine.language.expression_parser import Node
from orchestra_engine.language.expression_predicates import PREDICATES

_MAX_STEPS = 200_000
_MAX_ITEMS = 100_000
_MAX_TEXT = 4 * 2**20
_NUMERIC = ("int", "float64")


class Function:
    """A named function of the environment (asInt, toJson, sprig.upper…)."""

    __slots__ = ("call", "name", "result")

    def __init__(self, name: str, call: Callable[..., Any], result: str = "unknown") -> None:
        self.name, self.call, self.result = name, call, result


class Evaluation:
    """One run of one expression. `names` holds what `let` declared, `scopes` the innermost predicate's pointers."""

    def __init__(self, source: str, env: Mapping[str, Any]) -> None:
        self.source, self.env = source, env
        self.names: dict[str, Any] = {}
        self.scopes: list[dict[str, Any]] = []
        self.steps = 0

    def fault(self, message: str, node: Node) -> LanguageError:
        return located(message, self.source, node.at)

    def tick(self, node: Node, count: int = 1) -> None:
        self.steps += count
        if self.steps > _MAX_STEPS:
            raise self.fault(f"the expression takes more than {_MAX_STEPS} steps", node)

    def run(self, node: Node) -> Any:
        self.tick(node)
        value = getattr(self, f"on_{node.kind}")(node)
        if isinstance(value, str) and len(value) > _MAX_TEXT:
            raise self.fault("memory budget exceeded", node)
        return value

    def on_constant(self, node: Node) -> Any:
        return node.value

    def on_name(self, node: Node) -> Any:
        if node.value in self.names:
            return self.names[node.value]
        if node.value == "$env":
            return self.env
        if self.scopes and isinstance(item := self.scopes[-1]["item"], dict) and node.value in item:
            return item[node.value]
        if node.value not in self.env:
            raise self.fault(f"unknown name {node.value}", node)
        return self.env[node.value]

    def on_pointer(self, node: Node) -> Any:
        scope = self.scopes[-1]
        return scope.get({"": "item", "acc": "acc", "index": "index"}.get(node.value, ""))

    def on_sequence(self, node: Node) -> Any:
        value = None
        for item in node.items:
            value = self.run(item)
        return value

    def on_let(self, node: Node) -> Any:
        if node.value in self.env or node.value in self.names:
            raise self.fault(f"cannot redeclare {node.value}", node)
        self.names[node.value] = self.run(node.items[0])
        try:
            return self.run(node.items[1])
        finally:
            del self.names[node.value]

    def on_conditional(self, node: Node) -> Any:
        condition = self.run(node.items[0])
        if not isinstance(condition, bool):
            static = self.static(node.items[0])
            if static != "unknown":
                raise self.fault(f"non-bool expression (type {static}) used as condition", node.items[0])
            raise self.fault(f"interface conversion: interface {{}} is {type_name(condition)}, not bool", node)
        return self.run(node.items[1] if condition else node.items[2])

    def on_array(self, node: Node) -> list[Any]:
        return [self.run(item) for item in node.items]

    def on_map(self, node: Node) -> dict[str, Any]:
        pairs = zip(node.items[::2], node.items[1::2], strict=True)
        return {key if isinstance(key := self.run(k), str) else str(key): self.run(v) for k, v in pairs}

    def on_unary(self, node: Node) -> Any:
        value = self.run(node.items[0])
        if node.value in ("not", "!"):
            if not isinstance(value, bool):
                raise self.fault(f"invalid operation: {node.value} (mismatched type {type_name(value)})", node)
            return not value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fault(f"invalid operation: {node.value} (mismatched type {type_name(value)})", node)
        return -value if node.value == "-" else value

    def on_binary(self, node: Node) -> Any:
        operator, (left_node, right_node) = node.value, node.items
        left = self.run(left_node)
        if operator == "??":
            return self.run(right_node) if left is None else left
        if operator in ("&&", "and", "||", "or"):
            return self.logical(node, left)
        right = self.run(right_node)
        if operator in ("==", "!="):
            return equal(left, right) is (operator == "==")
        if operator == "in":
            return self.contained(node, left, right)
        result = _binary(operator, left, right)
        if result is NotImplemented:
            raise self.mismatch(node, left, right)
        return result

    def mismatch(self, node: Node, left: Any, right: Any) -> LanguageError:
        """expr-lang finds it while compiling where both types are known, else while running: two messages."""
        kinds = [self.static(item) for item in node.items]
        if "unknown" not in kinds:
            text = f"invalid operation: {node.value} (mismatched types {kinds[0]} and {kinds[1]})"
        else:
            text = f"invalid operation: {type_name(left)} {node.value} {type_name(right)}"
        return self.fault(text, node)

    def logical(self, node: Node, left: Any) -> bool:
        if not isinstance(left, bool):
            raise self.mismatch(node, left, self.run(node.items[1]))
        if left is (node.value in ("||", "or")):
            return left
        right = self.run(node.items[1])
        if not isinstance(right, bool):
            raise self.mismatch(node, left, right)
        return right

    def contained(self, node: Node, left: Any, right: Any) -> bool:
        if right is None:
            return False
        if isinstance(right, Mapping):
            return left in right
        if isinstance(right, list):
            self.tick(node, len(right))
            return any(equal(left, item) for item in right)
        raise self.fault(f'operator "in" not defined on {type_name(right)}', node)

    def on_member(self, node: Node) -> Any:
        base = self.run(node.items[0])
        if base is None and (node.optional or _chained(node.items[0])):
            return None
        key = self.run(node.items[1])
        return self.fetch(node, base, key)

    def fetch(self, node: Node, base: Any, key: Any) -> Any:
        if isinstance(base, Mapping):
            return base.get(key)
        if isinstance(base, list | str) and isinstance(key, int) and not isinstance(key, bool):
            at = key + len(base) if key < 0 else key
            if not 0 <= at < len(base):
                raise self.fault(f"index out of range: {key} (array length is {len(base)})", node)
            return base[at] if isinstance(base, list) else ord(base[at])
        shown = key if isinstance(key, str) else type_name(key) if isinstance(key, list | dict) else key
        raise self.fault(f"cannot fetch {shown} from {type_name(base)}", node)

    def on_slice(self, node: Node) -> Any:
        base = self.run(node.items[0])
        start = self.run(node.start) if node.start else 0
        stop = self.run(node.stop) if node.stop else None
        if not isinstance(base, list | str):
            raise self.fault(f"cannot slice {type_name(base)}", node)
        for bound in (start, stop):
            if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int)):
                raise self.fault(f"non-integer slice index {type_name(bound)}", node)
        size = len(base)
        low = max(start + size if start < 0 else min(start, size), 0)
        high = size if stop is None else max(stop + size if stop < 0 else min(stop, size), 0)
        return base[low : max(low, high)]

    def on_call(self, node: Node) -> Any:
        callee = node.items[0]
        function = self.run(callee)
        if not isinstance(function, Function):
            name = callee.items[1].value if callee.kind == "member" else callee.value
            raise self.fault(f"{name} is not callable" if function is not None else f"unknown function {name}", node)
        return self.apply(node, function.call, [self.run(item) for item in node.items[1:]])

    def apply(self, node: Node, call: Callable[..., Any], arguments: list[Any]) -> Any:
        for argument in arguments:
            if isinstance(argument, list | dict | str):
                self.tick(node, len(argument) // 64)
        try:
            return call(*arguments)
        except LanguageError as error:
            raise self.fault(str(error), node) from None
        except (TypeError, ValueError, OverflowError, AttributeError, KeyError, IndexError, RecursionError) as error:
            raise self.fault(f"wrong arguments: {error}", node) from None

    def on_builtin(self, node: Node) -> Any:
        if node.value in PREDICATES:
            return PREDICATES[node.value](self, node)
        return self.apply(node, BUILTINS[node.value], [self.run(item) for item in node.items])

    def on_predicate(self, node: Node) -> Any:
        return self.run(node.items[0])

    def static(self, node: Node) -> str:
        """The type that expr-lang's checker knows of a node before it runs, else `unknown`."""
        if node.kind == "constant":
            return type_name(node.value)
        if node.kind == "name" and node.value not in self.names:
            value = self.env.get(node.value)
            return "string" if isinstance(value, str) else "unknown"
        if node.kind == "builtin":
            return RESULTS.get(node.value, "unknown")
        if node.kind == "call" and node.items[0].kind == "name":
            function = self.env.get(node.items[0].value)
            return function.result if isinstance(function, Function) else "unknown"
        if node.kind == "binary":
            return self.static_binary(node)
        return "unknown"

    def static_binary(self, node: Node) -> str:
        if node.value in ("==", "!=", "<", ">", "<=", ">=", "&&", "||", "and", "or", "in", "contains", "matches"):
            return "bool"
        left, right = (self.static(item) for item in node.items)
        if node.value == "+" and left == right == "string":
            return "string"
        if left in _NUMERIC and right in _NUMERIC:
            return "float64" if node.value in ("/", "**", "^") or "float64" in (left, right) else "int"
        return "unknown"


def _chained(node: Node) -> bool:
    while node.kind in ("member", "call"):
        if node.optional:
            return True
        node = node.items[0]
    return False


def equal(left: Any, right: Any) -> bool:
    """expr-lang's ==: numbers compare by value, everything else by type and value."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    return type(left) is type(right) and cast(bool, left == right)


def is_number(value: Any) -> bool:
    """An int or a float, not a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_TEXTS: dict[str, Callable[[str, str], Any]] = {
    **_COMPARISONS,
    "+": lambda a, b: a + b,
    "contains": lambda a, b: b in a,
    "startsWith": lambda a, b: a.startswith(b),
    "endsWith": lambda a, b: a.endswith(b),
    "matches": lambda a, b: regex.search(b, a) is not None,
}


def _binary(operator: str, left: Any, right: Any) -> Any:
    """The value of an operation on two values; NotImplemented if there is none on values of these types."""
    if isinstance(left, str) and isinstance(right, str):
        return _TEXTS[operator](left, right) if operator in _TEXTS else NotImplemented
    if not (is_number(left) and is_number(right)):
        return NotImplemented
    if operator in _COMPARISONS:
        return _COMPARISONS[operator](left, right)
    if operator in _WHOLE:
        whole = isinstance(left, int) and isinstance(right, int)
        return _WHOLE[operator](left, right) if whole else NotImplemented
    try:
        return _arithmetic(operator, left, right)
    except OverflowError:
        return math.inf


def _range(left: int, right: int) -> list[int]:
    if right - left >= _MAX_ITEMS:
        raise LanguageError("memory budget exceeded")
    return list(range(left, right + 1))


def _remainder(left: int, right: int) -> int:
    if right == 0:
        raise LanguageError("integer divide by zero")
    return int(math.fmod(left, right)) if abs(left) < 2**52 else left - right * int(left / right)


_WHOLE: dict[str, Callable[[int, int], Any]] = {"%": _remainder, "..": _range}


def _arithmetic(operator: str, left: Any, right: Any) -> Any:
    if operator in ("+", "-", "*"):
        value = left + right if operator == "+" else left - right if operator == "-" else left * right
        # Go's int has 64 bits and wraps around.
        return (value + 2**63) % 2**64 - 2**63 if isinstance(value, int) else value
    if operator == "/":
        if right == 0:
            return math.nan if left == 0 else math.copysign(math.inf, left)
        return left / right
    if operator in ("**", "^"):
        try:
            return math.pow(left, right)
        except ValueError:
            return math.nan
    return NotImplemented
