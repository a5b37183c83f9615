"""The commands of `orchestra schema`: manifests that a server keeps, and runs of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestra import desk, screen
from orchestra.endings import OK, UNSUCCESSFUL, USAGE
from orchestra.options import AsJson, Server, Wait, connected, pairs

if TYPE_CHECKING:
    from orchestra.client import Client, Json

app = typer.Typer(
    help="Keep Argo Workflow manifests on a server and run them there.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a schema.")]
Parameters = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="Value of an input.")
]

_SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<", "multipleOf": "multiple of"}


@app.command()
def add(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A manifest; - is standard input.")],
    name: Annotated[str, typer.Option(help="Name of the schema, instead of the manifest's.")] = "",
    inputs: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON Schemas of inputs by name; FILE.inputs.json if it is there."),
    ] = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Save a manifest as a schema, or as the next version of the one that is there."""
    text = read(file)
    side = inputs or (Path(file).with_suffix(".inputs.json") if file != desk.STDIN else None)
    more = _inputs(side) if side is not None and (inputs or side.exists()) else None
    with connected(server) as client, _told_of(desk.shown_name(file)):
        saved = client.add_schema(text, name=name, inputs=more)
    if as_json:
        screen.print_json(saved)
        return
    for one in saved["warnings"]:
        screen.note(screen.shown(f"{file}:{one['line']}:{one['column']}: {one['severity']}: {one['message']}"))
    print(f"{saved['name']}: version {saved['version']}")


@app.command(name="list")
def list_schemas(server: Server = None, as_json: AsJson = False) -> None:
    """List the schemas."""
    with connected(server) as client:
        found = client.schemas()
    if as_json:
        screen.print_json(found)
        return
    rows = [(one["name"], one["version"], one["origin"], screen.to_second(one["created_at"])) for one in found]
    screen.table(("name", "version", "origin", "created"), rows, empty="There is no schema.")


@app.command()
def show(
    name: Name,
    version: Annotated[int | None, typer.Option(help="An earlier version.", min=1)] = None,
    manifest: Annotated[bool, typer.Option("--manifest", help="Print the manifest alone.")] = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Show a schema: its inputs, outputs, what runs on one engine only and what fails when it runs."""
    with connected(server) as client:
        found = client.schema(name, version=version)
    if as_json:
        screen.print_json(found)
        return
    if manifest:
        print(found["manifest"], end="")
        return
    shown = {key: found[key] for key in ("name", "kind", "version", "origin", "references")}
    screen.fields(shown | {"created": screen.to_second(found["created_at"])})
    print("\nInputs")
    screen.table(("input", "type", "unit", "default", "allowed", "description"), _input_rows(found), empty="none")
    print("\nOutputs")
    screen.table(("output", "type", "unit", "promised", "description"), _output_rows(found), empty="none")
    for one in found["warnings"]:
        screen.note(screen.shown(f"line {one['line']}: {one['severity']}: {one['message']}"))


def _input_rows(schema: Json) -> list[tuple[object, ...]]:
    """The rows of a schema's inputs: name, type, unit, default, what is allowed, description."""
    needed = schema["inputs"]["required"]
    return [
        (
            key,
            one.get("type", "file"),
            one.get("unit"),
            one.get("default", "needed" if key in needed else ""),
            _bounds(one),
            one.get("description"),
        )
        for key, one in schema["inputs"]["properties"].items()
    ]


def _output_rows(schema: Json) -> list[tuple[object, ...]]:
    """The rows of a schema's outputs: name, type, unit, whether it is promised, description."""
    return [
        (
            key,
            one.get("type") or ("file" if kind == "artifacts" else "parameter"),
            one.get("unit"),
            "yes" if one.get("required") else "",
            one.get("description"),
        )
        for kind, named in schema["outputs"].items()
        for key, one in named.items()
    ]


@app.command()
def remove(name: Name, server: Server = None, as_json: AsJson = False) -> None:
    """Take a schema off the server; what was made from it stays readable."""
    with connected(server) as client:
        client.remove_schema(name)
    screen.print_json({"removed": name}) if as_json else print(f"{name} is removed.")


@app.command()
def run(
    name: Name,
    parameter: Parameters = None,
    version: Annotated[int | None, typer.Option(help="An earlier version.", min=1)] = None,
    wait: Wait = True,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Run a schema on the server. Exit code 0 only if it succeeded."""
    with connected(server) as client:
        made = client.run_schema(name, arguments=pairs(parameter), version=version)
        code = finish(client, made, what=name, wait=wait, as_json=as_json)
    raise typer.Exit(code)


def run_sent(server: str, file: str, arguments: dict[str, str]) -> int:
    """Send a manifest to a server to be run once, and stay with it; the command's exit code."""
    text = read(file)
    with connected(server) as client:
        with _told_of(desk.shown_name(file)):
            made = client.send_manifest(text, arguments=arguments)
        return finish(client, made, what=desk.shown_name(file), wait=True, as_json=False)


def finish(client: Client, made: Json, *, what: str, wait: bool, as_json: bool) -> int:
    """Stay with an execution if that is wanted, and say how it ended; the command's exit code."""
    from orchestra import waiting

    if wait:
        made = waiting.until_end(client, made, what=f"Running {what} as {made['id']}", ask=True)
    if as_json:
        screen.print_json(client.execution(made["id"]))
    elif wait:
        _show(client.execution(made["id"]))
    else:
        print(f"Execution {made['id']} is {made['state']}.")
    return OK if not wait or made["state"] == "SUCCEEDED" else UNSUCCESSFUL


def _show(ended: Json) -> None:
    print(screen.shown(f"Execution {ended['id']} is {ended['state']}. {ended['message']}".strip()))
    for line in (ended["failure"] or {}).get("last_lines") or ():
        screen.note(screen.shown(f"  | {line}"))
    for key, value in ended["results"].items():
        print(screen.shown(f"  {key} = {value}"))
    for file in ended["outputs"]:
        print(screen.shown(f"  {file['role']:<7} {file['name']}  {file['size']} bytes  sha256 {file['sha256'][:12]}"))


def _bounds(declared: Json) -> str:
    """What a value may be beside its type, in few words."""
    if "enum" in declared:
        return ", ".join(map(screen.shown, declared["enum"]))
    told = [f"{sign} {screen.shown(declared[key])}" for key, sign in _SIGNS.items() if key in declared]
    return ", ".join([*told, *(str(declared[key]) for key in ("format", "pattern") if key in declared)])


@contextlib.contextmanager
def _told_of(file: str) -> Iterator[None]:
    """Tell faults of places in a manifest as `orchestra lint` does, so that editors find them."""
    from orchestra import errors

    try:
        yield
    except errors.Invalid as error:
        if not any(fault.line for fault in error.faults):
            raise
        for fault in error.faults:
            place = f"{file}:{fault.line}:{fault.column}" if fault.line else file
            screen.note(screen.shown(f"{place}: error: {fault.message if fault.line else fault}"))
        raise typer.Exit(USAGE) from None


def read(file: str) -> str:
    """The text of a manifest's file; ends the command if it cannot be read."""
    try:
        return desk.read_manifest(file).decode()
    except OSError as error:
        desk.fail(f"{file} cannot be read: {error.strerror or error}")
    except UnicodeDecodeError:
        desk.fail(f"{file} is no text in UTF-8.")


def _inputs(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        desk.fail(f"{path} cannot be read: {error.strerror or error}")
    except ValueError as error:
        desk.fail(f"{path} is not JSON: {error}")
    if not isinstance(found, dict):
        desk.fail(f"{path} is not an object with a JSON Schema for each input.")
    return found
