"""Expressions (`{{=…}}`, of retries and hooks, `depends`, `valueFrom.expression`): expr-lang, bounded, never eval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestra_engine.language import LanguageError, gojson, jsonpath
from orchestra_engine.language.expression_builtins import BUILTINS, type_name
from orchestra_engine.language.expression_evaluator import Evaluation, Function
from orchestra_engine.language.expression_parser import identifiers, parse
from orchestra_engine.language.sprig import FUNCTIONS, REFUSED

_MAX_LENGTH = 20_000


def _refused(name: str) -> Function:
    def call(*_arguments: Any) -> Any:
        raise LanguageError(f"sprig.{name} is not available here: it is not pure (clock, randomness, network or keys)")

    return Function(name, call)


_SPRIG: dict[str, Any] = {name: Function(name, call) for name, call in FUNCTIONS.items()}
_SPRIG |= {name: _refused(name) for name in REFUSED}


def _jsonpath(text: str, path: str) -> Any:
    return jsonpath.query(path, gojson.loads(text))


_BASE: dict[str, Any] = {
    "asInt": Function("asInt", BUILTINS["int"], "int"),
    "asFloat": Function("asFloat", BUILTINS["float"], "float64"),
    "jsonpath": Function("jsonpath", _jsonpath),
    "toJson": Function("toJson", gojson.dumps, "string"),
    "sprig": _SPRIG,
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


def evaluate(source: str, env: Mapping[str, Any]) -> Any:
    """The value of an expression.

    Raises LanguageError with expr-lang's message, position and caret.
    """
    if len(source) > _MAX_LENGTH:
        raise LanguageError(f"the expression has more than {_MAX_LENGTH} characters")
    try:
        return Evaluation(source, env).run(parse(source))
    except RecursionError:
        raise LanguageError("the expression is nested too deep") from None


def evaluate_bool(source: str, env: Mapping[str, Any]) -> bool:
    """The value of an expression that has to be true or false.

    Raises LanguageError with Argo's message.
    """
    parse(source)
    result = evaluate(source, env)
    if not isinstance(result, bool):
        raise LanguageError(f"unable to cast expression result '{_shown(result)}' to bool")
    return result


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else f"%!s({type_name(value)}={gojson.dumps(value)})"


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
