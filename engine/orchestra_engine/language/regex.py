"""Regular expressions of manifests: Go's syntax and meaning, by RE2, whose time grows with the text and not worse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import re2

from orchestra_engine.language import LanguageError
from orchestra_engine.language.gotext import readable

_WORK = 200_000_000  # instructions of the program, times bytes of the text
_SEARCHES = 2_000_000_000  # matches, times characters of the text: each search may read all that is left
_GO_WORDS = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "trailing \\": "trailing backslash at end of expression",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
}


class Match:
    """A match: `match[0]` is all of it, `match[1]` and `match["name"]` are its groups, empty if they took no part."""

    def __init__(self, found: Any) -> None:
        self._found = found
        self.start, self.end = found.span()

    def __getitem__(self, group: int | str) -> str:
        try:
            return str(self._found[group] or "")
        except (IndexError, KeyError):
            return ""


def check(pattern: str) -> None:
    """Raises LanguageError, in Go's words, for a wrong pattern."""
    _program(pattern)


def search(pattern: str, text: str) -> Match | None:
    """The first match. Raises LanguageError, in Go's words, for a wrong pattern, and for too long a text."""
    found = _compiled(pattern, text := readable(text)).search(text)
    return Match(found) if found else None


def find_all(pattern: str, text: str) -> Iterator[Match]:
    """All matches from left to right, without empty ones that touch the one before. Raises as `search`."""
    end = -1
    for number, found in enumerate(_compiled(pattern, text := readable(text)).finditer(text)):
        if number * len(text) > _SEARCHES:
            raise LanguageError(f"a text of {len(text)} characters is too long to find more than {number} matches")
        match = Match(found)
        if match.start == match.end == end:
            continue
        end = match.end
        yield match


def replace(pattern: str, text: str, fill: Callable[[Match], str]) -> str:
    """The text with each match replaced by what `fill` says. Raises as `search`."""
    pieces, end, text = [], 0, readable(text)
    for match in find_all(pattern, text):
        pieces += [text[end : match.start], fill(match)]
        end = match.end
    return "".join([*pieces, text[end:]])


def split(pattern: str, text: str, count: int) -> list[str]:
    """The text between matches, at most `count` pieces unless it is negative, as Go's Regexp.Split."""
    text = readable(text)
    check(pattern)
    if not text and pattern:
        return [""] if count else []
    pieces: list[str] = []
    begin = end = 0
    for match in find_all(pattern, text):
        if count >= 0 and len(pieces) >= count - 1:
            break
        end = match.start
        if match.end:  # an empty match at the beginning cuts nothing off
            pieces.append(text[begin:end])
        begin = match.end
    if end != len(text):
        pieces.append(text[begin:])
    return pieces if count else []


@lru_cache(maxsize=512)
def _program(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(readable(pattern), options)
    except re2.error as error:
        told = error.args[0]
        what, _, where = (told.decode(errors="replace") if isinstance(told, bytes) else str(told)).partition(": ")
        raise LanguageError(f"error parsing regexp: {_GO_WORDS.get(what, what)}: `{where}`") from None


def _compiled(pattern: str, text: str) -> Any:
    program = _program(pattern)
    if program.programsize * len(text) > _WORK:
        raise LanguageError(f"a text of {len(text)} characters is too long to search for this pattern")
    return program
