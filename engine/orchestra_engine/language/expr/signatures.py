"""The types of expr-lang's builtins and of the methods of times, durations and zones, as its compiler checks them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from orchestra_engine.language.expr.natures import ARRAY, FLOAT, INT, TIME, UNKNOWN, Nature
from orchestra_engine.language.values import Signature, signatures

_NUMBERS = ("int", "int64", "uint8", "float64")
_SIZED = ("slice", "map", "string")


class Mismatch(Exception):
    """A call that does not fit; `index` is that of the wrong argument, None if it is the call itself."""

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


Validator = Callable[[Sequence[Nature]], Nature]


def call_nature(name: str, signature: Signature, given: Sequence[Nature]) -> Nature:
    """The nature of a call's result.

    Raises Mismatch with expr-lang's words.
    """
    if len(signature.results) > 2:
        raise Mismatch(f"func {name} returns more then two values")
    wanted = len(signature.parameters) - signature.variadic
    if len(given) < wanted:
        raise Mismatch(f"not enough arguments to call {name}")
    if len(given) > wanted and not signature.variadic:
        raise Mismatch(f"too many arguments to call {name}")
    for index, nature in enumerate(given):
        to = Nature(signature.parameters[min(index, len(signature.parameters) - 1)])
        if (to.name == "float64" and nature.integer) or (to.integer and nature.integer):
            continue
        if nature.nil and to.kind not in ("ptr", "interface"):
            raise Mismatch(f"cannot use nil as argument (type {to}) to call {name}", index)
        if not nature.nil and not nature.unknown and not nature.assignable(to):
            raise Mismatch(f"cannot use {nature} as argument (type {to}) to call {name} ", index)
    return Nature(signature.results[0])


def _kind(nature: Nature) -> str:
    """The kind that a builtin sees: `interface` of what is unknown, as a type made of int counts as its kind."""
    return "interface" if nature.unknown else nature.kind


def _shown(nature: Nature) -> str:
    return "%!s(<nil>)" if nature.nil else str(nature)


def _count(given: Sequence[Nature], *allowed: int) -> None:
    if len(given) not in allowed:
        raise Mismatch(f"invalid number of arguments (expected {allowed[0]}, got {len(given)})")


def _one(kinds: tuple[str, ...], refusal: str, result: Nature | None) -> Validator:
    """A builtin of one argument; `result` None means that of the argument."""

    def validate(given: Sequence[Nature]) -> Nature:
        _count(given, 1)
        if _kind(given[0]) not in (*kinds, "interface"):
            raise Mismatch(refusal.format(_shown(given[0])))
        return given[0] if result is None else result

    return validate


def _aggregate(name: str) -> Validator:
    def validate(given: Sequence[Nature]) -> Nature:
        if not given:
            raise Mismatch(f"not enough arguments to call {name}")
        for nature in given:
            if _kind(nature) in ("interface", "slice"):
                return UNKNOWN
            if _kind(nature) not in _NUMBERS:
                raise Mismatch(f"invalid argument for {name} (type {_shown(nature)})")
        return given[0]

    return validate


def _end(refusal: str) -> Validator:
    def validate(given: Sequence[Nature]) -> Nature:
        _count(given, 1)
        if _kind(given[0]) == "slice":
            # The compiler forgets what it knows better of the items than their type says.
            return Nature(given[0].name[2:])
        if _kind(given[0]) != "interface":
            raise Mismatch(refusal.format(_shown(given[0])))
        return UNKNOWN

    return validate


def _take(given: Sequence[Nature]) -> Nature:
    _count(given, 2)
    if _kind(given[0]) not in ("interface", "slice"):
        raise Mismatch(f"cannot take from {_shown(given[0])}")
    if _kind(given[1]) not in ("interface", "int", "int64"):
        raise Mismatch(f"cannot take {_shown(given[1])} elements")
    return Nature(given[0].name)


def _concat(given: Sequence[Nature]) -> Nature:
    if not given:
        raise Mismatch("invalid number of arguments (expected at least 1, got 0)")
    for nature in given:
        if _kind(nature) not in ("interface", "slice"):
            raise Mismatch(f"cannot concat {_shown(nature)}")
    return ARRAY


def _now(given: Sequence[Nature]) -> Nature:
    if not given or (len(given) == 1 and given[0].name == "*time.Location"):
        return TIME
    raise Mismatch(f"invalid number of arguments (expected 0, got {len(given)})")


def _date(given: Sequence[Nature]) -> Nature:
    if not given:
        raise Mismatch("invalid number of arguments (expected at least 1, got 0)")
    rest = given[1:] if given[0].name == "*time.Location" else given
    if len(rest) > 3:
        raise Mismatch(f"invalid number of arguments (expected at most 3, got {len(rest)})")
    return TIME


def _get(given: Sequence[Nature]) -> Nature:
    _count(given, 2)
    return UNKNOWN


_BITS = signatures("int int > int")
_KEYED = ("map",)
BUILTINS: dict[str, Validator | tuple[Signature, ...]] = {
    "len": _one(_SIZED, "invalid argument for len (type {})", INT),
    "type": signatures("any > string"),
    "abs": _one((*_NUMBERS,), "invalid argument for abs (type {})", None),
    "ceil": _one((*_NUMBERS,), "invalid argument for ceil (type {})", FLOAT),
    "floor": _one((*_NUMBERS,), "invalid argument for floor (type {})", FLOAT),
    "round": _one((*_NUMBERS,), "invalid argument for round (type {})", FLOAT),
    "int": _one((*_NUMBERS, "string"), "invalid argument for int (type {})", INT),
    "float": _one((*_NUMBERS, "string"), "invalid argument for float (type {})", FLOAT),
    "string": signatures("any > string"),
    "trim": signatures("string > string | string string > string"),
    "trimPrefix": signatures("string string > string | string > string"),
    "trimSuffix": signatures("string string > string | string > string"),
    "upper": signatures("string > string"),
    "lower": signatures("string > string"),
    "split": signatures("string string > string[] | string string int > string[]"),
    "splitAfter": signatures("string string > string[] | string string int > string[]"),
    "replace": signatures("string string string int > string | string string string > string"),
    "repeat": signatures("string int > string"),
    "join": signatures(
        "string[] string > string | any[] string > string | any[] > string | string[] string > string"
        " | string[] > string"
    ),
    "indexOf": signatures("string string > int"),
    "lastIndexOf": signatures("string string > int"),
    "hasPrefix": signatures("string string > bool"),
    "hasSuffix": signatures("string string > bool"),
    **{name: _aggregate(name) for name in ("max", "min", "mean", "median")},
    "toJSON": signatures("any > string"),
    "fromJSON": signatures("string > any"),
    "toBase64": signatures("string > string"),
    "fromBase64": signatures("string > string"),
    "now": _now,
    "duration": signatures("string > duration error"),
    "date": _date,
    "timezone": signatures("string > zone error"),
    "first": _end("cannot get first element from {}"),
    "last": _end("cannot get last element from {}"),
    "get": _get,
    "take": _take,
    "keys": _one(_KEYED, "cannot get keys from {}", ARRAY),
    "values": _one(_KEYED, "cannot get values from {}", ARRAY),
    "toPairs": _one(_KEYED, "cannot transform {} to pairs", ARRAY),
    "fromPairs": _one(("slice",), "cannot transform {} from pairs", Nature("map[interface {}]interface {}")),
    "reverse": _one(("slice",), "cannot reverse {}", ARRAY),
    "uniq": _one(("slice",), "cannot uniq {}", ARRAY),
    "concat": _concat,
    "flatten": _one(("slice",), "cannot flatten {}", ARRAY),
    "sort": signatures(
        "any[] string > any[] | int[] string > any[] | float[] string > any[] | string[] string > any[]"
        " | any[] > any[] | float[] > any[] | string[] > any[] | int[] > any[]"
    ),
    **dict.fromkeys(("bitand", "bitor", "bitxor", "bitnand", "bitshl", "bitshr", "bitushr"), _BITS),
    "bitnot": signatures("int > int"),
}
NAMES = frozenset(BUILTINS) | frozenset(
    [
        "all",
        "none",
        "any",
        "one",
        "filter",
        "map",
        "find",
        "findIndex",
        "findLast",
        "findLastIndex",
        "count",
        "sum",
        "groupBy",
        "sortBy",
        "reduce",
    ]
)


@lru_cache(maxsize=1024)
def count_fault(name: str, count: int) -> str | None:
    """What is wrong with calling a builtin with so many arguments, None if nothing is.

    The compiler does not look at the arguments of a function that it does not know, so that calls inside of those have
    to be looked at when they run.
    """
    unknown = [UNKNOWN] * count
    signature = BUILTINS[name]
    fault: str | None = None
    for one in (signature,) if callable(signature) else signature:
        try:
            if callable(one):
                one(unknown)
            else:
                call_nature(name, one, unknown)
            return None
        except Mismatch as mismatch:
            fault = str(mismatch)
    return fault


def _methods(text: str) -> dict[str, Signature]:
    found = {}
    for line in text.strip().splitlines():
        name, _, types = line.strip().partition(" ")
        found[name] = signatures(types)[0]
    return found


METHODS: dict[str, dict[str, Signature]] = {
    "time.Time": _methods(
        """
        Add duration > time
        AddDate int int int > time
        After time > bool
        Before time > bool
        Clock > int int int
        Compare time > int
        Date > int month int
        Day > int
        Equal time > bool
        Format string > string
        GoString > string
        Hour > int
        ISOWeek > int int
        In zone > time
        IsDST > bool
        IsZero > bool
        Local > time
        Location > zone
        MarshalJSON > bytes error
        MarshalText > bytes error
        Minute > int
        Month > month
        Nanosecond > int
        Round duration > time
        Second > int
        String > string
        Sub time > duration
        Truncate duration > time
        UTC > time
        Unix > int64
        UnixMicro > int64
        UnixMilli > int64
        UnixNano > int64
        Weekday > weekday
        Year > int
        YearDay > int
        Zone > string int
        """
    ),
    "time.Duration": _methods(
        """
        Abs > duration
        Hours > float
        Microseconds > int64
        Milliseconds > int64
        Minutes > float
        Nanoseconds > int64
        Round duration > duration
        Seconds > float
        String > string
        Truncate duration > duration
        """
    ),
    "*time.Location": _methods("String > string"),
    "time.Month": _methods("String > string"),
    "time.Weekday": _methods("String > string"),
}
