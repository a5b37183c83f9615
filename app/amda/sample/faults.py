"""What the sample can be told to do wrong, so that a client's answer to it can be tested."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

Count = int | Literal["always"]
_COUNTS = ("fail", "truncate", "drop")


class BadFaults(ValueError):
    """A fault that the sample does not know, or with a value that makes no sense."""


@dataclass(kw_only=True)
class Faults:
    """The faults in force. Counts say how many requests are hit; `"always"` never ends.

    fail           answer `{"success": false}`, or the HTTP status of `status`
    status         the HTTP status of a failing request; given alone, every request fails
    on             what `fail` hits: "data" (getParameter, getDataset), "tree" (getObsDataTree) or "all"
    slow_seconds   wait before each answer about data
    in_progress    so many polls of getStatus are answered "in progress" before the file is ready
    empty          files have no records, which is AMDA's "no data"
    truncate       half of the file is served as if it were the whole
    drop           the connection breaks in the middle of the file
    """

    fail: Count = 0
    status: int | None = None
    on: Literal["data", "tree", "all"] = "data"
    slow_seconds: float = 0.0
    in_progress: int = 0
    empty: bool = False
    truncate: Count = 0
    drop: Count = 0

    def __post_init__(self) -> None:
        for name in _COUNTS:
            value = getattr(self, name)
            if value != "always" and not (_is_int(value) and value >= 0):
                raise BadFaults(f'{name}: {value!r} is neither a count nor "always"')
        if self.status is not None and not (_is_int(self.status) and 400 <= self.status <= 599):
            raise BadFaults(f"status: {self.status!r} is not an HTTP status from 400 to 599")
        if self.on not in ("data", "tree", "all"):
            raise BadFaults(f'on: {self.on!r} is not one of "data", "tree", "all"')
        if isinstance(self.slow_seconds, bool) or not isinstance(self.slow_seconds, int | float):
            raise BadFaults(f"slow_seconds: {self.slow_seconds!r} is not a number of seconds")
        if not 0 <= self.slow_seconds <= 3600:
            raise BadFaults(f"slow_seconds: {self.slow_seconds!r} is not from 0 to 3600")
        if not (_is_int(self.in_progress) and self.in_progress >= 0):
            raise BadFaults(f"in_progress: {self.in_progress!r} is not a count")
        if not isinstance(self.empty, bool):
            raise BadFaults(f"empty: {self.empty!r} is neither true nor false")
        if self.status is not None and self.fail == 0:
            self.fail = "always"

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Faults:
        """Faults from a JSON object; raises BadFaults for an unknown name or an impossible value."""
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise BadFaults(f"unknown fault {', '.join(unknown)}; known are {', '.join(known)}")
        return cls(**values)

    @classmethod
    def from_options(cls, options: Iterable[str]) -> Faults:
        """Faults from `name=value` words (a name alone means "always", or true); raises BadFaults."""
        values: dict[str, Any] = {}
        for option in options:
            name, equals, text = option.partition("=")
            try:
                values[name] = json.loads(text) if equals else ("always" if name in _COUNTS else True)
            except ValueError:
                values[name] = text
        return cls.from_mapping(values)

    def take(self, name: Literal["fail", "truncate", "drop"]) -> bool:
        """Whether the next request is hit by a counted fault; uses up one. Callers hold the sample's lock."""
        left = getattr(self, name)
        if left == "always":
            return True
        if left > 0:
            setattr(self, name, left - 1)
        return bool(left > 0)

    def fails(self, kind: Literal["data", "tree"]) -> bool:
        """Whether a request of this kind fails; uses up one if so. Callers hold the sample's lock."""
        return self.on in (kind, "all") and self.take("fail")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
