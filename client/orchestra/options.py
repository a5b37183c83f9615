"""What several commands take: their options, and the values in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from orchestra import desk

if TYPE_CHECKING:
    from orchestra.client import Client

Server = Annotated[
    str | None,
    typer.Option(
        "--server", envvar="ORCHESTRA_SERVER", help="The server's address.", show_default="http://127.0.0.1:8000"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until it has ended.")]


def connected(server: str | None) -> Client:
    """The client of the server that was named, or of the one that is meant where none is."""
    from orchestra.client import Client

    return Client(server)


def pairs(given: Sequence[str] | None, option: str = "-p") -> dict[str, str]:
    """`NAME=VALUE` texts of an option as a mapping; ends the command if one is none or a name comes twice."""
    found: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            desk.fail(f"{option} {text}: it has to be NAME=VALUE.")
        if name in found:
            desk.fail(f"{option} {name} is given twice: {found[name]!r} and {value!r}.")
        found[name] = value
    return found


def tell_version(asked: bool) -> None:
    """Print the versions of what is installed and end the command, if that is asked for."""
    if not asked:
        return
    from importlib.metadata import PackageNotFoundError, version

    for package in ("orchestra", "orchestra-engine"):
        try:
            print(package, version(package))
        except PackageNotFoundError:
            print(package, "is not installed")
    raise typer.Exit
