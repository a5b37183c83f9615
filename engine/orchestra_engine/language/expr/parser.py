"""The grammar of expr-lang as a precedence climber: tokens in, a tree of nodes out."""

from __future__ import annotations

import math
from functools import lru_cache

from orchestra_engine.language import LanguageError
from orchestra_engine.language.expr.lexer import Token, located, tokens
from orchestra_engine.language.expr.signatures import BUILTINS
from orchestra_engine.language.expr.tree import Node, needed
from orchestra_engine.language.values import bytes_of

UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
BINARY = {
    "|": 0,
    "or": 10,
    "||": 10,
    "and": 15,
    "&&": 15,
    "==": 20,
    "!=": 20,
    "<": 20,
    ">": 20,
    ">=": 20,
    "<=": 20,
    "in": 20,
    "matches": 20,
    "contains": 20,
    "startsWith": 20,
    "endsWith": 20,
    "..": 25,
    "+": 30,
    "-": 30,
    "*": 60,
    "/": 60,
    "%": 60,
    "**": 100,
    "^": 100,
    "??": 500,
}
_NEGATED = ("contains", "matches", "startsWith", "endsWith", "in")
_COMPARISONS = ("<", ">", ">=", "<=")
_P, _E, _O = "predicate", "expression", "optional"
PREDICATES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("all", "none", "any", "one", "filter", "map"), (_E, _P)),
    **dict.fromkeys(("find", "findIndex", "findLast", "findLastIndex", "groupBy"), (_E, _P)),
    "count": (_E, _P + _O),
    "sum": (_E, _P + _O),
    "sortBy": (_E, _P, _E + _O),
    "reduce": (_E, _P, _E + _O),
}
_CONSTANTS = {"true": True, "false": False, "nil": None}
_MAX_DEPTH = 80


class _Parser:
    def __init__(self, source: str) -> None:
        self.source, self.all, self.at = source, tokens(source), 0
        self.predicate_depth = 0
        self.depth = 0

    @property
    def current(self) -> Token:
        return self.all[self.at]

    def next(self) -> Token:
        token = self.current
        if token.kind != "EOF":
            self.at += 1
        return token

    def fault(self, message: str, token: Token | None = None) -> LanguageError:
        return located(message, self.source, (token or self.current).at)

    def sees(self, kind: str, *values: str) -> bool:
        token = self.current
        return token.kind == kind and (not values or token.value in values)

    def expect(self, kind: str, *values: str) -> Token:
        if not self.sees(kind, *values):
            raise self.fault(f"unexpected token {self.current}")
        return self.next()

    def sequence(self) -> Node:
        nodes = [self.expression(0)]
        while self.sees("Operator", ";"):
            self.next()
            if self.sees("EOF"):
                break
            nodes.append(self.expression(0))
        return nodes[0] if len(nodes) == 1 else Node("sequence", nodes[0].at, items=nodes)

    def expression(self, precedence: int) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.fault(f"the expression is nested more than {_MAX_DEPTH} deep")
        try:
            if precedence == 0 and self.sees("Operator", "let"):
                return self.declaration()
            if precedence == 0 and self.sees("Operator", "if"):
                return self.conditional_if()
            left = self.binary(self.primary(), precedence)
            return self.conditional(left) if precedence == 0 else left
        finally:
            self.depth -= 1

    def binary(self, left: Node, precedence: int) -> Node:
        previous = ""
        while self.current.kind == "Operator":
            token = self.current
            negated = None
            if token.value == "not":
                following = self.all[self.at + 1] if self.at + 1 < len(self.all) else token
                if following.value not in _NEGATED:
                    raise self.fault(f"unexpected token {following}", following)
                if BINARY[following.value] < precedence:
                    break  # the `not` belongs to an operation further out
                self.next()
                negated = token = following
            level = BINARY.get(token.value)
            if level is None or level < precedence:
                break
            if previous == "??" and token.value != "??":
                raise self.fault(
                    f"Operator ({token.value}) and coalesce expressions (??) cannot be mixed. "
                    "Wrap either by parentheses.",
                    token,
                )
            self.next()
            left = self.operation(left, token, level)
            if negated is not None:
                left = Node("unary", negated.at, "not", [left])
            previous = token.value
        return left

    def operation(self, left: Node, token: Token, level: int) -> Node:
        if token.value == "|":
            name = self.expect("Identifier")
            return self.call(name, [left])
        if token.value in _COMPARISONS:
            return self.comparison(left, token, level)
        right = self.expression(level if token.value in ("**", "^") else level + 1)
        return Node("binary", token.at, token.value, [left, right])

    def comparison(self, left: Node, token: Token, level: int) -> Node:
        whole: Node | None = None
        while True:
            right = self.expression(level + 1)
            one = Node("binary", token.at, token.value, [left, right])
            whole = one if whole is None else Node("binary", token.at, "&&", [whole, one])
            if not self.sees("Operator", *_COMPARISONS):
                return whole
            token, left = self.next(), right

    def declaration(self) -> Node:
        self.next()
        name = self.expect("Identifier")
        self.expect("Operator", "=")
        value = self.expression(0)
        self.expect("Operator", ";")
        return Node("let", name.at, name.value, [value, self.sequence()])

    def conditional_if(self) -> Node:
        at = self.next().at
        condition = self.expression(0)
        self.expect("Bracket", "{")
        yes = self.sequence()
        self.expect("Bracket", "}")
        self.expect("Operator", "else")
        if self.sees("Operator", "if"):
            return Node("conditional", at, items=[condition, yes, self.conditional_if()])
        self.expect("Bracket", "{")
        no = self.sequence()
        self.expect("Bracket", "}")
        return Node("conditional", at, items=[condition, yes, no])

    def conditional(self, node: Node) -> Node:
        while self.sees("Operator", "?"):
            self.next()
            if self.sees("Operator", ":"):
                self.next()
                yes = node
            else:
                yes = self.expression(0)
                self.expect("Operator", ":")
            no = self.expression(0)
            node = Node("conditional", self.current.at, items=[node, yes, no])
        return node

    def primary(self) -> Node:
        token = self.current
        if token.kind == "Operator" and token.value in UNARY:
            self.next()
            return self.postfix(Node("unary", token.at, token.value, [self.expression(UNARY[token.value])]))
        if self.sees("Bracket", "("):
            self.next()
            node = self.sequence()
            self.expect("Bracket", ")")
            return self.postfix(node)
        if self.predicate_depth and self.sees("Operator", "#", "."):
            name = ""
            if token.value == "#":
                self.next()
                if self.sees("Identifier") and self.current.at == token.at + 1:
                    name = self.next().value
            return self.postfix(Node("pointer", token.at, name))
        if self.sees("Operator", "::"):
            self.next()
            return self.postfix(self.call(self.expect("Identifier"), []))
        return self.secondary()

    def secondary(self) -> Node:
        token = self.current
        if token.kind == "Identifier":
            return self.identifier(self.next())
        if token.kind == "Number":
            return Node("constant", token.at, self.number(self.next()))
        if token.kind == "Bytes":
            return self.postfix(Node("constant", token.at, bytes_of(self.next().value)))
        if token.kind == "String":
            return self.postfix(Node("constant", token.at, self.next().value))
        if self.sees("Bracket", "[", "{"):
            return self.postfix(self.array(self.next()) if token.value == "[" else self.map(self.next()))
        raise self.fault(f"unexpected token {token}")

    def identifier(self, token: Token) -> Node:
        if token.value in _CONSTANTS:
            return Node("constant", token.at, _CONSTANTS[token.value])
        if self.sees("Bracket", "("):
            return self.postfix(self.call(token, []))
        return self.postfix(Node("name", token.at, token.value))

    def number(self, token: Token) -> int | float:
        text = token.value.replace("_", "").lower()
        kind = {"0x": "hex", "0b": "binary", "0o": "octal"}.get(text[:2], "integer")
        fractional = kind == "integer" and ("." in text or "e" in text)
        go = "ParseFloat" if fractional else "ParseInt"
        written = token.value.replace("_", "")
        kind = "float" if fractional else kind
        try:
            value: int | float = float(text) if fractional else int(text[:400], 10 if kind == "integer" else 0)
        except ValueError:
            raise self.fault(f'invalid {kind} literal: strconv.{go}: parsing "{written}": invalid syntax') from None
        if value == math.inf or (not fractional and value >= 2**63):
            raise self.fault(f'invalid {kind} literal: strconv.{go}: parsing "{written}": value out of range')
        return value

    def call(self, token: Token, arguments: list[Node]) -> Node:
        if token.value in PREDICATES:
            return self.predicate_call(token, arguments)
        kind = "builtin" if token.value in BUILTINS else "call"
        given = arguments + self.arguments()
        if kind == "builtin":
            return Node(kind, token.at, token.value, given)
        return Node(kind, token.at, None, [Node("name", token.at, token.value), *given])

    def predicate_call(self, token: Token, given: list[Node]) -> Node:
        self.expect("Bracket", "(")
        wanted = PREDICATES[token.value][len(given) :]
        arguments = list(given)
        for i, kind in enumerate(wanted):
            if self.sees("Bracket", ")"):
                if kind.endswith(_O):
                    break
                raise self.fault(f"expected at least {len(wanted)} arguments")
            if i > 0:
                self.expect("Operator", ",")
            arguments.append(self.predicate() if kind.startswith(_P) else self.expression(0))
        if self.sees("Operator", ","):
            self.next()
        self.expect("Bracket", ")")
        return Node("builtin", token.at, token.value, arguments)

    def predicate(self) -> Node:
        at = self.current.at
        braces = self.sees("Bracket", "{")
        if braces:
            self.next()
        self.predicate_depth += 1
        node = self.sequence() if braces else self.expression(0)
        self.predicate_depth -= 1
        if not braces and self.sees("Operator", ";"):
            raise self.fault("wrap predicate with brackets { and }")
        if braces:
            self.expect("Bracket", "}")
        return Node("predicate", at, items=[node])

    def arguments(self) -> list[Node]:
        self.expect("Bracket", "(")
        found: list[Node] = []
        while not self.sees("Bracket", ")"):
            if found:
                self.expect("Operator", ",")
                if self.sees("Bracket", ")"):
                    break
            found.append(self.expression(0))
        self.next()
        return found

    def array(self, token: Token) -> Node:
        nodes: list[Node] = []
        while not self.sees("Bracket", "]"):
            if nodes:
                self.expect("Operator", ",")
                if self.sees("Bracket", "]"):
                    break
            nodes.append(self.expression(0))
        self.next()
        return Node("array", token.at, items=nodes)

    def map(self, token: Token) -> Node:
        nodes: list[Node] = []
        while not self.sees("Bracket", "}"):
            if nodes:
                self.expect("Operator", ",")
                if self.sees("Bracket", "}"):
                    break
                if self.sees("Operator", ","):
                    raise self.fault(f"unexpected token {self.current}")
            if self.current.kind in ("Number", "String", "Identifier"):
                key = Node("constant", self.current.at, self.next().value)
            elif self.sees("Bracket", "("):
                key = self.expression(0)
            else:
                raise self.fault(
                    "a map key must be a quoted string, a number, a identifier, or an expression enclosed in "
                    f"parentheses (unexpected token {self.current})"
                )
            self.expect("Operator", ":")
            nodes += [key, self.expression(0)]
        self.next()
        return Node("map", token.at, items=nodes)

    def postfix(self, node: Node) -> Node:
        while self.sees("Operator", ".", "?.") or self.sees("Bracket", "["):
            token = self.next()
            optional = token.value == "?."
            if optional and self.sees("Bracket", "["):
                token = self.next()
            if token.value in (".", "?."):
                node = self.property(node, optional)
            else:
                node = self.index(node, token, optional)
        return node

    def property(self, node: Node, optional: bool) -> Node:
        name = self.next()
        if name.kind == "EOF":
            raise self.fault("unexpected end of expression")
        if name.kind != "Identifier" and not (name.kind == "Operator" and name.value.isalpha()):
            raise self.fault("expected name")
        chained = node.kind == "chain"
        owner = node.items[0] if chained else node
        found = Node("member", name.at, items=[owner, Node("constant", name.at, name.value)], optional=optional)
        if self.sees("Bracket", "("):
            found.method = True
            found = Node("call", name.at, None, [found, *self.arguments()])
        return Node("chain", name.at, items=[found]) if chained or optional else found

    def index(self, node: Node, token: Token, optional: bool) -> Node:
        first = None if self.sees("Operator", ":") else self.expression(0)
        if self.sees("Operator", ":"):
            self.next()
            stop = None if self.sees("Bracket", "]") else self.expression(0)
            self.expect("Bracket", "]")
            return Node("slice", token.at, items=[node], start=first, stop=stop)
        self.expect("Bracket", "]")
        assert first is not None
        member = Node("member", token.at, items=[node, first], optional=optional)
        return Node("chain", token.at, items=[member]) if optional else member


@lru_cache(maxsize=2048)
def parse(source: str) -> Node:
    """The tree of an expression.

    Raises LanguageError with expr-lang's message, position and caret.
    """
    parser = _Parser(source)
    node = parser.sequence()
    if parser.current.kind != "EOF":
        raise parser.fault(f"unexpected token {parser.current}")
    return node


@lru_cache(maxsize=2048)
def identifiers(source: str) -> tuple[str, ...]:
    """The names and dotted paths that an expression needs, without those that `??` and `?.` guard.

    Raises LanguageError if the expression cannot be parsed.
    """
    return needed(parse(source))
