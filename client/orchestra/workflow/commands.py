"""The commands of `orchestra workflow`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from orchestra import desk, screen
from orchestra.endings import OK, USAGE
from orchestra.options import AsJson, pairs

if TYPE_CHECKING:
    from orchestra.workflow.folder import Folder

app = typer.Typer(
    help="Run Argo Workflow manifests on this machine, without a server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class Sandbox(StrEnum):
    """Where nodes run."""

    AUTO = "auto"
    PRIVATE = "private"
    PLAIN = "plain"


Place = Annotated[
    Path,
    typer.Option(
        "--folder",
        envvar="ORCHESTRA_FOLDER",
        readable=False,  # a sentence that says what to do comes later
        help="Where workflows, logs and artifacts are kept.",
    ),
]
Manifest = Annotated[str, typer.Argument(metavar="FILE|-", help="A manifest; - is standard input.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a workflow.")]
Parameters = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="Value of a parameter.")
]
Kind = Annotated[
    Sandbox, typer.Option("--sandbox", help="private: a root of its own for each node; plain: this machine's.")
]
ConfigMaps = Annotated[
    list[str] | None, typer.Option("--configmap", metavar="FILE", help="ConfigMaps that the workflow refers to.")
]
Images = Annotated[
    list[str] | None,
    typer.Option(
        "--images", metavar="FILE", envvar="ORCHESTRA_IMAGES", help="What images mean here (see docs/desk.md)."
    ),
]
FOLDER = Path(".orchestra")


@app.command()
def run(
    file: Manifest,
    parameter: Parameters = None,
    name: Annotated[str, typer.Option("--name", help="Name of this run, instead of the manifest's.")] = "",
    watch: Annotated[
        bool | None,
        typer.Option(
            "--watch/--no-watch",
            help="Draw the tree of nodes / print a line for each change.",
            show_default="on a terminal",
        ),
    ] = None,
    status_out: Annotated[
        str, typer.Option("--status-out", metavar="FILE", help="Write the workflow with its status there; - is stdout.")
    ] = "",
    configmap: ConfigMaps = None,
    images: Images = None,
    sandbox: Kind = Sandbox.AUTO,
    server: Annotated[str | None, typer.Option("--server", metavar="URL", help="Run it there instead.")] = None,
    folder: Place = FOLDER,
) -> None:
    """Run a manifest to its end. Exit code 0 only if it succeeded.

    Ctrl-C stops it (its exit handlers run), a second Ctrl-C terminates it.
    """
    if server:
        if name or status_out or configmap:
            desk.fail("With --server only the manifest and -p are sent; leave --name, --status-out, --configmap out.")
        from orchestra.schema import run_sent

        raise typer.Exit(run_sent(server, file, pairs(parameter)))
    with at(folder) as place:
        from orchestra.workflow.run import Order
        from orchestra.workflow.run import run as run_order

        order = Order(
            file=file,
            parameters=pairs(parameter),
            name=name,
            configmaps=configmap or (),
            images=images or (),
            sandbox=sandbox.value,
            status_out=status_out,
            live=watch,
        )
        code = run_order(place, order)
    raise typer.Exit(code)


@app.command()
def explain(
    file: Manifest,
    parameter: Parameters = None,
    images: Images = None,
    sandbox: Kind = Sandbox.AUTO,
    folder: Place = FOLDER,
) -> None:
    """Draw a manifest's graph and say what each node will see, without running it."""
    with at(folder) as place:
        from orchestra.workflow.explain import explain as explain_file

        explain_file(place, file, parameters=pairs(parameter), images=images or (), sandbox=sandbox.value)


@app.command()
def watch(name: Name, sandbox: Kind = Sandbox.AUTO, folder: Place = FOLDER) -> None:
    """Follow a workflow to its end, and take over one whose command was killed. Ctrl-C leaves it running."""
    with at(folder) as place:
        from orchestra.workflow import again

        code = again.watch(place, name, sandbox=sandbox.value)
    raise typer.Exit(code)


@app.command(name="list")
def list_workflows(as_json: AsJson = False, folder: Place = FOLDER) -> None:
    """List the workflows, the newest first."""
    with at(folder) as place:
        from orchestra.workflow import look

        look.list_all(place, as_json=as_json)


@app.command()
def show(name: Name, as_json: AsJson = False, folder: Place = FOLDER) -> None:
    """Show a workflow's nodes, and why it failed."""
    with at(folder) as place:
        from orchestra.workflow import look

        look.show(place, name, as_json=as_json)


@app.command()
def logs(
    name: Name,
    node: Annotated[str | None, typer.Argument(help="A node: its name, display name or id.")] = None,
    container: Annotated[str, typer.Option("-c", "--container", help="One container of a containerSet.")] = "",
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the workflow has ended.")] = False,
    folder: Place = FOLDER,
) -> None:
    """Print the logs of a workflow's nodes."""
    with at(folder) as place:
        from orchestra.workflow import look

        look.logs(place, name, node, container=container, follow=follow)


def _control(folder: Path, name: str, what: str, **more: object) -> NoReturn:
    with at(folder) as place:
        from orchestra.workflow import again

        code = again.control(place, name, what, **more)
    raise typer.Exit(code)


@app.command()
def stop(name: Name, folder: Place = FOLDER) -> None:
    """End what runs, then run the exit handlers."""
    _control(folder, name, "stop")


@app.command()
def terminate(name: Name, folder: Place = FOLDER) -> None:
    """End what runs, without exit handlers."""
    _control(folder, name, "terminate")


@app.command()
def suspend(name: Name, folder: Place = FOLDER) -> None:
    """Start nothing more until `resume`."""
    _control(folder, name, "suspend")


@app.command()
def resume(
    name: Name,
    node: Annotated[str | None, typer.Option("--node", help="Only this suspended node.")] = None,
    parameter: Parameters = None,
    folder: Place = FOLDER,
) -> None:
    """Let a suspended workflow, or its suspended nodes, go on; -p supplies values (with --node)."""
    if parameter and not node:
        desk.fail("-p supplies values to one suspended node: say which with --node.")
    _control(folder, name, "resume", node=node, parameters=pairs(parameter))


@app.command()
def retry(name: Name, parameter: Parameters = None, sandbox: Kind = Sandbox.AUTO, folder: Place = FOLDER) -> None:
    """Run what failed again; what succeeded is kept."""
    with at(folder) as place:
        from orchestra.workflow import again

        code = again.retry(place, name, pairs(parameter), sandbox=sandbox.value)
    raise typer.Exit(code)


@app.command()
def resubmit(name: Name, parameter: Parameters = None, sandbox: Kind = Sandbox.AUTO, folder: Place = FOLDER) -> None:
    """Run a workflow anew from its beginning, under a name of its own."""
    with at(folder) as place:
        from orchestra.workflow import again

        code = again.resubmit(place, name, pairs(parameter), sandbox=sandbox.value)
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

        for name in again.delete(place, names or ()):
            print(f"Deleted {name}.")


@contextmanager
def at(folder: Path) -> Iterator[Folder]:
    """The folder of workflows; what goes wrong with it is said in a sentence."""
    desk.need_engine()
    from orchestra.workflow.folder import DeskError, Folder
    from orchestra.workflow.manifest import BadManifest

    try:
        yield Folder(path=folder)
    except BadManifest as error:
        for line in error.lines:
            screen.note(screen.shown(line))
        raise typer.Exit(USAGE) from None
    except DeskError as error:
        desk.fail(str(error))
    except BrokenPipeError:  # whoever read the output has read enough
        raise typer.Exit(OK) from None
    except OSError as error:
        where = Path(error.filename or folder)
        own = isinstance(error, PermissionError) and where.absolute().is_relative_to(folder.absolute())
        desk.fail(f"{where}: {error.strerror or error}{f'. {_whose(folder)}' if own else ''}")


def _whose(folder: Path) -> str:
    """What to do where a folder cannot be used."""
    try:
        owner = folder.stat().st_uid
    except OSError:
        return "Use a folder of your own with --folder."
    other = f"{folder} belongs to user {owner}, not to you ({os.getuid()}); use" if owner != os.getuid() else "Use"
    return f"{other} a folder of your own with --folder."
