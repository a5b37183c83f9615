"""Staying with an execution until it ends: what is shown meanwhile, and what Ctrl-C means."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import Enum

from orchestra import screen
from orchestra.client import Client, Json
from orchestra.endings import OK, UNSUCCESSFUL
from orchestra.errors import Left, OrchestraError

LAST_LINES = 20
_MOST_NAMES = 3  # of nodes in one line


class Answer(Enum):
    """What to do with an execution after Ctrl-C."""

    CANCEL = "c"
    LEAVE = "l"
    GO_ON = "g"


def until_end(client: Client, execution: Json, *, what: str, ask: bool) -> Json:
    """The execution once it has ended. Ctrl-C asks (with `ask`) whether to cancel it, leave it running or go on.

    Raises `Left` if it is left running.
    """
    number = int(execution["id"])
    while True:
        try:
            with screen.spinner(f"{what}: {execution['state']}") as say:
                return client.wait(number, on_change=lambda now: say(_progress(what, now)))
        except KeyboardInterrupt:
            _interrupted(client, number, what=what, ask=ask)


def _interrupted(client: Client, number: int, *, what: str, ask: bool) -> None:
    """What Ctrl-C means: cancel it, go on, or raise `Left`."""
    answer = _answer(what, number) if ask else Answer.LEAVE
    if answer is Answer.LEAVE:
        ways = f"`orchestra logs -f {number}` follows it, `orchestra kill {number}` ends it"
        raise Left(f"{what} goes on: {ways}.") from None
    if answer is Answer.CANCEL:
        client.cancel(number)


def show_log_to_end(client: Client, number: int, *, what: str) -> None:
    """Write the log of something that was just started until nothing more comes; Ctrl-C asks as in `until_end`.

    Raises `Left` if it is left running.
    """
    shown, out = 0, screen.LogWriter()
    while True:
        try:
            for data in client.follow(number, offset=shown):
                out.write(data)
                shown += len(data)
            return
        except KeyboardInterrupt:
            _interrupted(client, number, what=what, ask=True)


def show_log(client: Client, number: int, *, follow: bool, node: str | None = None, attempt: int | None = None) -> None:
    """Write a log to stdout, byte for byte unless that is a terminal; with `follow` until nothing more comes."""
    out = screen.LogWriter()
    read = client.follow if follow else client.whole_log
    for data in read(number, node=node, attempt=attempt):
        out.write(data)


def explain(client: Client, execution: Json) -> None:
    """Say on stderr how an execution ended and, if badly, why: node, code or signal, limit, last lines of its log."""
    screen.note(f"Execution {execution['id']} is {execution['state']}. {execution.get('message') or ''}".rstrip())
    try:
        failure = client.execution(int(execution["id"])).get("failure")
    except OrchestraError:
        return
    if not failure:
        return
    for line in (failure.get("last_lines") or [])[-LAST_LINES:]:
        screen.note(f"  | {line}")


def follow_builds(client: Client, made: Sequence[Json], *, wait: bool, quiet: bool) -> int:
    """Stay with the builds of new registrations; the exit code is UNSUCCESSFUL if one did not pass."""
    code = OK
    for one in made:
        number = (one["build"] or {}).get("execution")
        if number is None or not wait:
            continue
        ended = client.execution(number)
        ended = until_end(client, ended, what=f"Building {one['module']['name']}", ask=True)
        one["build"] = client.build(one["build"]["id"])
        if ended["state"] != "SUCCEEDED":
            code = UNSUCCESSFUL
            if not quiet:
                explain(client, ended)
    return code


def tell(client: Client, now: Json, *, wait_for: str | None, said: str, as_json: bool) -> int:
    """Say what became of an execution that was just asked for something; the command's exit code.

    With `wait_for`, which names it to people, its end is awaited and its result shown; else `said` is what they read.
    """
    if wait_for is not None:
        now = until_end(client, now, what=wait_for, ask=True)
    if as_json:
        screen.print_json(now)
    elif wait_for is not None:
        show_result(client, now)
    else:
        print(said)
    return OK if wait_for is None or now["state"] == "SUCCEEDED" else UNSUCCESSFUL


def show_result(client: Client, ended: Json) -> None:
    """How a run ended: its catalog's events, its files, or why there are none."""
    explain(client, ended)
    if ended["state"] != "SUCCEEDED":
        return
    try:
        show_catalog(client.catalog(ended["id"], limit=50))
    except OrchestraError:
        screen.note("It made no catalog.")
    for file in client.artifacts(ended["id"]):
        screen.note(f"  {file['role']:<7} {file['name']}  {file['size']} bytes  sha256 {file['sha256'][:12]}")


def show_catalog(catalog: Json) -> None:
    """The events of a catalog as a table, units beside the names."""
    named = [f"{one['name']} ({one['unit']})" if one.get("unit") else str(one["name"]) for one in catalog["columns"]]
    rows = [(event["start"], event["stop"], *event["values"]) for event in catalog["items"]]
    screen.table(("start", "stop", *named), rows, empty="The catalog has no events.")
    if catalog["total"] > len(rows):
        print(f"… and {catalog['total'] - len(rows)} more")


def _progress(what: str, now: Json) -> str:
    told = screen.shown(now.get("message") or "").strip()
    nodes = now.get("nodes") or ()
    if held := [one["display_name"] for one in nodes if (one["type"], one["phase"]) == ("Suspend", "Running")]:
        names = ", ".join(map(screen.shown, held[:_MOST_NAMES])) + (" …" if len(held) > _MOST_NAMES else "")
        told = f"{names} suspended; `orchestra resume {now['id']}` goes on"
    return f"{what}: {now['state']}" + (f" ({told})" if told else "")


def _answer(what: str, number: int) -> Answer:
    """Ask what to do with what still runs; without a terminal it is left running."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return Answer.LEAVE
    screen.note(f"\n{what} (execution {number}) still runs.")
    while True:
        try:
            typed = input("[c]ancel it, [l]eave it running, [g]o on waiting? ").strip().lower()[:1]
        except (KeyboardInterrupt, EOFError):
            screen.note("")
            return Answer.LEAVE
        if typed in {answer.value for answer in Answer}:
            return Answer(typed)
