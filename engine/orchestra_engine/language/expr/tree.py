"""The tree of an expression, and the names that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Node:
    """`kind` says what it is; `value` its name, operator or constant; `items` its operands; `at` its position."""

    kind: str
    at: int
    value: Any = None
    items: list[Node] = field(default_factory=list)
    optional: bool = False
    method: bool = False
    start: Node | None = None
    stop: Node | None = None


def path_of(node: Node) -> str | None:
    """The dotted path that a node is, if it is one and nothing guards it."""
    parts: list[str] = []
    while node.kind == "member":
        name = node.items[1]
        if node.optional or name.kind != "constant" or not isinstance(name.value, str):
            return None
        parts.append(name.value)
        node = node.items[0]
    return ".".join([str(node.value), *reversed(parts)]) if node.kind == "name" else None


def children(node: Node) -> list[Node]:
    return [*node.items, *(n for n in (node.start, node.stop) if n is not None)]


def walk(root: Node) -> Iterator[Node]:
    """All nodes of a tree, each before those below it."""
    todo = [root]
    while todo:
        node = todo.pop()
        yield node
        todo += reversed(children(node))


def needed(root: Node) -> tuple[str, ...]:
    """The names and dotted paths that an expression needs, without those that `??` and `?.` guard."""
    guarded: set[int] = set()
    found: dict[str, None] = {}

    def guard(node: Node) -> None:
        if node.kind == "member":
            guarded.add(id(node))
        for child in children(node):
            guard(child)

    def collect(node: Node) -> None:
        if node.kind == "binary" and node.value == "??":
            guard(node.items[0])
        if node.kind == "member" and node.optional and node.items[0].kind == "member":
            guarded.add(id(node.items[0]))
        for child in children(node):
            collect(child)
        if id(node) in guarded:
            return
        if node.kind == "name":
            found[node.value] = None
        elif node.kind == "member" and (path := path_of(node)) is not None:
            found[path] = None

    collect(root)
    return tuple(found)
