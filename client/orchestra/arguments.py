"""A module's own arguments: as a table, and in the help of `orchestra run MODULE --help`."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

from orchestra import screen

_WORDS = "orchestra.words"
_HEADINGS = ("argument", "type", "range", "default", "description")


class RunCommand(TyperCommand):
    """A command whose help also has the arguments of the module that is named on the line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[_WORDS] = list(args)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        module, server = self._named(ctx)
        if module:
            typer.echo(formatter.getvalue(), nl=False)
            formatter.buffer.clear()
            _show(module, server)

    def _named(self, ctx: Any) -> tuple[str, str | None]:
        """The module and the server that the line names; empty where it names none."""
        words = [word for word in ctx.meta.get(_WORDS, ()) if word not in ctx.help_option_names]
        if not words:
            return "", None
        given, _, _ = self.make_parser(ctx).parse_args(words)
        return str(given.get("module") or ""), given.get("server")


def _show(module: str, server: str | None) -> None:
    from orchestra.client import Client
    from orchestra.errors import OrchestraError

    try:
        with Client(server) as client:
            found = client.module(module)
    except OrchestraError as error:
        print(screen.shown(f" The arguments of {module} are not known: {error}"))
        return
    print(screen.shown(f" Arguments of {found['name']}\n"))
    table(found)


def table(module: dict[str, Any]) -> None:
    """The arguments of a module's runs, as a table."""
    rows = [
        (f"--{one['name']}", one.get("type"), _range(one), one.get("default"), one.get("description"))
        for one in [*module["args"], *module["hyperparameters"]]
    ]
    screen.table(_HEADINGS, rows, empty="none")


def _range(argument: dict[str, Any]) -> str:
    """What values an argument takes, as `0 … 1` or `a | b`; empty for any."""
    if choices := argument.get("choices"):
        return " | ".join(map(screen.shown, choices))
    low, high = (argument.get(key) for key in ("minimum", "maximum"))
    if low is None and high is None:
        return ""
    return f"{screen.shown(low)} … {screen.shown(high)}".strip()
