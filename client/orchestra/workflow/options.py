"""What several commands of `orchestra workflow` take, and the folder that they work in."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestra import desk, screen
from orchestra.endings import OK, USAGE
from orchestra.options import pairs

if TYPE_CHECKING:
    from orchestra.workflow.folder import Folder


class Sandbox(StrEnum):
    """Where nodes run."""

    AUTO = "auto"
    PRIVATE = "private"
    PLAIN = "plain"


_NAME = "Name of a workflow; @latest is the newest."
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
Name = Annotated[str, typer.Argument(metavar="NAME", help=_NAME)]
Names = Annotated[list[str], typer.Argument(metavar="NAME…", help=_NAME)]
Parameters = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="Value of a parameter.")
]
ParameterFile = Annotated[
    str, typer.Option("-f", "--parameter-file", metavar="FILE", help="Values of parameters, as YAML or JSON.")
]
Selector = Annotated[
    str,
    typer.Option(
        "--node-field-selector",
        metavar="FIELD=VALUE,…",
        help="Only such nodes: name, displayName, id, phase, templateName, inputs.parameters.NAME.value; != excludes.",
    ),
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
RunName = Annotated[str, typer.Option("--name", help="Name of this run, instead of the manifest's.")]
Live = Annotated[
    bool | None,
    typer.Option(
        "--watch/--no-watch",
        help="Draw the tree of nodes / print a line for each change.",
        show_default="on a terminal",
    ),
]
StatusOut = Annotated[
    str, typer.Option("--status-out", metavar="FILE", help="Write the workflow with its status there; - is stdout.")
]
Elsewhere = Annotated[str | None, typer.Option("--server", metavar="URL", help="Run it there instead.")]
FOLDER = Path(".orchestra")


@contextmanager
def at(folder: Path) -> Iterator[Folder]:
    """The folder of workflows; what goes wrong with it is said in a sentence."""
    desk.need_engine()
    from orchestra.desk import DeskError
    from orchestra.workflow.folder import Folder
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
        where = str(error.filename or folder)
        desk.fail(f"{where}: {error.strerror or error}{_advice(error, where, folder)}")


def _advice(error: OSError, where: str, folder: Path) -> str:
    """What to do about a file that cannot be read or written; nothing if it is not the folder's."""
    inside = os.path.abspath(where).startswith(os.path.abspath(folder))
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return ". Free some room, or use a folder on another disk with --folder."
        case errno.EROFS if inside:
            return ". Use a folder that can be written with --folder."
        case errno.EACCES | errno.EPERM if inside:
            return f". {_whose(folder)}"
    return ""


def _whose(folder: Path) -> str:
    """What to do where a folder cannot be used."""
    try:
        owner = folder.stat().st_uid
    except OSError:
        return "Use a folder of your own with --folder."
    other = f"{folder} belongs to user {owner}, not to you ({os.getuid()}); use" if owner != os.getuid() else "Use"
    return f"{other} a folder of your own with --folder."


def values(given: list[str] | None, file: str = "") -> dict[str, str]:
    """The values of parameters, on the line and in a file; ends the command if a name is given twice."""
    return pairs([*(given or ()), *(_of_file(file) if file else ())])


def _of_file(file: str) -> Iterator[str]:
    desk.need_engine()
    from orchestra.workflow.manifest import read_parameters

    try:
        for name, value in read_parameters(file).items():
            yield f"{name}={value}"
    except (ValueError, OSError) as error:
        text = error.strerror if isinstance(error, OSError) else error
        desk.fail(f"--parameter-file {file}: {text}")
