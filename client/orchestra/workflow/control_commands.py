"""The commands of `orchestra workflow` that change how a workflow goes on, as `argo` has them."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from orchestra import desk
from orchestra.options import pairs
from orchestra.workflow.options import (
    FOLDER,
    Kind,
    Name,
    Names,
    ParameterFile,
    Parameters,
    Place,
    Sandbox,
    Selector,
    at,
    values,
)
from orchestra.workflow.request import Request

app = typer.Typer()
node_app = typer.Typer(help="Act on a node of a workflow.", no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(node_app, name="node")
Message = Annotated[str, typer.Option("-m", "--message", help="Message of the node.")]
PHASES = ("Succeeded", "Failed", "Error")


def _control(folder: Path, names: list[str], request: Request) -> NoReturn:
    with at(folder) as place:
        from orchestra.workflow import control

        code = control.control(place, place.all_known(names), request)
    raise typer.Exit(code)


@app.command()
def stop(
    names: Names,
    selector: Selector = "",
    message: Annotated[str, typer.Option("--message", help="Message of the suspended nodes that are stopped.")] = "",
    folder: Place = FOLDER,
) -> None:
    """End what runs, then run the exit handlers; with a selector, fail only the suspended nodes that it means."""
    if not selector:
        if message:
            desk.fail("--message is for the nodes of --node-field-selector: say which.")
        _control(folder, names, Request(what="stop"))
    _control(folder, names, Request(what="set", selector=selector, phase="Failed", message=message))


@app.command()
def terminate(names: Names, folder: Place = FOLDER) -> None:
    """End what runs, without exit handlers."""
    _control(folder, names, Request(what="terminate"))


@app.command()
def suspend(names: Names, folder: Place = FOLDER) -> None:
    """Start nothing more until `resume`."""
    _control(folder, names, Request(what="suspend"))


@app.command()
def resume(
    names: Names,
    node: Annotated[str, typer.Option("--node", help="Only this suspended node: its name, display name or id.")] = "",
    selector: Selector = "",
    parameter: Parameters = None,
    folder: Place = FOLDER,
) -> None:
    """Let suspended workflows, or their suspended nodes, go on; -p supplies values (with --node)."""
    if parameter and not node and not selector:
        desk.fail("-p supplies values to a suspended node: say which with --node.")
    if node and selector:
        desk.fail("--node and --node-field-selector exclude each other.")
    _control(folder, names, Request(what="resume", node=node, selector=selector, parameters=pairs(parameter)))


@node_app.command(name="set")
def set_node(
    name: Name,
    selector: Selector = "",
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--output-parameter", metavar="NAME=VALUE", help="Value of a supplied output parameter."),
    ] = None,
    phase: Annotated[str, typer.Option("--phase", metavar="|".join(PHASES), help="How the node ends.")] = "",
    message: Message = "",
    folder: Place = FOLDER,
) -> None:
    """Supply values to suspended nodes, give them a message, or end them."""
    if not selector:
        desk.fail("Only suspended nodes can be set: say which with --node-field-selector, as displayName=approve.")
    if phase and phase not in PHASES:
        desk.fail(f"--phase {phase}: a node can be set to {', '.join(PHASES)}.")
    if not (parameter or phase or message):
        desk.fail("Nothing is to be set: give --output-parameter, --phase or --message.")
    given = {key: unquoted(value) for key, value in pairs(parameter, "--output-parameter").items()}
    _control(folder, [name], Request(what="set", selector=selector, parameters=given, phase=phase, message=message))


def unquoted(value: str) -> str:
    """A value without its quotes (`"…"` or backquotes), as `argo node set` takes it; what is not quoted stays."""
    if len(value) > 1 and value[0] == value[-1] == "`" and "`" not in value[1:-1]:
        return value[1:-1]
    if value.startswith('"'):
        with contextlib.suppress(ValueError):
            return str(json.loads(value))
    return value


@app.command()
def retry(
    names: Names,
    parameter: Parameters = None,
    parameter_file: ParameterFile = "",
    restart: Annotated[
        bool, typer.Option("--restart-successful", help="Also run nodes of --node-field-selector that succeeded.")
    ] = False,
    selector: Selector = "",
    sandbox: Kind = Sandbox.AUTO,
    folder: Place = FOLDER,
) -> None:
    """Run what failed again; what succeeded is kept."""
    if restart != bool(selector):
        desk.fail("--restart-successful and --node-field-selector go together: which nodes are to run again?")
    given = values(parameter, parameter_file)
    with at(folder) as place:
        from orchestra.workflow import again

        code = again.retry(place, place.all_known(names), given, sandbox=sandbox.value, selector=selector)
    raise typer.Exit(code)


@app.command()
def resubmit(
    names: Names,
    parameter: Parameters = None,
    parameter_file: ParameterFile = "",
    sandbox: Kind = Sandbox.AUTO,
    folder: Place = FOLDER,
) -> None:
    """Run workflows anew from their beginning, each under a name of its own."""
    given = values(parameter, parameter_file)
    with at(folder) as place:
        from orchestra.workflow import again

        code = again.resubmit(place, place.all_known(names), given, sandbox=sandbox.value)
    raise typer.Exit(code)


@app.command()
def delete(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="Workflows that have ended.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that have ended.")] = False,
    folder: Place = FOLDER,
) -> None:
    """Remove workflows that have ended, with their logs; artifacts stay."""
    if bool(names) == everything:
        desk.fail("Give the names of workflows, or --all.")
    with at(folder) as place:
        from orchestra.workflow import again

        for name in again.delete(place, place.all_known(names) if names else ()):
            print(f"Deleted {name}.")
