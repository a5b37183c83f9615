"""The order of values, as expr-lang's `sort` and `sortBy` have it."""

from __future__ import annotations

import math
from functools import cmp_to_key
from typing import Any

from orchestra_engine.language.gotime import Duration, Month, Weekday
from orchestra_engine.language.values import order


def sorted_indices(keys: list[Any], direction: str) -> list[int]:
    """The indices of `keys` in their order ("asc" or "desc"), stable.

    Raises LanguageError if two keys cannot be compared.
    """
    plain = all(isinstance(key, str) for key in keys) or all(
        isinstance(key, int | float) and math.isfinite(key) for key in keys
    )
    if plain and not any(isinstance(key, bool | Duration | Month | Weekday) for key in keys):
        return sorted(range(len(keys)), key=keys.__getitem__, reverse=direction == "desc")
    sign = 1 if direction == "asc" else -1

    def compare(a: int, b: int) -> int:
        return sign * order(keys[a], keys[b])

    return sorted(range(len(keys)), key=cmp_to_key(compare))
