"""sprig's functions of regular expressions: https://masterminds.github.io/sprig/strings.html, by RE2."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from orchestra_engine.language import LanguageError, regex
from orchestra_engine.language.gotext import go_quoted
from orchestra_engine.language.sprig.text import room
from orchestra_engine.language.values import NilSlice, Strings

MUST = frozenset(("regexSplit",))
_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))")


def _match(pattern: str, text: str) -> bool:
    return regex.search(pattern, text) is not None


def _match_or_not(pattern: str, text: str) -> bool:
    try:
        return _match(pattern, text)
    except LanguageError as error:
        if str(error).startswith("error parsing regexp"):
            return False
        raise


def _find(pattern: str, text: str) -> str:
    return found[0] if (found := regex.search(pattern, text)) else ""


def _find_all(pattern: str, text: str, count: int) -> list[str]:
    found = Strings()
    for match in regex.find_all(pattern, text):
        if 0 <= count <= len(found):
            break
        found.append(match[0])
    return found or NilSlice()


def _substituted(pattern: str, text: str, fill: Callable[[regex.Match], str]) -> str:
    made = len(text)

    def filled(match: regex.Match) -> str:
        nonlocal made
        piece = fill(match)
        made += len(piece)
        room(made)
        return piece

    return regex.replace(pattern, text, filled)


def _replace(pattern: str, text: str, replacement: str) -> str:
    def fill(match: regex.Match) -> str:
        def group(reference: re.Match[str]) -> str:
            if reference[0] == "$$":
                return "$"
            name = reference[1] or reference[2]
            return match[int(name[:9]) if name.isdigit() else name]

        return _REFERENCE.sub(group, replacement)

    return _substituted(pattern, text, fill)


def _literally(pattern: str, text: str, replacement: str) -> str:
    return _substituted(pattern, text, lambda _match: replacement)


def _strict(call: Callable[..., Any]) -> Callable[..., Any]:
    """As Go's MustCompile, whose panic names the pattern."""

    def called(pattern: str, *rest: Any) -> Any:
        try:
            return call(pattern, *rest)
        except LanguageError as error:
            if not str(error).startswith("error parsing regexp"):
                raise
            shown = f"`{pattern}`" if "`" not in pattern and pattern.isprintable() else go_quoted(pattern)
            raise LanguageError(f"regexp: Compile({shown}): {error}") from None

    return called


def _split(pattern: str, text: str, count: int) -> list[str]:
    found = regex.split(pattern, text, count)
    return Strings(found) if count else NilSlice()


_THREE = "string string string > string"
FUNCTIONS: dict[str, tuple[str, Callable[..., Any]]] = {
    "regexFind": ("string string > string", _strict(_find)),
    "regexFindAll": ("string string int > string[]", _strict(_find_all)),
    "regexMatch": ("string string > bool", _match_or_not),
    "regexQuoteMeta": ("string > string", lambda text: re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text)),
    "regexReplaceAll": (_THREE, _strict(_replace)),
    "regexReplaceAllLiteral": (_THREE, _strict(_literally)),
    "regexSplit": ("string string int > string[]", _strict(_split)),
    "mustRegexFind": ("string string > string error", _find),
    "mustRegexFindAll": ("string string int > string[] error", _find_all),
    "mustRegexMatch": ("string string > bool error", _match),
    "mustRegexReplaceAll": (_THREE + " error", _replace),
    "mustRegexReplaceAllLiteral": (_THREE + " error", _literally),
    "mustRegexSplit": ("string string int > string[] error", _split),
}
