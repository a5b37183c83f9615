"""Regular expressions of manifests: Go's syntax as far as Python shares it, and none that could run for ever.

Go's engine is linear in time, Python's is not; a pattern that could take exponential time is refused, and one that
takes polynomial time is only applied to texts that are short enough.
"""

from __future__ import annotations

import re
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from orchestra_engine.language import LanguageError

_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
_WORK = 50_000_000


def _loops(items: Any, inside: bool) -> int:
    """Count unbounded repeats in sequence; refuse one inside another."""
    count = 0
    for op, arg in items:
        if op in _REPEATS:
            _low, high, body = arg
            unbounded = high is codes.MAXREPEAT or high > 100
            if unbounded and inside:
                raise LanguageError("a repetition inside a repetition could take for ever; write it without nesting")
            inner = _loops(body, inside or unbounded)
            count += max(inner, 1) if unbounded else inner * max(int(high), 1)
        elif op is codes.SUBPATTERN:
            count += _loops(arg[3], inside)
        elif op is codes.BRANCH:
            if inside:
                raise LanguageError("a choice inside a repetition could take for ever; use a class such as [ab]")
            count += max((_loops(branch, inside) for branch in arg[1]), default=0)
        elif op in (codes.ASSERT, codes.ASSERT_NOT):
            raise LanguageError("invalid or unsupported Perl syntax: look-around")
        elif op is codes.GROUPREF or op is codes.GROUPREF_EXISTS:
            raise LanguageError("invalid or unsupported Perl syntax: back-reference")
        elif op is codes.ATOMIC_GROUP:
            raise LanguageError("invalid or unsupported Perl syntax: atomic group")
    return count


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> tuple[re.Pattern[str], int]:
    if len(pattern) > 1000:
        raise LanguageError("a pattern has more than 1000 characters")
    python = pattern.replace("\\z", "\\Z").replace("[[:alpha:]]", "[a-zA-Z]").replace("[[:digit:]]", "[0-9]")
    try:
        tree = parser.parse(python)
        loops = _loops(tree, False)
        return re.compile(python), loops
    except (re.error, OverflowError, RecursionError) as error:
        raise LanguageError(f"error parsing regexp: {error}: `{pattern}`") from None


def compile(pattern: str, text: str) -> re.Pattern[str]:
    """The compiled pattern, safe to apply to `text`.

    Raises LanguageError if the pattern is wrong or could take too long on that text.
    """
    compiled, loops = _compiled(pattern)
    if loops and (len(text) + 1) ** (loops + 1) > _WORK:
        raise LanguageError(f"a pattern with {loops} repetitions is too slow for a text of {len(text)} characters")
    if (len(text) + 1) * (len(pattern) + 1) > _WORK:
        raise LanguageError(f"a text of {len(text)} characters is too long to search")
    return compiled
