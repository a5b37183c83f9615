"""What the command shows: tables for people, JSON for programs, spinners only where a terminal is."""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STATE_STYLES = {
    "SUCCEEDED": "green",
    "FAILED": "red",
    "LOST": "red",
    "CANCELLED": "yellow",
    "RUNNING": "cyan",
    "SUBMITTED": "cyan",
    "QUEUED": "dim",
}

_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
_UNFINISHED = re.compile(r"(?:\r|\x1b(?:\[[0-9;:]{0,40})?)\Z")


def console(*, stderr: bool = False) -> Console:
    """Where text goes; without a terminal lines are neither coloured nor cut."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else 200)


def print_json(value: Any) -> None:
    """One JSON value on stdout, for programs."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Rows under headings; `empty` is said where there are none."""
    from rich.table import Table
    from rich.text import Text

    if not rows:
        print(empty)
        return
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(text, style=STATE_STYLES.get(text, "")) for text in map(shown, row)))
    draw(grid, on=console())


def draw(what: RenderableType, *, on: Console) -> None:
    """Draw something; where no terminal is, without the blanks that end its lines."""
    if on.is_terminal:
        on.print(what)
        return
    with on.capture() as text:
        on.print(what)
    print("\n".join(line.rstrip() for line in text.get().splitlines()), file=on.file)


def fields(pairs: Mapping[str, object]) -> None:
    """Names with values, one a line; what has no value is left out."""
    width = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        if value not in (None, "", [], {}):
            print(f"{name:<{width}}  {shown(value)}")


def shown(value: object) -> str:
    """A value as people read it: control characters of a stranger's text never reach the terminal."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def harmless(text: str) -> str:
    """A log's text as a terminal may have it: no colours, nothing that moves the cursor or renames the window."""
    text = _COLOURS.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return "\t".join(map(shown, text.split("\t")))


class LogWriter:
    """Writes a log to stdout as it comes: byte for byte, but harmless where stdout is a terminal."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace") if sys.stdout.isatty() else None
        self._held = ""

    def write(self, piece: bytes) -> None:
        """Write the next piece; what may be the beginning of a colour waits for the next one."""
        if self._decoder is not None:
            text = self._held + self._decoder.decode(piece)
            unfinished = _UNFINISHED.search(text)
            end = unfinished.start() if unfinished else len(text)
            piece, self._held = harmless(text[:end]).encode(), text[end:]
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def to_second(time: str) -> str:
    """A time of the server's, `2001-03-28T00:00:00.123456Z`, without the fraction that no person reads."""
    whole, point, _ = time.partition(".")
    return whole + "Z" if point else time


def note(text: str) -> None:
    """A line for people on stderr, so that stdout stays the result; names and messages in it may be a stranger's."""
    print(shown(text), file=sys.stderr, flush=True)


@contextmanager
def spinner(text: str) -> Iterator[Callable[[str], None]]:
    """Something that moves while work goes on; the function that it gives changes the text.

    Without a terminal each new text is one line on stderr.
    """
    if not sys.stderr.isatty():
        note(text)
        said = {text}

        def line(new: str) -> None:
            if new not in said:
                said.add(new)
                note(new)

        yield line
        return
    from rich.markup import escape

    with console(stderr=True).status(escape(text)) as status:
        yield lambda new: status.update(escape(new))


@contextmanager
def download_bar(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar for a download; the function that it gives takes the bytes so far and the bytes in all, if known."""
    if not sys.stderr.isatty():
        yield lambda _size, _total: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=None)
        yield lambda size, total: progress.update(task, completed=size, total=total)
