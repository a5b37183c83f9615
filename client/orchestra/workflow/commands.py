"""The commands of `orchestra workflow` that run and show."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from orchestra import desk
from orchestra.options import AsJson
from orchestra.workflow.options import (
    FOLDER,
    ConfigMaps,
    Elsewhere,
    Images,
    Kind,
    Live,
    Manifest,
    Name,
    ParameterFile,
    Parameters,
    Place,
    RunName,
    Sandbox,
    StatusOut,
    at,
    values,
)

app = typer.Typer()


class Form(StrEnum):
    """How a workflow is printed for programs."""

    JSON = "json"
    YAML = "yaml"
    NAME = "name"


@app.command(name="submit", hidden=True)
@app.command(name="run")
def run(  # noqa: PLR0913, PLR0917 - each is an option
    context: typer.Context,
    file: Manifest,
    parameter: Parameters = None,
    parameter_file: ParameterFile = "",
    name: RunName = "",
    watch: Live = None,
    status_out: StatusOut = "",
    configmap: ConfigMaps = None,
    images: Images = None,
    sandbox: Kind = Sandbox.AUTO,
    server: Elsewhere = None,
    folder: Place = FOLDER,
) -> None:
    """Run a manifest to its end. Exit code 0 only if it succeeded.

    Ctrl-C stops it (its exit handlers run), a second Ctrl-C terminates it.
    """
    given = values(parameter, parameter_file)
    if server:
        raise typer.Exit(_run_there(context, server, file, given))
    with at(folder) as place:
        from orchestra.workflow.run import Order
        from orchestra.workflow.run import run as run_order

        order = Order(
            file=file,
            parameters=given,
            name=name,
            configmaps=configmap or (),
            images=images or (),
            sandbox=sandbox.value,
            status_out=status_out,
            live=watch,
        )
        code = run_order(place, order)
    raise typer.Exit(code)


def _run_there(context: typer.Context, server: str, file: str, given: dict[str, str]) -> int:
    """Send a manifest to a server, unless options are on the line that mean nothing there."""
    from orchestra.schema import run_sent

    sources = {name: context.get_parameter_source(name) for name in ("name", "status_out", "configmap", "images")}
    unsent = [f"--{name.replace('_', '-')}" for name, one in sources.items() if one and one.name == "COMMANDLINE"]
    if unsent:
        desk.fail(f"With --server only the manifest and its parameters are sent; leave {', '.join(unsent)} out.")
    return run_sent(server, file, given)


@app.command()
def explain(
    file: Manifest,
    parameter: Parameters = None,
    parameter_file: ParameterFile = "",
    images: Images = None,
    sandbox: Kind = Sandbox.AUTO,
    folder: Place = FOLDER,
) -> None:
    """Draw a manifest's graph and say what each node will see, without running it."""
    with at(folder) as place:
        from orchestra.workflow.explain import explain as explain_file

        explain_file(
            place, file, parameters=values(parameter, parameter_file), images=images or (), sandbox=sandbox.value
        )


@app.command()
def watch(name: Name, sandbox: Kind = Sandbox.AUTO, folder: Place = FOLDER) -> None:
    """Follow a workflow to its end, and take over one whose command was killed. Ctrl-C leaves it running."""
    with at(folder) as place:
        from orchestra.workflow import again

        code = again.watch(place, place.known(name), sandbox=sandbox.value)
    raise typer.Exit(code)


@app.command(name="list")
def list_workflows(
    running: Annotated[bool, typer.Option("--running", help="Only those that have not ended.")] = False,
    completed: Annotated[bool, typer.Option("--completed", help="Only those that have ended.")] = False,
    status: Annotated[
        list[str] | None, typer.Option("--status", metavar="PHASE", help="Only those in such a phase, as Failed.")
    ] = None,
    prefix: Annotated[str, typer.Option("--prefix", help="Only those whose names begin so.")] = "",
    output: Annotated[str, typer.Option("-o", "--output", metavar="name", help="Only the names, one a line.")] = "",
    as_json: AsJson = False,
    folder: Place = FOLDER,
) -> None:
    """List the workflows, the newest first."""
    if running and completed:
        desk.fail("--running and --completed exclude each other.")
    if output not in ("", "name"):
        desk.fail(f"-o {output}: a list has only the form name (or --json).")
    with at(folder) as place:
        from orchestra.workflow import look

        phases = [word.strip() for one in status or () for word in one.split(",")]
        wanted = look.Wanted(phases=phases, ended=completed or None if not running else False, prefix=prefix)
        look.list_all(place, wanted, as_json=as_json, names_only=output == "name")


@app.command(name="show", hidden=True)
@app.command(name="get")
def get(
    name: Name,
    as_json: AsJson = False,
    output: Annotated[Form | None, typer.Option("-o", "--output", help="The whole workflow, or only its name.")] = None,
    folder: Place = FOLDER,
) -> None:
    """Show a workflow's nodes, and why it failed."""
    with at(folder) as place:
        from orchestra.workflow import look

        look.show(place, place.known(name), form="json" if as_json else output and output.value)


@app.command()
def logs(
    name: Name,
    node: Annotated[str | None, typer.Argument(help="A node: its name, display name or id.")] = None,
    container: Annotated[str, typer.Option("-c", "--container", help="One container of a containerSet.")] = "",
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the workflow has ended.")] = False,
    tail: Annotated[
        int, typer.Option("--tail", min=-1, help="So many lines of each log, from its end.", show_default="all")
    ] = -1,
    grep: Annotated[str, typer.Option("--grep", metavar="TEXT", help="Only lines with this text.")] = "",
    folder: Place = FOLDER,
) -> None:
    """Print the logs of a workflow's nodes."""
    with at(folder) as place:
        from orchestra.workflow import logs as reading

        choice = reading.Choice(node=node, container=container, tail=None if tail < 0 else tail, grep=grep)
        reading.show(place, place.known(name), choice, follow=follow)
