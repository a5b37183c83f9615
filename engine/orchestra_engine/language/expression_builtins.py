"""The builtins of expr-lang that take values: https://expr-lang.org/docs/language-definition."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

from orchestra_engine.language import LanguageError, durations, gojson

_MAX_TEXT = 4 * 2**20
_MAX_DEPTH = 1000


_TYPES = ((bool, "bool"), (int, "int"), (float, "float64"), (str, "string"), (list, "[]interface {}"))


def type_name(value: Any) -> str:
    """The name of a value's type in Go."""
    if value is None:
        return "<nil>"
    found = next((name for kind, name in _TYPES if isinstance(value, kind)), "")
    return found or ("map[string]interface {}" if isinstance(value, dict) else "func")


def go_text(value: Any) -> str:
    """A value as Go's fmt prints it with %v."""
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, list | tuple):
        return "[" + " ".join(go_text(item) for item in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{go_text(value[k])}" for k in sorted(value, key=str)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "<nil>", True: "true", False: "false"}[value]
    return str(value)


def _float_text(value: float) -> str:
    if not math.isfinite(value):
        return {"inf": "+Inf", "-inf": "-Inf"}.get(str(value), "NaN")
    if value and not 1e-4 <= abs(value) < 1e21:
        return _shortest(value)
    return gojson.number(value)


def _shortest(value: float) -> str:
    mantissa, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        mantissa, _, exponent = f"{value:e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{'+' if int(exponent) >= 0 else '-'}{abs(int(exponent)):02d}"


def to_int(value: Any) -> int:
    """expr-lang's int(): of a number or of a text that is an integer."""
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        raise LanguageError(f"invalid operation: int({type_name(value)})")
    if isinstance(value, str):
        try:
            if value.strip() != value or "_" in value:
                raise ValueError(value)
            return int(value)
        except ValueError:
            raise LanguageError(f"invalid operation: int({value})") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise LanguageError(f"invalid operation: int({go_text(value)})")
    return int(value)


def to_float(value: Any) -> float:
    """expr-lang's float(): of a number or of a text that is one."""
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        raise LanguageError(f"invalid operation: float({type_name(value)})")
    if isinstance(value, str):
        try:
            if value.strip() != value or "_" in value:
                raise ValueError(value)
            return float(value)
        except ValueError:
            raise LanguageError(f"invalid argument for float ({value})") from None
    return float(value)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise LanguageError(f"invalid argument for {name} (type {type_name(value)})")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise LanguageError(f"cannot {name} {type_name(value)}")
    return value


def _numeric(value: Any, name: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LanguageError(f"invalid argument for {name} (type {type_name(value)})")
    return value


def _compare(left: Any, right: Any) -> int:
    if (type_name(left) in ("int", "float64") and type_name(right) in ("int", "float64")) or (
        isinstance(left, str) and isinstance(right, str)
    ):
        return (left > right) - (left < right)
    raise LanguageError(f"cannot compare {type_name(left)} with {type_name(right)}")


def go_sorted(keys: list[Any], order: str) -> list[int]:
    """The indices of `keys` in their order ("asc" or "desc"), stable.

    Raises LanguageError if two keys cannot be compared.
    """
    if order not in ("asc", "desc"):
        raise LanguageError(f"invalid order {order}, expected asc or desc")
    sign = 1 if order == "asc" else -1

    def compare(a: int, b: int) -> int:
        return sign * _compare(keys[a], keys[b])

    return sorted(range(len(keys)), key=cmp_to_key(compare))


def _length(value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise LanguageError(f"invalid argument for len (type {type_name(value)})")
    return len(value)


def _kind(value: Any) -> str:
    names = {"<nil>": "nil", "float64": "float", "[]interface {}": "array", "map[string]interface {}": "map"}
    return names.get(type_name(value), type_name(value))


def _spread(arguments: tuple[Any, ...]) -> list[Any]:
    found: list[Any] = []
    for argument in arguments:
        found += _spread(tuple(argument)) if isinstance(argument, list) else [argument]
    return found


def _extreme(name: str, wanted: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        values = [_numeric(v, name) for v in _spread(arguments)]
        if not values:
            raise LanguageError(f"not enough arguments to call {name}")
        return wanted(values)

    return call


def mean_of(*arguments: Any) -> float:
    """The mean of numbers; 0 of none."""
    values = [_numeric(v, "mean") for v in _spread(arguments)]
    return sum(values) / len(values) if values else 0.0


def _median(*arguments: Any) -> float:
    values = sorted(_numeric(v, "median") for v in _spread(arguments))
    if not values:
        return 0.0
    middle = len(values) // 2
    return float(values[middle]) if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def _trim(text: Any, characters: str | None = None) -> str:
    return _text(text, "trim").strip(characters)


def _split(text: Any, separator: str, count: int = -1) -> list[str]:
    _text(text, "split")
    if separator == "":
        parts = list(text)
        return parts if count < 0 or count >= len(parts) else [*parts[: count - 1], "".join(parts[count - 1 :])]
    if count == 0:
        return []
    return list(text.split(separator, count - 1 if count > 0 else -1))


def _split_after(text: Any, separator: str, count: int = -1) -> list[str]:
    parts = _split(text, separator, count)
    return [part + separator for part in parts[:-1]] + parts[-1:]


def _replace(text: Any, old: str, new: str, count: int = -1) -> str:
    _text(text, "replace")
    if len(new) * (text.count(old) if old else len(text) + 1) > _MAX_TEXT:
        raise LanguageError("memory budget exceeded")
    return str(text.replace(old, new, count))


def _repeat(text: Any, count: int) -> str:
    if count < 0 or len(_text(text, "repeat")) * count > _MAX_TEXT or count > 1_000_000:
        raise LanguageError("memory budget exceeded")
    return str(text * count)


def _join(items: Any, glue: str = "") -> str:
    return glue.join(_text(item, "join") for item in _list(items, "join"))


def _reverse(items: Any) -> list[Any]:
    return _list(items, "reverse")[::-1]


def _uniq(items: Any) -> list[Any]:
    seen: dict[str, Any] = {}
    for item in _list(items, "uniq"):
        seen.setdefault(gojson.dumps(item), item)
    return list(seen.values())


def _concat(*lists: Any) -> list[Any]:
    return [item for one in lists for item in _list(one, "concat")]


def _get(container: Any, key: Any) -> Any:
    if isinstance(container, dict):
        return container.get(key)
    if isinstance(container, list) and isinstance(key, int) and -len(container) <= key < len(container):
        return container[key]
    return None


def _pairs(items: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in _list(items, "fromPairs"):
        if not isinstance(pair, list) or len(pair) != 2:
            raise LanguageError("invalid pair: expected an array of two")
        found[str(pair[0])] = pair[1]
    return found


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LanguageError(f"cannot get {name} from {type_name(value)}")
    return value


def _sort(items: Any, order: str = "asc") -> list[Any]:
    values = _list(items, "sort")
    return [values[i] for i in go_sorted(values, order)]


def _bits(operation: Callable[[int, int], int]) -> Callable[[Any, Any], int]:
    def call(left: Any, right: Any) -> int:
        if not isinstance(left, int) or not isinstance(right, int):
            raise LanguageError("invalid argument (need two integers)")
        return (operation(left, right) + 2**63) % 2**64 - 2**63

    return call


def _decode64(text: Any) -> str:
    try:
        return base64.b64decode(_text(text, "fromBase64"), validate=True).decode("utf-8", "replace")
    except ValueError as error:
        raise LanguageError(f"illegal base64 data: {error}") from None


def _pretty(value: Any, depth: int = 0) -> str:
    """JSON indented by two blanks, as expr-lang's toJSON writes it."""
    if depth > _MAX_DEPTH:
        raise LanguageError("nested too deep")
    pad, inner = "\n" + "  " * depth, "\n" + "  " * (depth + 1)
    if isinstance(value, list) and value:
        return "[" + ",".join(inner + _pretty(item, depth + 1) for item in value) + pad + "]"
    if isinstance(value, dict) and value:
        items = (f"{inner}{gojson.quote(k, html=True)}: {_pretty(value[k], depth + 1)}" for k in sorted(value))
        return "{" + ",".join(items) + pad + "}"
    return gojson.dumps(value)


def _round(value: Any) -> float:
    number = float(_numeric(value, "round"))
    return math.copysign(math.floor(abs(number) + 0.5), number)


def _clock(*_arguments: Any) -> Any:
    raise LanguageError("dates and the clock are not available here: pass the time as a parameter")


def _last_index(text: Any, part: str) -> int:
    return _text(text, "lastIndexOf").rfind(part)


BUILTINS: dict[str, Callable[..., Any]] = {
    "len": _length,
    "type": _kind,
    "abs": lambda v: abs(_numeric(v, "abs")),
    "ceil": lambda v: float(math.ceil(_numeric(v, "ceil"))),
    "floor": lambda v: float(math.floor(_numeric(v, "floor"))),
    "round": _round,
    "int": to_int,
    "float": to_float,
    "string": go_text,
    "trim": _trim,
    "trimPrefix": lambda v, p=" ": _text(v, "trimPrefix").removeprefix(p),
    "trimSuffix": lambda v, p=" ": _text(v, "trimSuffix").removesuffix(p),
    "upper": lambda v: _text(v, "upper").upper(),
    "lower": lambda v: _text(v, "lower").lower(),
    "split": _split,
    "splitAfter": _split_after,
    "replace": _replace,
    "repeat": _repeat,
    "join": _join,
    "indexOf": lambda v, p: _text(v, "indexOf").find(p),
    "lastIndexOf": _last_index,
    "hasPrefix": lambda v, p: _text(v, "hasPrefix").startswith(p),
    "hasSuffix": lambda v, p: _text(v, "hasSuffix").endswith(p),
    "max": _extreme("max", max),
    "min": _extreme("min", min),
    "mean": mean_of,
    "median": _median,
    "toJSON": _pretty,
    "fromJSON": lambda v: gojson.loads(_text(v, "fromJSON")),
    "toBase64": lambda v: base64.b64encode(_text(v, "toBase64").encode()).decode(),
    "fromBase64": _decode64,
    "now": _clock,
    "date": _clock,
    "timezone": _clock,
    "duration": lambda v: durations.go(_text(v, "duration")),
    "first": lambda v: _get(v, 0),
    "last": lambda v: _get(v, -1),
    "get": _get,
    "take": lambda v, n: _list(v, "take")[: max(n, 0)],
    "keys": lambda v: sorted(_mapping(v, "keys")),
    "values": lambda v: [v[k] for k in sorted(_mapping(v, "values"))],
    "toPairs": lambda v: [[k, v[k]] for k in sorted(_mapping(v, "pairs"))],
    "fromPairs": _pairs,
    "reverse": _reverse,
    "uniq": _uniq,
    "concat": _concat,
    "flatten": lambda v: _spread((_list(v, "flatten"),)),
    "sort": _sort,
    "bitand": _bits(lambda a, b: a & b),
    "bitor": _bits(lambda a, b: a | b),
    "bitxor": _bits(lambda a, b: a ^ b),
    "bitnand": _bits(lambda a, b: a & ~b),
    "bitshl": _bits(lambda a, b: a << min(max(b, 0), 64)),
    "bitshr": _bits(lambda a, b: a >> min(max(b, 0), 64)),
    "bitushr": _bits(lambda a, b: (a % 2**64) >> min(max(b, 0), 64)),
    "bitnot": lambda a: ~to_int(a),
}

RESULTS = {
    **dict.fromkeys(("len", "int", "indexOf", "lastIndexOf", "count"), "int"),
    **dict.fromkeys(("float", "ceil", "floor", "round"), "float64"),
    **dict.fromkeys(("string", "trim", "upper", "lower", "join", "replace", "repeat", "toJSON", "type"), "string"),
    **dict.fromkeys(("hasPrefix", "hasSuffix", "all", "any", "none", "one"), "bool"),
}
