"""What is wrong with a manifest, said once for each field."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LONGEST = 600  # characters of a message that people read
_QUOTES = re.compile(r'\(write it in quotes: ".*"\)')


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing about a field: who says it, and whether the workflow is refused for it or the field only ignored.

    `by` is `api-server` (Argo's types), `controller` (Argo's own validation, in its words) or `engine` (this engine).
    `kind` is `refused`, `ignored` or `doubtful` (Argo takes it, and fails on it when it runs).
    """

    path: str
    message: str
    by: str = "engine"
    kind: str = "refused"


def told(message: str, written: str = "") -> str:
    """A message as people read it: one line of bounded length, with the text that is `written` there in its hint."""
    if written:
        message = _QUOTES.sub(lambda _: f'(write it in quotes: "{written}")', message)
    line = " ".join(message.split())
    if len(line) <= _LONGEST:
        return line
    begin, end = line[: _LONGEST * 3 // 4], line[-_LONGEST // 4 :]
    return f"{begin} […] {end}"
