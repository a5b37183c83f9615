"""`orchestra workflow`: its commands in the order of its help."""

from __future__ import annotations

import typer

from orchestra.workflow import commands, control_commands

app = typer.Typer(
    help="Run Argo Workflow manifests on this machine, without a server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(commands.app)
app.add_typer(control_commands.app)
