"""Expressions (`{{=…}}`, of retries and hooks, `depends`, `valueFrom.expression`): expr-lang, bounded, never eval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestra_engine.language import LanguageError, Refused, gojson, jsonpath
from orchestra_engine.language.expr.builtins import BUILTINS, REFUSED_BUILTINS
from orchestra_engine.language.expr.checker import Checker
from orchestra_engine.language.expr.evaluator import Evaluation
from orchestra_engine.language.expr.parser import identifiers, parse
from orchestra_engine.language.expr.tree import Node, path_of, walk
from orchestra_engine.language.sprig import FUNCTIONS, REFUSED
from orchestra_engine.language.values import Function, Signature, go_string

_MAX_LENGTH = 20_000
_TOO_DEEP = "the expression is nested too deep"


def _jsonpath(text: str, path: str) -> Any:
    return jsonpath.query(path, gojson.loads(text, floats=True))


_BASE: dict[str, Any] = {
    "asInt": Function("asInt", BUILTINS["int"], Signature(("interface {}",), ("interface {}",))),
    "asFloat": Function("asFloat", BUILTINS["float"], Signature(("interface {}",), ("interface {}",))),
    "jsonpath": Function("jsonpath", _jsonpath, Signature(("string", "string"), ("interface {}",))),
    "toJson": Function("toJson", gojson.dumps, Signature(("interface {}",), ("string",))),
    "sprig": FUNCTIONS,
}


def environment(values: Mapping[str, Any]) -> dict[str, Any]:
    """The names an expression sees: dotted keys become nested maps, as Argo expands them, and Argo's functions.

    Where one key is the beginning of another (`a` and `a.b`), the shorter one is left out.
    """
    env: dict[str, Any] = {}
    for key in sorted(values, reverse=True):
        *parents, last = key.split(".")
        level = env
        for parent in parents:
            inner = level.setdefault(parent, {})
            if not isinstance(inner, dict):
                inner = level[parent] = {}
            level = inner
        if not isinstance(level.get(last), dict):
            level[last] = values[key]
    return env | _BASE


_REFUSED_PATHS = frozenset(f"sprig.{name}" for name in REFUSED)


def check(source: str) -> None:
    """Looks at an expression of whose names nothing is known.

    Raises LanguageError for what is wrong with it whatever they stand for, also if it calls what is refused here.
    """
    for node in walk(_compiled(source, _BASE, strict=False)):
        if node.kind == "builtin" and node.value in REFUSED_BUILTINS:
            BUILTINS[node.value]()
        if path_of(node) in _REFUSED_PATHS:
            FUNCTIONS[node.items[1].value].call()


def evaluate(source: str, env: Mapping[str, Any]) -> Any:
    """The value of an expression.

    Raises LanguageError with expr-lang's message, position and caret.
    """
    return _run(source, env, _compiled(source, env))


def evaluate_bool(source: str, env: Mapping[str, Any]) -> bool:
    """The value of an expression that has to be true or false.

    Raises LanguageError with Argo's message.
    """
    tree = _compiled(source, env)
    try:
        result = _run(source, env, tree)
    except LanguageError as error:
        raise LanguageError(f"unable to evaluate expression '{source}': {error}") from None
    if not isinstance(result, bool):
        raise LanguageError(f"unable to cast expression result '{go_string(result)}' to bool")
    return result


def _compiled(source: str, env: Mapping[str, Any], *, strict: bool = True) -> Node:
    if len(source) > _MAX_LENGTH:
        raise Refused(f"the expression has more than {_MAX_LENGTH} characters")
    try:
        tree = parse(source)
        Checker(source, env, strict=strict).visit(tree)
    except RecursionError:
        raise Refused(_TOO_DEEP) from None
    return tree


def _run(source: str, env: Mapping[str, Any], tree: Node) -> Any:
    try:
        return Evaluation(source, env).run(tree)
    except RecursionError:
        raise Refused(_TOO_DEEP) from None


def has(env: Mapping[str, Any], path: str) -> bool:
    """Whether a dotted path leads to something in the environment (None counts)."""
    current: Any = env
    for part in path.split("."):
        if not isinstance(current, Mapping) or part not in current:
            return False
        current = current[part]
    return True


def absent(source: str, env: Mapping[str, Any]) -> list[str]:
    """The identifiers that an expression needs and the environment lacks.

    Raises LanguageError if the expression cannot be parsed.
    """
    return [name for name in identifiers(source) if not has(env, name)]
