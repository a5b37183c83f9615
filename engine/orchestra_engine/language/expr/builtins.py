"""The builtins of expr-lang that take values: https://expr-lang.org/docs/language-definition."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any

from orchestra_engine.language import LanguageError, gojson
from orchestra_engine.language.expr.moments import MOMENTS
from orchestra_engine.language.expr.operators import to_int as number_to_int
from orchestra_engine.language.expr.operators import truncated
from orchestra_engine.language.expr.sorting import sorted_indices
from orchestra_engine.language.gotext import (
    as_latin,
    go_float,
    go_int,
    go_lower,
    go_space_trimmed,
    go_upper,
    of_bytes,
    size,
    to_bytes,
)
from orchestra_engine.language.gotime import Duration, Location, Month, Weekday
from orchestra_engine.language.values import (
    AnyMap,
    Bytes,
    NilSlice,
    Strings,
    Uint8,
    distinct,
    equal,
    go_text,
    is_integer,
    is_number,
    kind_name,
    type_name,
    wrapped,
)

_MAX_TEXT = 4 * 2**20
_MAX_DEPTH = 1000


def to_int(value: Any) -> int:
    """expr-lang's int(): of a number or of a text that is an integer."""
    if isinstance(value, str):
        found = go_int(value)
        if found is None:
            raise LanguageError(f"invalid operation: int({value})")
        return found
    if is_number(value):
        return truncated(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise LanguageError(f"invalid operation: int({type_name(value)})")


def to_float(value: Any) -> float:
    """expr-lang's float(): of a number or of a text that is one."""
    if isinstance(value, str):
        found = go_float(value)
        if found is None:
            raise LanguageError(f"invalid operation: float({value})")
        return found
    if not is_number(value):
        raise LanguageError(f"invalid operation: float({type_name(value)})")
    return float(value)


def text_of(value: Any) -> str:
    """A value that has to be a text.

    Raises LanguageError with Go's words.
    """
    if not isinstance(value, str):
        shown = "nil" if value is None else type_name(value)
        raise LanguageError(f"interface conversion: interface {{}} is {shown}, not string")
    return value


def _list(value: Any, verb: str) -> list[Any]:
    if not isinstance(value, list):
        raise LanguageError(f"cannot {verb} {kind_name(value)}")
    return value


def _mapping(value: Any, refusal: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise LanguageError(refusal.format(kind_name(value)))
    return value


def _length(value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise LanguageError(f"invalid argument for len (type {type_name(value)})")
    return len(value)


def _type(value: Any) -> str:
    """The name that expr-lang's type() gives: a kind, or the package and name of a type that has one."""
    name = type_name(value)
    if isinstance(value, Location):
        return "time.Location"
    if name.startswith("time."):
        return name
    kinds = {"invalid": "nil", "int64": "int", "float64": "float", "uint8": "uint", "slice": "array"}
    return kinds.get(kind_name(value), kind_name(value))


def _numeric(value: Any, name: str) -> Any:
    if not is_number(value):
        raise LanguageError(f"invalid argument for {name} (type {type_name(value)})")
    return value


def _abs(value: Any) -> Any:
    number = _numeric(value, "abs")
    return abs(number) if isinstance(number, float) else type(number)(wrapped(abs(number)))


def _whole(name: str, operation: Callable[[float], float]) -> Callable[[Any], float]:
    def call(value: Any) -> float:
        number = float(_numeric(value, name))
        return math.copysign(operation(number), number) if math.isfinite(number) else number

    return call


def _away(number: float) -> float:
    """math.Round: half away from zero."""
    whole = math.floor(abs(number))
    return math.copysign(whole + (abs(number) - whole >= 0.5), number)


def _numbers_in(name: str, arguments: tuple[Any, ...], depth: int = 0) -> list[Any]:
    if depth > _MAX_DEPTH:
        raise LanguageError("recursion depth exceeded")
    found: list[Any] = []
    for argument in arguments:
        if isinstance(argument, list):
            found += _numbers_in(name, tuple(argument), depth + 1)
        elif name in ("mean", "median") and isinstance(argument, Duration | Month | Weekday):
            found.append(int(argument))
        else:
            found.append(_numeric(argument, name))
    return found


def _extreme(name: str, better: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        if len(arguments) == 1 and not isinstance(arguments[0], list):
            return arguments[0]
        best: Any = None
        for value in _numbers_in(name, arguments):
            best = value if best is None or better(value, best) else best
        return best

    return call


def _mean(*arguments: Any) -> float:
    values = [float(v) for v in _numbers_in("mean", arguments)]
    return sum(values) / len(values) if values else 0.0


def _median(*arguments: Any) -> float:
    values = sorted(float(v) for v in _numbers_in("median", arguments))
    if not values:
        return 0.0
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def _trim(text: Any, *characters: Any) -> str:
    return text_of(text).strip(text_of(characters[0])) if characters else go_space_trimmed(text_of(text))


def split(text: str, separator: str, count: int = -1) -> list[str]:
    """Go's strings.SplitN: at most `count` pieces, all if it is negative, and nil for none."""
    if count == 0:
        return NilSlice()
    if separator:
        return Strings(text.split(separator, count - 1 if count > 0 else -1))
    parts = list(text)
    return Strings(parts if count < 0 or count >= len(parts) else [*parts[: count - 1], "".join(parts[count - 1 :])])


def _split(text: Any, separator: Any, count: Any = -1) -> list[str]:
    return split(text_of(text), text_of(separator), number_to_int(count))


def _split_after(text: Any, separator: Any, count: Any = -1) -> list[str]:
    parts = _split(text, separator, count)
    return Strings([part + separator for part in parts[:-1]] + parts[-1:]) if parts else parts


def replace(text: str, old: str, new: str, count: int = -1) -> str:
    """Go's strings.Replace, refused before a text that is too large is made."""
    if len(new) * (text.count(old) if old else len(text) + 1) > _MAX_TEXT:
        raise LanguageError("memory budget exceeded")
    return text.replace(old, new, count)


def _repeat(text: Any, count: Any) -> str:
    times = number_to_int(count)
    text_of(text)
    if times < 0:
        raise LanguageError(f"invalid argument for repeat (expected positive integer, got {times})")
    if times > 1_000_000 or len(text_of(text)) * times >= 1_000_000:
        raise LanguageError("memory budget exceeded")
    return str(text * times)


def _join(items: Any, glue: Any = "") -> str:
    if not isinstance(items, list):
        raise LanguageError(f"invalid argument for join (type {type_name(items)})")
    return text_of(glue).join(text_of(item) for item in items)


def _index(text: Any, part: Any, *, last: bool = False) -> int:
    found = text_of(text).rfind(text_of(part)) if last else text_of(text).find(text_of(part))
    return found if found < 0 else size(text[:found])


def _uniq(items: Any) -> list[Any]:
    return distinct(_list(items, "uniq"), equal)


def _concat(*lists: Any) -> list[Any]:
    found = [item for one in lists for item in _list(one, "concat")]
    return found or NilSlice()


def flattened(items: Any, depth: int = 0) -> list[Any]:
    """A list without lists in it.

    Raises LanguageError for what is no list, and for one nested too deep.
    """
    if depth > _MAX_DEPTH:
        raise LanguageError("recursion depth exceeded")
    found: list[Any] = []
    for item in _list(items, "flatten"):
        found += flattened(item, depth + 1) if isinstance(item, list) else [item]
    return found


def _get(container: Any, key: Any) -> Any:
    if isinstance(container, list | str):
        at = number_to_int(key)
        items = [Uint8(byte) for byte in to_bytes(container)] if isinstance(container, str) else container
        return items[at] if -len(items) <= at < len(items) else None
    if isinstance(container, dict):
        if not isinstance(container, AnyMap) and key is not None and not isinstance(key, str):
            name = type_name(key)
            raise LanguageError(f"reflect.Value.MapIndex: value of type {name} is not assignable to type string")
        return container.get(AnyMap.hashed(key) if isinstance(container, AnyMap) else key or "")
    return None


def _end(at: int) -> Callable[[Any], Any]:
    def call(items: Any) -> Any:
        if isinstance(items, str):
            return Uint8(to_bytes(items)[at]) if items else None
        return items[at] if isinstance(items, list) and items else None

    return call


def _take(items: Any, count: Any) -> list[Any]:
    found = _list(items, "take from")
    if not isinstance(count, int) or isinstance(count, bool):
        raise LanguageError(f"cannot take {kind_name(count)} elements")
    if count < 0:
        raise LanguageError("reflect.Value.Slice: slice index out of bounds")
    return found[:count]


def _pairs(items: Any) -> AnyMap:
    if not isinstance(items, list):
        raise LanguageError(f"cannot transform {go_text(items)} from pairs")
    found = AnyMap()
    for pair in items:
        if not isinstance(pair, list):
            raise LanguageError(f"invalid pair {go_text(pair)}")
        if len(pair) != 2:
            raise LanguageError(f"invalid pair length {go_text(pair)}")
        found[AnyMap.hashed(pair[0])] = pair[1]
    return found


def _sort(items: Any, *order: Any) -> list[Any]:
    values = items if isinstance(items, list) else NilSlice()
    direction = order[0] if order else "asc"
    if not isinstance(direction, str):
        raise LanguageError(f"sort order argument must be a string (got {type_name(direction)})")
    if direction not in ("asc", "desc"):
        raise LanguageError(f"invalid order {direction}, expected asc or desc")
    return [values[i] for i in sorted_indices(values, direction)] if isinstance(items, list) else values


def _bits(name: str, operation: Callable[..., int], *, shift: bool = False, count: int = 2) -> Callable[..., int]:
    def call(*arguments: Any) -> int:
        if len(arguments) != count:
            raise LanguageError(f"invalid number of arguments for {name} (expected {count}, got {len(arguments)})")
        for argument in arguments:
            if not is_integer(argument):
                raise LanguageError(f"cannot use {type_name(argument)} as argument (type int) to call {name}")
        if shift and arguments[1] < 0:
            raise LanguageError(f"invalid operation: negative shift count {arguments[1]} (type int)")
        return wrapped(operation(*map(int, arguments)))

    return call


def decoded64(text: str) -> str:
    """Standard base64; bytes that are no UTF-8 become U+FFFD.

    Raises LanguageError with Go's message and the offset of the first wrong byte.
    """
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    raw, held = as_latin(text), 0
    for at, c in enumerate(raw):
        if c in "\r\n":
            continue
        if c in alphabet:
            held = (held + 1) % 4
            continue
        rest = raw[at:].replace("\r", "").replace("\n", "")
        if c == "=" and held >= 2 and rest == "=" * (4 - held):
            held = 0
            break
        padded = c == "=" and held == 2 and not rest[1:2]
        garbage = c == "=" and (held == 3 or (held == 2 and rest[1:2] == "="))
        raise LanguageError(f"illegal base64 data at input byte {len(raw) if padded else at + 1 if garbage else at}")
    if held:
        raise LanguageError(f"illegal base64 data at input byte {len(raw) - held}")
    plain = text.replace("\r", "").replace("\n", "")
    return of_bytes(base64.b64decode(plain))


def pretty_json(value: Any, depth: int = 0) -> str:
    """JSON indented by two blanks, as expr-lang's toJSON writes it."""
    if depth > _MAX_DEPTH:
        raise LanguageError("nested too deep")
    pad, inner = "\n" + "  " * depth, "\n" + "  " * (depth + 1)
    if isinstance(value, list) and value and not isinstance(value, Bytes):
        return "[" + ",".join(inner + pretty_json(item, depth + 1) for item in value) + pad + "]"
    if isinstance(value, dict) and value and not isinstance(value, AnyMap):
        items = (f"{inner}{gojson.quote(k, html=True)}: {pretty_json(value[k], depth + 1)}" for k in sorted(value))
        return "{" + ",".join(items) + pad + "}"
    return gojson.dumps(value)


def _in_order(value: dict[Any, Any]) -> list[tuple[Any, Any]]:
    """Keys and values, sorted if the keys are text: Go's own order is random."""
    if isinstance(value, AnyMap):
        return list(zip(value.names(), value.values(), strict=True))
    return sorted(value.items(), key=lambda pair: pair[0])


def _keys(value: Any) -> list[Any]:
    return [key for key, _ in _in_order(_mapping(value, "cannot get keys from {}"))]


def _values(value: Any) -> list[Any]:
    return [item for _, item in _in_order(_mapping(value, "cannot get values from {}"))]


def _to_pairs(value: Any) -> list[Any]:
    return [list(pair) for pair in _in_order(_mapping(value, "cannot transform {} to pairs"))]


REFUSED_BUILTINS = frozenset(("now",))
BUILTINS: dict[str, Callable[..., Any]] = {
    "len": _length,
    "type": _type,
    "abs": _abs,
    "ceil": _whole("ceil", math.ceil),
    "floor": _whole("floor", math.floor),
    "round": _whole("round", _away),
    "int": to_int,
    "float": to_float,
    "string": go_text,
    "trim": _trim,
    "trimPrefix": lambda v, p=" ": text_of(v).removeprefix(text_of(p)),
    "trimSuffix": lambda v, p=" ": text_of(v).removesuffix(text_of(p)),
    "upper": lambda v: go_upper(text_of(v)),
    "lower": lambda v: go_lower(text_of(v)),
    "split": _split,
    "splitAfter": _split_after,
    "replace": lambda v, old, new, n=-1: replace(text_of(v), text_of(old), text_of(new), number_to_int(n)),
    "repeat": _repeat,
    "join": _join,
    "indexOf": _index,
    "lastIndexOf": lambda v, p: _index(v, p, last=True),
    "hasPrefix": lambda v, p: text_of(v).startswith(text_of(p)),
    "hasSuffix": lambda v, p: text_of(v).endswith(text_of(p)),
    "max": _extreme("max", lambda a, b: a > b),
    "min": _extreme("min", lambda a, b: a < b),
    "mean": _mean,
    "median": _median,
    "toJSON": pretty_json,
    "fromJSON": lambda v: gojson.loads(text_of(v), floats=True),
    "toBase64": lambda v: base64.b64encode(to_bytes(text_of(v))).decode(),
    "fromBase64": lambda v: decoded64(text_of(v)),
    "first": _end(0),
    "last": _end(-1),
    "get": _get,
    "take": _take,
    "keys": _keys,
    "values": _values,
    "toPairs": _to_pairs,
    "fromPairs": _pairs,
    "reverse": lambda v: _list(v, "reverse")[::-1],
    "uniq": _uniq,
    "concat": _concat,
    "flatten": flattened,
    "sort": _sort,
    "bitand": _bits("bitand", lambda a, b: a & b),
    "bitor": _bits("bitor", lambda a, b: a | b),
    "bitxor": _bits("bitxor", lambda a, b: a ^ b),
    "bitnand": _bits("bitnand", lambda a, b: a & ~b),
    "bitshl": _bits("bitshl", lambda a, b: a << min(b, 64), shift=True),
    "bitshr": _bits("bitshr", lambda a, b: a >> min(b, 64), shift=True),
    "bitushr": _bits("bitushr", lambda a, b: a % 2**64 >> min(b, 64), shift=True),
    "bitnot": _bits("bitnot", lambda a: ~a, count=1),
    **MOMENTS,
}
