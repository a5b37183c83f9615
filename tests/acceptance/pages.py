"""Reading a page of docs/ as its reader does: files that it shows, commands to type, and what they answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NAME = r"(?:^`(?P<file>[^`\n]+)`:\n\n)?"
_BLOCK = re.compile(_NAME + r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_EXIT = re.compile(r"exit code (\d+)\n")


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that a page shows: a block below a line with nothing but its name."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Typed:
    """A command of a `console` block, its exit code, and its answer, in which … stands for anything."""

    command: str
    code: int
    answer: str

    def is_answered_by(self, text: str) -> bool:
        pieces = [re.escape(_even(piece)) for piece in self.answer.split("…")]
        return re.fullmatch(".*".join(pieces), _even(text), re.DOTALL) is not None


def read(page: Path) -> Iterator[File | Typed]:
    """What a page shows, in its order."""
    for block in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["file"]:
            yield File(name=block["file"], text=block["text"])
        elif block["language"] == "console":
            for typed in block["text"].split("$ ")[1:]:
                command, _, answer = typed.partition("\n")
                code = _EXIT.match(answer)
                yield Typed(command=command, code=int(code[1]) if code else 0, answer=_EXIT.sub("", answer, count=1))


def _even(text: str) -> str:
    """A text whose columns may be wider or narrower."""
    return "\n".join(re.sub(r" +", " ", line).rstrip() for line in text.split("\n"))
