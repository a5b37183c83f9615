"""The order of values, as expr-lang's `sort` and `sortBy` have it."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

from orchestra_engine.language.values import order


def sorted_indices(keys: list[Any], direction: str) -> list[int]:
    """The indices of `keys` in their order ("asc" or "desc"), stable.

    Raises LanguageError if two keys cannot be compared.
    """
    sign = 1 if direction == "asc" else -1

    def compare(a: int, b: int) -> int:
        return sign * order(keys[a], keys[b])

    return sorted(range(len(keys)), key=cmp_to_key(compare))
