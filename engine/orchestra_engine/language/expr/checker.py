"""What expr-lang's compiler refuses before an expression runs: unknown names, types that do not fit, wrong calls.

It checks all of an expression, also the branches that are never taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestra_engine.language import LanguageError, regex
from orchestra_engine.language.expr.fitting import (
    ARITHMETIC,
    INTEGER,
    IS_BOOL,
    IS_DURATION,
    IS_STRING,
    IS_TIME,
    NUMBER,
    maybe,
)
from orchestra_engine.language.expr.lexer import located
from orchestra_engine.language.expr.natures import (
    ARRAY,
    BOOL,
    INT,
    MAP,
    NIL,
    UNKNOWN,
    Nature,
    array_of,
    nature_of,
)
from orchestra_engine.language.expr.signatures import BUILTINS, METHODS, Mismatch, call_nature
from orchestra_engine.language.expr.tree import Node
from orchestra_engine.language.values import Signature

_ANY_BUILTIN = Signature(("interface {}",), ("interface {}", "error"), variadic=True)
_PREDICATED_BOOL = frozenset(
    ("all", "none", "any", "one", "filter", "count", "find", "findLast", "findIndex", "findLastIndex")
)


class Checker:
    """One check of one expression against an environment; unless `strict`, names may be missing in that."""

    def __init__(self, source: str, env: Mapping[str, Any], *, strict: bool = True) -> None:
        self.source, self.env, self.strict = source, env, strict
        self.variables: list[tuple[str, Nature]] = []
        self.scopes: list[tuple[Nature, dict[str, Nature]]] = []

    def fault(self, message: str, node: Node) -> LanguageError:
        return located(message, self.source, node.at)

    def visit(self, node: Node) -> Nature:
        """The nature of a node.

        Raises LanguageError with expr-lang's message, position and caret.
        """
        nature: Nature = getattr(self, f"on_{node.kind}")(node)
        return nature

    def on_constant(self, node: Node) -> Nature:
        return nature_of(node.value)

    def on_name(self, node: Node) -> Nature:
        for name, nature in reversed(self.variables):
            if name == node.value:
                return nature
        if node.value == "$env":
            return UNKNOWN
        return self.named(node, node.value, builtins=True)

    def named(self, node: Node, name: str, *, builtins: bool = False, optional: bool = False) -> Nature:
        if name in self.env:
            return nature_of(self.env[name])
        if builtins and name in BUILTINS:
            known = BUILTINS[name]
            signature = _ANY_BUILTIN if callable(known) else known[0]
            return Nature(signature.go_type, function=signature)
        if optional or not self.strict:
            return UNKNOWN
        raise self.fault(f"unknown name {name}", node)

    def on_unary(self, node: Node) -> Nature:
        given = self.visit(node.items[0])
        if node.value in ("!", "not"):
            if given.name == "bool" or given.unknown:
                return BOOL
        elif given.number or given.unknown:
            return given if given.number else UNKNOWN
        raise self.fault(f"invalid operation: {node.value} (mismatched type {given})", node)

    def on_binary(self, node: Node) -> Nature:
        left, right = self.visit(node.items[0]), self.visit(node.items[1])
        found = self.operation(node, left, right)
        written = all(item.kind == "constant" for item in node.items)
        if node.value == "%" and found is INT and written and node.items[1].value == 0:
            raise self.fault("integer divide by zero", node)
        if found is None:
            raise self.fault(f"invalid operation: {node.value} (mismatched types {left} and {right})", node)
        return found

    def operation(self, node: Node, left: Nature, right: Nature) -> Nature | None:
        operator = node.value
        if operator in ARITHMETIC:
            return ARITHMETIC[operator](left, right)
        if operator == "in":
            return self.membership(node, left, right)
        if operator in ("matches", "contains", "startsWith", "endsWith"):
            return self.textual(node, left, right)
        if operator == "..":
            fits = (left.integer and right.integer) or maybe(left, right, INTEGER)
            return array_of(INT) if fits else None
        if operator == "??":
            return self.coalesced(left, right)
        return BOOL if self.decides(operator, left, right) else None

    def decides(self, operator: str, left: Nature, right: Nature) -> bool:
        """Whether a comparison or a logical operation fits."""
        if operator in ("==", "!="):
            return left.comparable(right)
        if operator in ("or", "||", "and", "&&"):
            return left.name == right.name == "bool" or maybe(left, right, IS_BOOL)
        same = left.name == right.name and left.name in ("string", "time.Time", "time.Duration")
        possible = maybe(left, right, NUMBER, IS_STRING, IS_TIME, IS_DURATION)
        return (left.number and right.number) or same or possible

    def membership(self, node: Node, left: Nature, right: Nature) -> Nature | None:
        if right.kind == "struct" and (left.name == "string" or left.unknown):
            return BOOL
        if right.kind == "map":
            if not left.unknown and not left.assignable(right.key):
                raise self.fault(f"cannot use {left} as type {right.key} in map key", node)
            return BOOL
        if right.kind == "slice":
            if not left.comparable(right.item):
                raise self.fault(f"cannot use {left} as type {right.item} in array", node)
            return BOOL
        return BOOL if (left.unknown and right.kind == "string") or right.unknown else None

    def coalesced(self, left: Nature, right: Nature) -> Nature:
        if left.nil:
            return right
        return left if right.nil or right.assignable(left) else UNKNOWN

    def textual(self, node: Node, left: Nature, right: Nature) -> Nature | None:
        if node.value == "matches" and node.items[1].kind == "constant" and isinstance(node.items[1].value, str):
            try:
                regex.check(node.items[1].value)
            except LanguageError as error:
                raise self.fault(str(error), node) from None
        texts = right.name == "string" and left.name in ("string", "[]uint8" if node.value == "matches" else "string")
        return BOOL if texts or maybe(left, right, IS_STRING) else None

    def on_member(self, node: Node) -> Nature:
        owner, wanted = node.items
        if owner.kind == "name" and owner.value == "$env":
            if wanted.kind == "constant" and isinstance(wanted.value, str):
                return self.named(node, wanted.value, optional=node.optional)
            return UNKNOWN
        base, key = self.visit(owner), self.visit(wanted)
        if base.unknown:
            return UNKNOWN
        name = wanted.value if wanted.kind == "constant" and isinstance(wanted.value, str) else None
        if name is not None:
            if base.nil:
                raise self.fault(f"type nil has no field {name}", node)
            method = METHODS.get(base.name, {}).get(name)
            if method is not None:
                return Nature(method.go_type, function=method)
        return self.element(node, base, key, name)

    def element(self, node: Node, base: Nature, key: Nature, name: str | None) -> Nature:
        if base.kind == "map":
            if not key.assignable(base.key) and not key.unknown:
                raise self.fault(f"cannot use {key} to get an element from {base}", node.items[1])
            return base.item
        if base.kind == "slice":
            if not key.integer and not key.unknown:
                raise self.fault(f"array elements can only be selected using an integer (got {key})", node.items[1])
            return base.item
        if name is not None:
            raise self.fault(f"type {base} has no {'method' if node.method else 'field'} {name}", node)
        raise self.fault(f"type {base}[{key}] is undefined", node)

    def on_slice(self, node: Node) -> Nature:
        base = self.visit(node.items[0])
        if base.unknown:
            return UNKNOWN
        if base.kind not in ("slice", "string"):
            raise self.fault(f"cannot slice {base}", node)
        for bound in (node.start, node.stop):
            given = self.visit(bound) if bound is not None else INT
            if bound is not None and not given.integer and not given.unknown:
                raise self.fault(f"non-integer slice index {given}", bound)
        return base

    def on_call(self, node: Node) -> Nature:
        callee = node.items[0]
        if callee.kind == "name" and callee.value == "$env":
            raise self.fault("map[string]interface {} is not callable", node)
        called = self.visit(callee)
        if called.unknown:
            return UNKNOWN  # expr-lang does not look at the arguments of a function of which it knows nothing
        name = callee.value if callee.kind == "name" else "function"
        if callee.kind == "member" and isinstance(callee.items[1].value, str):
            name = callee.items[1].value
        if called.nil:
            raise self.fault(f"{name} is nil; cannot call nil as function", node)
        if called.function is None:
            raise self.fault(f"{called} is not callable", node)
        return self.called(node, name, node.items[1:], [called.function])

    def builtin(self, node: Node, name: str, arguments: list[Node]) -> Nature:
        signature = BUILTINS[name]
        if callable(signature):
            try:
                return signature([self.visit(argument) for argument in arguments])
            except Mismatch as mismatch:
                raise self.fault(str(mismatch), node) from None
        return self.called(node, name, arguments, signature)

    def called(self, node: Node, name: str, arguments: list[Node], signatures: Any) -> Nature:
        given = [self.visit(argument) for argument in arguments]
        last: LanguageError | None = None
        for signature in signatures:
            try:
                return call_nature(name, signature, given)
            except Mismatch as mismatch:
                at = node if mismatch.index is None else arguments[mismatch.index]
                last = self.fault(str(mismatch), at)
        assert last is not None
        raise last

    def on_builtin(self, node: Node) -> Nature:
        name = node.value
        if name in ("sum", "count") or name in _PREDICATED_BOOL or name in ("map", "groupBy", "sortBy", "reduce"):
            return self.predicated(node)
        if name == "get":
            return self.got(node)
        return self.builtin(node, name, node.items)

    def predicated(self, node: Node) -> Nature:
        name, items = node.value, node.items[0]
        collection = self.visit(items)
        if collection.kind != "slice" and not collection.unknown:
            raise self.fault(f"builtin {name} takes only array (got {collection})", items)
        if len(node.items) == 1:
            return INT if name == "count" else collection.item
        pointers = {"index": INT} if name in ("map", "reduce") else {}
        if name == "reduce":
            pointers["acc"] = UNKNOWN
        self.scopes.append((collection, pointers))
        result = self.visit(node.items[1])
        self.scopes.pop()
        if len(node.items) > 2:
            more = self.visit(node.items[2])
            if name == "sortBy" and more.name != "string" and not more.unknown:
                raise self.fault(f"sortBy order argument must be a string (got {more})", node.items[2])
        if result.nil:
            inputs = "two input" if name == "reduce" else "one input"
            raise self.fault(f"predicate should has {inputs} and one output param", node.items[1])
        if name in _PREDICATED_BOOL and result.name != "bool" and not result.unknown:
            raise self.fault(f"predicate should return boolean (got {result})", node.items[1])
        return self.collected(name, collection, result)

    def collected(self, name: str, collection: Nature, result: Nature) -> Nature:
        known = {
            **dict.fromkeys(("all", "none", "any", "one"), BOOL),
            **dict.fromkeys(("count", "findIndex", "findLastIndex"), INT),
            **dict.fromkeys(("find", "findLast"), collection.item),
            "filter": ARRAY if collection.unknown else array_of(collection.item),
            "groupBy": Nature("map[interface {}][]interface {}"),
            "map": array_of(result),
            "sortBy": collection,
        }
        return known.get(name, result)

    def got(self, node: Node) -> Nature:
        if len(node.items) != 2:
            raise self.fault(f"invalid number of arguments (expected 2, got {len(node.items)})", node)
        owner, wanted = node.items
        base, key = self.visit(owner), self.visit(wanted)
        if owner.kind == "name" and owner.value == "$env":
            known = wanted.kind == "constant" and wanted.value in self.env
            return nature_of(self.env[wanted.value]) if known else UNKNOWN
        if base.unknown:
            return UNKNOWN
        if base.kind == "slice":
            if not key.integer and not key.unknown:
                raise self.fault(f"non-integer slice index {key}", wanted)
            return base.item
        if base.kind == "map":
            if not key.assignable(base.key) and not key.unknown:
                raise self.fault(f"cannot use {key} to get an element from {base}", wanted)
            return base.item
        raise self.fault(f"type {base} does not support indexing", owner)

    def on_chain(self, node: Node) -> Nature:
        return self.visit(node.items[0])

    def on_predicate(self, node: Node) -> Nature:
        return self.visit(node.items[0])

    def on_pointer(self, node: Node) -> Nature:
        if not self.scopes:
            raise self.fault("cannot use pointer accessor outside predicate", node)
        collection, pointers = self.scopes[-1]
        if not node.value:
            return UNKNOWN if collection.unknown else collection.item
        if node.value not in pointers:
            raise self.fault(f"unknown pointer #{node.value}", node)
        return pointers[node.value]

    def on_let(self, node: Node) -> Nature:
        if node.value in self.env:
            raise self.fault(f"cannot redeclare {node.value}", node)
        if node.value in BUILTINS:
            raise self.fault(f"cannot redeclare builtin {node.value}", node)
        if any(name == node.value for name, _ in self.variables):
            raise self.fault(f"cannot redeclare variable {node.value}", node)
        self.variables.append((node.value, self.visit(node.items[0])))
        result = self.visit(node.items[1])
        self.variables.pop()
        return result

    def on_sequence(self, node: Node) -> Nature:
        return [self.visit(item) for item in node.items][-1]

    def on_conditional(self, node: Node) -> Nature:
        condition = self.visit(node.items[0])
        if condition.name != "bool" and not condition.unknown:
            raise self.fault(f"non-bool expression (type {condition}) used as condition", node.items[0])
        yes, no = self.visit(node.items[1]), self.visit(node.items[2])
        if yes.nil or no.nil:
            return NIL if yes.nil and no.nil else no if yes.nil else yes
        if not yes.assignable(no):
            return UNKNOWN
        if yes.kind == no.kind == "slice" and not (yes.item.assignable(no.item) and no.item.assignable(yes.item)):
            return ARRAY
        return yes

    def on_array(self, node: Node) -> Nature:
        natures = [self.visit(item) for item in node.items]
        same = all(nature.kind == natures[0].kind for nature in natures)
        return array_of(natures[-1] if natures else UNKNOWN) if same else ARRAY

    def on_map(self, node: Node) -> Nature:
        for item in node.items:
            self.visit(item)
        return MAP
