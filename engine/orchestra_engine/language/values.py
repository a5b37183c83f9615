"""Go's values in Python: which type a value has in Go, how Go prints it, when two are equal, which comes first.

bool, str, float and None stand for themselves, int for Go's int, list for a slice, dict for a map with text as keys.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from orchestra_engine.language import LanguageError, gojson
from orchestra_engine.language.gotext import of_bytes, to_bytes
from orchestra_engine.language.gotime import Duration, Location, Month, Time, Weekday

_MAX_DEPTH = 1000
WORD = 2**64


class Int64(int):
    """Go's int64, which most numbers of sprig are: a function that wants an int does not take it."""

    def __str__(self) -> str:
        return int.__repr__(self)


class Uint8(int):
    """A byte of a text."""

    go_type = "uint8"

    def __str__(self) -> str:
        return int.__repr__(self)


class AnyMap(dict[Any, Any]):
    """A map whose keys may be anything (of `groupBy` and `fromPairs`); JSON cannot hold it."""

    go_type = "map[interface {}]interface {}"

    @staticmethod
    def hashed(key: Any) -> Any:
        """The key as it is stored: 1, 1.0 and true are three keys to Go.

        Raises LanguageError for what cannot be a key.
        """
        if isinstance(key, list | dict):
            raise LanguageError(f"runtime error: hash of unhashable type {type_name(key)}")
        return key if key is None or isinstance(key, str) else (type_name(key), key)

    def names(self) -> list[Any]:
        """The keys as they were given."""
        return [key[1] if isinstance(key, tuple) else key for key in self]

    def go_json(self) -> Any:
        """Refuses: LanguageError with Go's message."""
        raise LanguageError(f"json: unsupported type: {self.go_type}")


class Groups(AnyMap):
    """The groups of `groupBy`."""

    go_type = "map[interface {}][]interface {}"


class StringMap(dict[str, str]):
    """A map of text to text, which a function that wants a map of anything does not take."""

    go_type = "map[string]string"


class NilSlice(list[Any]):
    """A slice that was never made: empty, and null in JSON."""

    def go_json(self) -> None:
        """null."""


class Strings(list[str]):
    """A slice of text."""

    go_type = "[]string"


class Ints(list[int]):
    """A slice of ints."""

    go_type = "[]int"


class Bytes(list[int]):
    """A slice of bytes, which is base64 in JSON."""

    go_type = "[]uint8"

    def go_json(self) -> str:
        """The text that stands for it in JSON."""
        return base64.b64encode(bytes(self)).decode()


def bytes_of(text: str) -> Bytes:
    """The bytes of a text."""
    return Bytes(Uint8(byte) for byte in to_bytes(text))


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (Duration, "time.Duration"),
    (Month, "time.Month"),
    (Weekday, "time.Weekday"),
    (Int64, "int64"),
    (int, "int"),
    (float, "float64"),
    (str, "string"),
    (list, "[]interface {}"),
    (dict, "map[string]interface {}"),
    (Time, "time.Time"),
    (Location, "*time.Location"),
)


def type_name(value: Any) -> str:
    """The name of a value's type in Go."""
    if value is None:
        return "<nil>"
    if own := getattr(value, "go_type", ""):
        return str(own)
    found = next((name for kind, name in _KINDS if isinstance(value, kind)), "")
    return found or "func"


def conversion_fault(value: Any, wanted: str) -> str:
    """What Go says of a value that is not of the type it has to be."""
    shown = "nil" if value is None else type_name(value)
    return f"interface conversion: interface {{}} is {shown}, not {wanted}"


def kind_name(value: Any) -> str:
    """The kind of a value's type, as Go's reflect names it."""
    name = type_name(value)
    return {
        "<nil>": "invalid",
        "time.Duration": "int64",
        "time.Month": "int",
        "time.Weekday": "int",
        "time.Time": "struct",
    }.get(name) or next(
        (
            kind
            for start, kind in (("[]", "slice"), ("map[", "map"), ("*", "ptr"), ("func", "func"))
            if name.startswith(start)
        ),
        name,
    )


def is_number(value: Any) -> bool:
    """An int, an int64 or a float64, not a bool, a duration, a month or a day of the week."""
    return isinstance(value, int | float) and not isinstance(value, bool | Duration | Month | Weekday)


def is_integer(value: Any) -> bool:
    """An int or an int64."""
    return isinstance(value, int) and is_number(value)


def wrapped(value: int) -> int:
    """An integer as 64 bits hold it: Go's overflow wraps around."""
    return (value + WORD // 2) % WORD - WORD // 2


def go_text(value: Any, depth: int = 0) -> str:
    """A value as Go's fmt prints it with %v."""
    if depth > _MAX_DEPTH:
        raise LanguageError("nested too deep")
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, list | tuple):
        return "[" + " ".join(go_text(item, depth + 1) for item in value) + "]"
    if isinstance(value, dict):
        return (
            "map[" + " ".join(f"{_key_text(k)}:{go_text(value[k], depth + 1)}" for k in sorted(value, key=_key)) + "]"
        )
    if value is None or isinstance(value, bool):
        return {None: "<nil>", True: "true", False: "false"}[value]
    return str(value)


def go_string(value: Any, depth: int = 0) -> str:
    """A value as Go's fmt prints it with %s, which says of most that they are no text."""
    if depth > _MAX_DEPTH:
        raise LanguageError("nested too deep")
    if isinstance(value, Bytes):
        return of_bytes(bytes(value))
    if isinstance(value, list):
        return "[" + " ".join(go_string(item, depth + 1) for item in value) + "]"
    if isinstance(value, dict):
        return (
            "map[" + " ".join(f"{_key_text(k)}:{go_string(value[k], depth + 1)}" for k in sorted(value, key=_key)) + "]"
        )
    if value is None:
        return "<nil>" if depth else "%!s(<nil>)"
    if isinstance(value, bool | Int64 | Uint8) or type(value) in (int, float):
        return f"%!s({type_name(value)}={go_text(value)})"
    return str(value)


def _key(key: Any) -> tuple[bool, Any]:
    if isinstance(key, tuple):
        return (False, float(key[1]) if is_number(key[1]) else 0.0)
    return (True, key) if isinstance(key, str) else (False, 0.0)


def _key_text(key: Any) -> str:
    return go_text(key[1] if isinstance(key, tuple) else key)


def float_text(value: float) -> str:
    """A float as %v prints it: with an exponent outside of 1e-4 to 1e6."""
    if not math.isfinite(value):
        return {"inf": "+Inf", "-inf": "-Inf"}.get(str(float(value)), "NaN")
    if value and not 1e-4 <= abs(value) < 1e6:
        return _exponent(value)
    return gojson.number(float(value))


def _exponent(value: float) -> str:
    mantissa, _, exponent = f"{float(value)!r}".partition("e")
    if not exponent:
        mantissa, _, exponent = f"{value:.17e}".partition("e")
        shortest = next(m for d in range(18) if float(m := f"{value:.{d}e}") == value)
        mantissa, _, exponent = shortest.partition("e")
    return f"{mantissa}e{'+' if int(exponent) >= 0 else '-'}{abs(int(exponent)):02d}"


def equal(left: Any, right: Any) -> bool:
    """expr-lang's ==: numbers and moments by value, everything else by type and value."""
    if type(left) is str and type(right) is str:
        return left == right
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, Time) and isinstance(right, Time):
        return left.instant == right.instant
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return deeply_equal(left, right)


def deeply_equal(left: Any, right: Any) -> bool:
    """Go's reflect.DeepEqual: the same type and the same value, all the way down."""
    if type_name(left) != type_name(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(deeply_equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(deeply_equal, left, right))
    return left is right if callable(left) else bool(left == right)


_MAX_COMPARED = 500


def distinct(items: list[Any], same: Callable[[Any, Any], bool]) -> list[Any]:
    """The items without those that are the same as one before.

    Raises LanguageError for too many that have to be compared one by one: lists, maps and the like.
    """
    found: list[Any] = []
    compared: list[Any] = []
    texts: set[str] = set()
    for item in items:
        if isinstance(item, str):
            if item not in texts:
                texts.add(item)
                found.append(item)
        elif not any(same(item, other) for other in compared):
            compared.append(item)
            found.append(item)
            if len(compared) > _MAX_COMPARED:
                raise LanguageError(f"more than {_MAX_COMPARED} different items that are no text")
    return found


def order(left: Any, right: Any) -> int:
    """-1, 0 or 1, of two numbers, texts, moments or durations.

    Raises LanguageError, in expr-lang's words, for other pairs.
    """
    if (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
        return int(left > right) - int(left < right)
    if isinstance(left, Time) and isinstance(right, Time):
        return (left.instant > right.instant) - (left.instant < right.instant)
    if isinstance(left, Duration) and isinstance(right, Duration):
        return (left > right) - (left < right)
    raise LanguageError(f"invalid operation: {type_name(left)} < {type_name(right)}")


class Signature(NamedTuple):
    """The Go types of a function's parameters and results; with `variadic` the last parameter may be repeated."""

    parameters: tuple[str, ...]
    results: tuple[str, ...]
    variadic: bool = False

    @property
    def go_type(self) -> str:
        """As Go writes the function's type."""
        shown = [*self.parameters[:-1], "..." + self.parameters[-1]] if self.variadic else self.parameters
        results = ", ".join(self.results)
        return f"func({', '.join(shown)}) " + (f"({results})" if len(self.results) > 1 else results)


_SHORT = {
    "any": "interface {}",
    "any[]": "[]interface {}",
    "bytes": "[]uint8",
    "dict": "map[string]interface {}",
    "duration": "time.Duration",
    "float": "float64",
    "float[]": "[]float64",
    "int[]": "[]int",
    "month": "time.Month",
    "string[]": "[]string",
    "time": "time.Time",
    "weekday": "time.Weekday",
    "zone": "*time.Location",
}


def signatures(text: str) -> tuple[Signature, ...]:
    """Signatures written as `string int > string | any... > any`, with short names of Go's types, dots if variadic."""
    found = []
    for one in text.split("|"):
        parameters, _, results = one.partition(">")
        given = [_SHORT.get(name, name) for name in parameters.replace("...", "").split()]
        made = [_SHORT.get(name, name) for name in results.split()]
        found.append(Signature(tuple(given), tuple(made), "..." in parameters))
    return tuple(found)


class Function:
    """A function that an expression can call."""

    __slots__ = ("call", "name", "signature")

    def __init__(self, name: str, call: Callable[..., Any], signature: Signature) -> None:
        self.name, self.call, self.signature = name, call, signature

    @property
    def go_type(self) -> str:
        """As Go writes the function's type."""
        return self.signature.go_type

    def __str__(self) -> str:
        return self.go_type

    def __call__(self, *arguments: Any) -> Any:
        """Calls it as Go's reflection does, which compares the types of arguments.

        Raises LanguageError with Go's words.
        """
        parameters, _, variadic = self.signature
        least = len(parameters) - variadic
        if len(arguments) < least or (not variadic and len(arguments) > least):
            wanted = f"at least {least}" if variadic else str(least)
            raise LanguageError(f"invalid number of arguments: expected {wanted}, got {len(arguments)}")
        given = []
        for index, argument in enumerate(arguments):
            wanted = parameters[min(index, len(parameters) - 1)]
            if argument is None:
                given.append(_ZERO.get(wanted))
                continue
            if wanted != "interface {}" and type_name(argument) != wanted:
                name = type_name(argument)
                if variadic and index >= least:
                    raise LanguageError(f"reflect: cannot use {name} as type {wanted} in Call")
                raise LanguageError(f"reflect: Call using {name} as type {wanted}")
            given.append(argument)
        return self.call(*given)


_ZERO: dict[str, Any] = {"string": "", "int": 0, "float64": 0.0, "bool": False, "time.Time": Time(-62135596800)}
