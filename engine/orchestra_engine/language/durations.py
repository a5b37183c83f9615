"""Go durations, Argo's durations and Kubernetes quantities."""

from __future__ import annotations

import math
import re
from functools import lru_cache

from orchestra_engine.language import LanguageError
from orchestra_engine.language.gotime import SECOND, parse_duration

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE]?))")


@lru_cache(maxsize=1024)
def go(text: str) -> float:
    """Seconds of a Go duration ("1h30m", "2s", "300ms").

    Raises LanguageError with Go's own message (`time: missing unit in duration "10"`).
    """
    return parse_duration(text) / SECOND


@lru_cache(maxsize=1024)
def argo(text: str) -> float:
    """Seconds of a duration as Argo's suspend, backoff and timeout take it: a plain number of seconds, or Go's form."""
    try:
        if re.fullmatch(r"[+-]?\d+", text):
            return float(int(text[:20]))
        return go(text)
    except LanguageError as error:
        raise LanguageError(f"unable to parse {text} as a duration: {error}") from None


@lru_cache(maxsize=1024)
def quantity(text: str) -> float:
    """The number that a Kubernetes quantity stands for: "512Mi" → 536870912 (bytes), "500m" → 0.5 (cores).

    Format: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    found = _QUANTITY.fullmatch(text.strip())
    if found is None:
        raise LanguageError(f"'{text}' is no quantity: write a number with one of Ki, Mi, Gi, k, M, G, m, or none")
    value = float(found[1])
    if found[2]:
        value *= 10.0 ** min(int(found[2][1:]), 30)
    elif found[3]:
        value *= _BINARY.get(found[3]) or _DECIMAL.get(found[3]) or 10**18
    if not math.isfinite(value):
        raise LanguageError(f"'{text}' is too large")
    return value


def text_of(seconds: float) -> str:
    """A span of time in words as Argo shows it ("1 minute 30 seconds")."""
    whole = round(seconds)
    parts = []
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return " ".join(parts[:2]) or "0 seconds"
