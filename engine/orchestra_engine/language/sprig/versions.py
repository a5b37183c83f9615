"""Semantic versions and constraints on them, as github.com/Masterminds/semver 3.5 has them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from orchestra_engine.language import LanguageError
from orchestra_engine.language.gotext import go_quoted
from orchestra_engine.language.values import Function, signatures

_VERSION = re.compile(
    r"v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?(?:-([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?"
    r"(?:\+([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?"
)
_PARTIAL = (
    r"v?([0-9|xX*]+)(\.[0-9|xX*]+)?(\.[0-9|xX*]+)?(-(?:[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?"
    r"(\+(?:[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?"
)
_PLAIN_PARTIAL = re.sub(r"\((?!\?)", "(?:", _PARTIAL)
_OPERATORS = r"(|!=|>=|=>|<=|=<|~>|=|>|<|~|\^)"
_PLAIN_OPERATORS = "(?:" + _OPERATORS[1:]
_ONE = re.compile(rf"\s*{_OPERATORS}\s*{_PARTIAL}\s*")
_EACH = re.compile(rf"{_PLAIN_OPERATORS}\s*{_PLAIN_PARTIAL}")
_GROUP = re.compile(
    rf"\s*{_PLAIN_OPERATORS}\s*{_PLAIN_PARTIAL}\s*(?:(?:\s+|,\s*){_PLAIN_OPERATORS}\s*{_PLAIN_PARTIAL}\s*)*"
)
_RANGE = re.compile(rf"\s*({_PLAIN_PARTIAL})\s+-\s+({_PLAIN_PARTIAL})\s*")
_MAX_VERSION, _MAX_CONSTRAINT, _MAX_GROUPS = 256, 512, 32


@dataclass(frozen=True, slots=True)
class Version:
    """A semantic version; in JSON and in text as it was normalized."""

    numbers: tuple[int, int, int]
    pre: str
    metadata: str
    original: str
    go_type = "*semver.Version"

    def __str__(self) -> str:
        text = ".".join(map(str, self.numbers))
        return text + (f"-{self.pre}" if self.pre else "") + (f"+{self.metadata}" if self.metadata else "")

    def go_json(self) -> str:
        """The text that stands for it in JSON."""
        return str(self)

    def go_member(self, name: str) -> Function | None:
        """A method of Go's type, bound."""
        found = _METHODS.get(name)
        return Function(name, partial(found[1], self), signatures(found[0])[0]) if found else None


def parse(text: str) -> Version:
    """The version that a text says; minor and patch may be missing.

    Raises LanguageError with the library's message.
    """
    if len(text) > _MAX_VERSION:
        raise LanguageError("version string is too long")
    found = _VERSION.fullmatch(text)
    if found is None:
        raise LanguageError("invalid semantic version")
    numbers = [int((part or "0").lstrip(".")) for part in found.groups()[:3]]
    for number in numbers:
        if number >= 2**64:
            raise LanguageError(
                f'error parsing version segment: strconv.ParseUint: parsing "{number}": value out of range'
            )
    if any(len(label) > 1 and label.isdigit() and label[0] == "0" for label in (found[4] or "").split(".")):
        raise LanguageError("version segment starts with 0")
    return Version((numbers[0], numbers[1], numbers[2]), found[4] or "", found[5] or "", text)


def _label_order(left: str, right: str) -> int:
    if left == right:
        return 0
    if not left or not right:
        return 1 if left else -1
    if left.isdigit() and right.isdigit():
        return 1 if int(left) > int(right) else -1
    if left.isdigit() or right.isdigit():
        return -1 if left.isdigit() else 1
    return 1 if left > right else -1


def compare(left: Version, right: Version) -> int:
    """-1, 0 or 1; a version before its release comes before it, metadata counts for nothing."""
    if left.numbers != right.numbers:
        return 1 if left.numbers > right.numbers else -1
    if not left.pre or not right.pre:
        return bool(right.pre) - bool(left.pre)
    mine, other = left.pre.split("."), right.pre.split(".")
    length = max(len(mine), len(other))
    pairs = zip(mine + [""] * (length - len(mine)), other + [""] * (length - len(other)), strict=True)
    return next((found for a, b in pairs if (found := _label_order(a, b))), 0)


@dataclass(frozen=True, slots=True)
class _Constraint:
    """`dirty` counts what is left open: 0 nothing, 1 the patch, 2 minor and patch, 3 all."""

    operator: str
    version: Version
    dirty: int


def _constraint(text: str) -> _Constraint:
    found = _ONE.fullmatch(text)
    if found is None:
        raise LanguageError(f"improper constraint: {go_quoted(text)}")
    operator, major, minor, patch, pre, _ = found.groups()
    parts = [part.lstrip(".") if part else "" for part in (major, minor, patch)]
    open_ = next((3 - i for i, part in enumerate(parts) if part in ("", "x", "X", "*")), 0)
    kept = [*parts[: 3 - open_], "0", "0", "0"][:3]
    written = ".".join(kept) + (pre or "" if open_ else (pre or "") + (found[6] or ""))
    try:
        return _Constraint(operator, parse(written), open_)
    except LanguageError:
        raise LanguageError("constraint parser error") from None


def _within_tilde(version: Version, wanted: _Constraint) -> bool:
    if compare(version, wanted.version) < 0:
        return False
    if wanted.version.numbers == (0, 0, 0) and wanted.dirty in (0, 3):
        return True
    same_minor = version.numbers[1] == wanted.version.numbers[1] or wanted.dirty == 2
    return version.numbers[0] == wanted.version.numbers[0] and same_minor


def _within_caret(version: Version, wanted: _Constraint) -> bool:
    mine, other = version.numbers, wanted.version.numbers
    if compare(version, wanted.version) < 0:
        return False
    if other[0] > 0 or wanted.dirty == 2:
        return mine[0] == other[0]
    if mine[0] > 0:
        return False
    if other[1] > 0 or wanted.dirty == 1:
        return mine[1] == other[1]
    return mine[1] == 0 and mine[2] == other[2]


def _differs(version: Version, wanted: _Constraint) -> bool:
    mine, other = version.numbers, wanted.version.numbers
    if wanted.dirty:
        if mine[0] != other[0]:
            return True
        if mine[1] != other[1] and wanted.dirty != 2:
            return True
        if wanted.dirty == 2:
            return False
        if wanted.dirty == 1:
            return compare(Version((0, 0, 0), version.pre, "", ""), Version((0, 0, 0), wanted.version.pre, "", "")) != 0
        if mine[2] != other[2]:
            return True
    return compare(version, wanted.version) != 0


def _above(version: Version, wanted: _Constraint) -> bool:
    mine, other = version.numbers, wanted.version.numbers
    if wanted.dirty in (0, 3) or mine[0] != other[0]:
        return compare(version, wanted.version) > 0 if mine[0] == other[0] or not wanted.dirty else mine[0] > other[0]
    return wanted.dirty == 1 and mine[1] > other[1]


def _at_most(version: Version, wanted: _Constraint) -> bool:
    mine, other = version.numbers, wanted.version.numbers
    if not wanted.dirty:
        return compare(version, wanted.version) <= 0
    return mine[0] < other[0] or (mine[0] == other[0] and (mine[1] <= other[1] or wanted.dirty == 2))


def _same(version: Version, wanted: _Constraint) -> bool:
    return _within_tilde(version, wanted) if wanted.dirty else compare(version, wanted.version) == 0


_CHECKS: dict[str, Callable[[Version, _Constraint], bool]] = {
    **dict.fromkeys(("", "="), _same),
    "!=": _differs,
    ">": _above,
    "<": lambda version, wanted: compare(version, wanted.version) < 0,
    **dict.fromkeys((">=", "=>"), lambda version, wanted: compare(version, wanted.version) >= 0),
    **dict.fromkeys(("<=", "=<"), _at_most),
    **dict.fromkeys(("~", "~>"), _within_tilde),
    "^": _within_caret,
}


def satisfies(constraint: str, text: str) -> bool:
    """sprig's semverCompare.

    Raises LanguageError with the library's message for a wrong constraint or version.
    """
    if len(constraint) > _MAX_CONSTRAINT:
        raise LanguageError(f"constraint string is too long (max {_MAX_CONSTRAINT} bytes)")
    groups = _RANGE.sub(lambda m: f">= {m[1]}, <= {m[2]} ", constraint).split("||")
    if len(groups) > _MAX_GROUPS:
        raise LanguageError(f"too many constraint groups (max {_MAX_GROUPS})")
    parsed = []
    for group in groups:
        if not _GROUP.fullmatch(group):
            raise LanguageError(f"improper constraint: {go_quoted(group)}")
        parsed.append([_constraint(one) for one in _EACH.findall(group)])
    version = parse(text)
    return any(_all_hold(version, wanted) for wanted in parsed)


def _all_hold(version: Version, group: list[_Constraint]) -> bool:
    if version.pre and not any(wanted.version.pre for wanted in group):
        return False  # a version before its release only meets a constraint that names one
    return all(_CHECKS[wanted.operator](version, wanted) for wanted in group)


_METHODS: dict[str, tuple[str, Callable[..., Any]]] = {
    "Major": ("> uint64", lambda v: v.numbers[0]),
    "Minor": ("> uint64", lambda v: v.numbers[1]),
    "Patch": ("> uint64", lambda v: v.numbers[2]),
    "Prerelease": ("> string", lambda v: v.pre),
    "Metadata": ("> string", lambda v: v.metadata),
    "Original": ("> string", lambda v: v.original),
    "String": ("> string", str),
    "Compare": ("*semver.Version > int", compare),
    "Equal": ("*semver.Version > bool", lambda v, w: compare(v, w) == 0),
    "GreaterThan": ("*semver.Version > bool", lambda v, w: compare(v, w) > 0),
    "LessThan": ("*semver.Version > bool", lambda v, w: compare(v, w) < 0),
}
FUNCTIONS: dict[str, tuple[str, Callable[..., Any]]] = {
    "semver": ("string > *semver.Version error", parse),
    "semverCompare": ("string string > bool error", satisfies),
}
