"""What `orchestra workflow run` and its kin show: a live tree on a terminal, lines elsewhere."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from orchestra import screen
from orchestra.workflow import tree
from orchestra.workflow.folder import Json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.text import Text

LAST_LINES = 10
_LOG_BYTES = 65_536
_MOST_LOGS = 3
_LEAST_SECONDS = 0.1  # between two drawings
_NARROW = 60  # columns of a screen that has no room for names of templates
_NO_CURSOR = ("dumb", "unknown")  # values of TERM: terminals on which nothing can be drawn anew
_AROUND = 8  # lines of a screen that are not the tree


class View:
    """Shows a workflow while it runs. `out` is where; on a terminal a tree is drawn again and again, elsewhere each
    change of a node is a line. Where nobody can read it any more (a closed terminal or pipe, a full disk) it is silent.
    """

    def __init__(self, out: TextIO, *, live: bool | None = None) -> None:
        self.live = out.isatty() and os.environ.get("TERM") not in _NO_CURSOR if live is None else live
        self._out = out
        self._live: Live | None = None
        self._said: dict[str, tuple[str, str]] = {}
        self._drawn = 0.0
        self._told = ""
        self._silent = False

    def __enter__(self) -> Self:
        if self.live:
            from rich.live import Live

            self._live = Live(console=self._console(), auto_refresh=False, transient=True)
            self._safely(self._live.start)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._safely(self._live.stop)

    def _console(self) -> Console:
        from rich.console import Console

        return Console(file=self._out, highlight=False, width=None if self._out.isatty() else 200)

    def _safely(self, write: Callable[[], object]) -> None:
        """Write, or be silent from now on: what runs does not end because its words are not heard."""
        if self._silent:
            return
        try:
            write()
        except (OSError, SystemExit) as error:  # rich turns a broken pipe into SystemExit
            self._silent = True
            if isinstance(error, OSError) and error.errno not in (errno.EPIPE, errno.EIO):
                with contextlib.suppress(OSError):
                    screen.note(f"The output cannot be written ({error.strerror}); the workflow goes on.")

    def _print(self, text: str) -> None:
        self._safely(lambda: print(text, file=self._out, flush=True))

    def show(self, workflow: Json) -> None:
        """Show how far the workflow is."""
        if not self.live:
            self._lines(workflow)
        elif self._live is not None and time.monotonic() >= self._drawn + _LEAST_SECONDS:
            self._drawn = time.monotonic()
            live, size = self._live, self._live.console.size
            drawing = picture(workflow, height=size.height, width=size.width, encoding=self._out.encoding)
            self._safely(lambda: live.update(drawing, refresh=True))
        if (way := tree.way_on(workflow)) != self._told:
            self._told = way
            if way:
                self.say(screen.shown(way))

    def _lines(self, workflow: Json) -> None:
        for node in tree.leaves(workflow):
            state = (str(node.get("phase") or "Pending"), str(node.get("message") or ""))
            if self._said.get(node["id"], ("Pending", "")) != state:
                self._said[node["id"]] = state
                self._print(screen.shown(_line(node, state)))

    def say(self, text: str) -> None:
        """A sentence among what is shown."""
        if self._live is not None:
            from rich.text import Text

            live = self._live
            self._safely(lambda: live.console.print(Text(text)))
        else:
            self._print(text)

    def end(self, workflow: Json, logs: LogReader) -> None:
        """The last state: the whole tree (on a terminal), the last lines of what failed, and how it ended."""
        if self._live is not None:
            self._safely(self._live.stop)
            self._live = None
        if self.live:
            console = self._console()
            drawing = picture(workflow, width=console.width, encoding=self._out.encoding)
            self._safely(lambda: screen.draw(drawing, on=console))
        for text in reasons(workflow, logs):
            self._print(text)
        self._print(screen.shown(verdict(workflow)))


class LogReader:
    """Reads the logs of a folder's nodes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self, workflow: Json, node: Json) -> Iterator[tuple[str, Path]]:
        """(container's name, or nothing, and file) of a node's logs."""
        place = self.folder / str(workflow["metadata"]["name"]) / "nodes" / str(node["id"])
        found = sorted(place.glob("log.*")) if place.is_dir() else []
        if found:
            yield from ((path.name.removeprefix("log."), path) for path in found)
        elif (place / "log").exists():
            yield "", place / "log"

    def last_lines(self, workflow: Json, node: Json) -> list[str]:
        """The last lines that a node wrote."""
        found: list[str] = []
        for container, path in self.files(workflow, node):
            lines = tail(path)
            found += [f"{container}: {line}" for line in lines] if container else lines
        return found[-LAST_LINES:]


def tail(path: Path) -> list[str]:
    """The last lines of a file."""
    with path.open("rb") as log:
        log.seek(max(0, log.seek(0, 2) - _LOG_BYTES))
        return log.read().decode(errors="replace").splitlines()[-LAST_LINES:]


def _line(node: Json, state: tuple[str, str]) -> str:
    took = tree.duration(node, datetime.now(UTC)) if state[0] in tree.FINAL and node.get("type") == "Pod" else ""
    when = datetime.now(UTC).strftime("%H:%M:%SZ")
    parts = [when, f"{state[0]:<9}", str(node.get("name")), f"({took})" if took else "", state[1]]
    return "  ".join(part for part in parts if part)


def reasons(workflow: Json, logs: LogReader) -> Iterator[str]:
    """Why a workflow failed: the nodes that did of themselves, each with its last lines."""
    failing = tree.failing(workflow)
    for node in failing[:_MOST_LOGS]:
        lines = logs.last_lines(workflow, node)
        yield screen.shown(f"\n{node['name']} is {node['phase']}: {node.get('message') or 'it does not say why'}")
        yield from (screen.shown(f"    {line}") for line in lines)
    if len(failing) > _MOST_LOGS:
        more = len(failing) - _MOST_LOGS
        yield f"\n… and {more} more node{'' if more == 1 else 's'} failed"


def verdict(workflow: Json) -> str:
    """How a workflow ended, or how far it is, in one line; a message that `reasons` told is not told again."""
    status = workflow.get("status") or {}
    took = tree.duration(status, datetime.now(UTC))
    told = [node.get("message") for node in tree.failing(workflow)[:_MOST_LOGS]]
    message = f": {status['message']}" if status.get("message") and status["message"] not in told else ""
    return f"{workflow['metadata']['name']} {tree.phase_of(workflow)}{f' after {took}' if took else ''}{message}"


def picture(
    workflow: Json, *, height: int | None = None, width: int | None = None, encoding: str | None = "utf-8"
) -> RenderableType:
    """The workflow as a drawing; with a height, what is not finished or went wrong comes first.

    `width` and `encoding` are those of where it is shown: not all have the room or the symbols.
    """
    from rich.console import Group

    now = datetime.now(UTC)
    status = workflow.get("status") or {}
    lines = list(tree.rows(tree.branches(workflow)))
    left = 0
    if height is not None and len(lines) > max(1, height - _AROUND):
        lines, left = _fitting(lines, max(1, height - _AROUND))
    grid = _grid(lines, now, tree.symbols(encoding), width=width, one_line=height is not None)
    head = _head(workflow, status, now)
    return Group(head, grid, _text(f"… and {left} more nodes")) if left else Group(head, grid)


def _grid(
    lines: list[tree.Row], now: datetime, symbols: tree.Symbols, *, width: int | None, one_line: bool
) -> RenderableType:
    from rich.table import Table

    templates = width is None or width >= _NARROW
    # Without bounds a long name would leave no room for the messages, which are why people look.
    crowded = width is not None and any(row.node.get("message") for row in lines)
    grid = Table(box=None, pad_edge=False, header_style="bold")
    grid.add_column("STEP", overflow="ellipsis", no_wrap=True, max_width=(width or 0) // 2 if crowded else None)
    if templates:
        most = (width or 0) // 6 if crowded else None
        grid.add_column("TEMPLATE", overflow="ellipsis", no_wrap=True, max_width=most)
    grid.add_column("DURATION", no_wrap=True, min_width=len("DURATION"))
    grid.add_column("MESSAGE", overflow="ellipsis" if one_line else "fold", no_wrap=one_line)
    for number, row in enumerate(lines):
        if number and not row.indent:
            grid.add_row()
        cells = [_step(row, symbols)]
        if templates:
            cells.append(_text(tree.template_of(row.node)))
        grid.add_row(*cells, tree.duration(row.node, now), _text(str(row.node.get("message") or "")))
    return grid


def _fitting(lines: list[tree.Row], room: int) -> tuple[list[tree.Row], int]:
    urgent = [row for row in lines if row.node.get("phase") not in ("Succeeded", "Skipped", "Omitted") or not row.leaf]
    chosen = (urgent if len(urgent) <= room else [row for row in urgent if row.leaf] or urgent)[:room]
    if len(chosen) < room:
        keep = {id(row) for row in chosen}
        others = [row for row in lines if id(row) not in keep]
        keep |= {id(row) for row in others[-(room - len(chosen)) :]}
        chosen = [row for row in lines if id(row) in keep]
    return chosen, len(lines) - len(chosen)


def _step(row: tree.Row, symbols: tree.Symbols) -> Text:
    from rich.text import Text

    phase = str(row.node.get("phase") or "Pending")
    name = str(row.node.get("displayName") or row.node.get("name"))
    return Text.assemble(
        (row.indent.translate(symbols.lines), "dim"),
        (symbols.of(row.node), tree.STYLES.get(phase, "")),
        " ",
        screen.shown(name),
    )


def _head(workflow: Json, status: Json, now: datetime) -> Text:
    from rich.text import Text

    phase = tree.phase_of(workflow)
    name = str(workflow["metadata"]["name"])
    progress = f"  {status['progress']}" if status.get("progress") else ""
    message = f"  {screen.shown(status['message'])}" if status.get("message") else ""
    shown = (phase, tree.STYLES.get(phase, ""))
    return Text.assemble((name, "bold"), "  ", shown, "  ", tree.duration(status, now), progress, message, "\n")


def _text(value: str) -> Text:
    from rich.text import Text

    return Text(screen.shown(value))
