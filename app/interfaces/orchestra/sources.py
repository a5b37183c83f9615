"""Which addresses `GET /build` takes: an operator's list of prefixes, compared part by part and never as text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

PORTS = {"https": 443, "http": 80, "ssh": 22}
ODD = re.compile(r"[\s\\%;\x00-\x1f]|[^\x00-\x7f]|(^|/)\.\.?(/|$)")  # what a server may read as another path


def allowed(url: str, prefixes: Iterable[str]) -> bool:
    """Whether a URL lies below one of the prefixes: same scheme, user, host and port, and whole parts of the path."""
    try:
        asked = urlsplit(url)
        parts = _origin(asked)
    except ValueError:
        return False
    if ODD.search(url) or asked.query or asked.fragment or not asked.path.startswith("/"):
        return False
    for prefix in prefixes:
        permitted = urlsplit(prefix)
        folder = permitted.path.rstrip("/")
        if parts == _origin(permitted) and (asked.path == folder or asked.path.startswith(f"{folder}/")):
            return True
    return False


def _origin(parts: SplitResult) -> tuple[str, str | None, str | None, str, int | None]:
    """What two addresses of one place share; raises ValueError for a port that is none."""
    return (parts.scheme, parts.username, parts.password, parts.hostname or "", parts.port or PORTS.get(parts.scheme))
