"""The `orchestra` command.

Exit codes: 0 done; 1 the run or build did not succeed; 2 the command or its input is at fault, or does not go with the
present state; 3 the server cannot be reached; 4 the server could not do it; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestra import arguments, desk, doctor, lint, schema, screen
from orchestra.endings import EXIT_CODES, OK, UNSUCCESSFUL, guarded
from orchestra.options import AsJson, Server, Wait, connected, pairs, tell_version
from orchestra.workflow.app import app as workflow_app

if TYPE_CHECKING:
    from orchestra.client import Client, Json

app = typer.Typer(
    help="Register Python ML modules, run them between two times, fetch their catalogs.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ModuleName = Annotated[str, typer.Argument(metavar="MODULE", help="Name or number of a module.")]
Execution = Annotated[int, typer.Argument(metavar="ID", help="Number of an execution.", min=1)]


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", help="Print the versions and exit.", callback=tell_version, is_eager=True)
    ] = False,
) -> None:
    """What holds for all commands."""


# --- modules -------------------------------------------------------------------------------------------------------
@app.command()
def register(
    target: Annotated[str, typer.Argument(metavar="PATH|URL", help="A folder, a zip archive, or a git URL.")],
    ref: Annotated[str, typer.Option(help="Branch, tag or commit of a git URL.")] = "",
    subdirectory: Annotated[str, typer.Option(help="Where in the repository or folder the module is.")] = "",
    wait: Wait = True,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Register a module and build its environment."""
    from orchestra import waiting

    with connected(server) as client:
        with screen.spinner(f"Fetching {target}") if not as_json else nullcontext():
            made = register_target(client, target, ref=ref, subdirectory=subdirectory)
        code = waiting.follow_builds(client, made, wait=wait, quiet=as_json)
        if as_json:
            screen.print_json(made)
        else:
            for one in made:
                module = one["module"]
                new = "registered" if one["created"] else f"was there already{_in_use(one)}"
                if (one["build"] or {}).get("state") in {"FAILED", "CANCELLED"}:
                    new += ", but not built; a version in use stays in use"
                print(f"{module['name']} {one['version']['label']} (module {module['id']}): {new}")
    raise typer.Exit(code)


def register_target(client: Client, target: str, *, ref: str = "", subdirectory: str = "") -> list[Json]:
    """Register a folder, a zip archive or a git URL, whichever the target is."""
    path = Path(target).expanduser()
    if not target or not path.exists():
        if "://" not in target and "@" not in target:
            desk.fail(f"{target!r} is neither a file or folder here nor a git URL.")
        return client.register_git(target, ref=ref, subdirectory=subdirectory)
    if path.is_file():
        return client.register_upload(path)
    if ref:
        return client.register_git(path.resolve().as_uri(), ref=ref, subdirectory=subdirectory)
    return client.register_folder(path.resolve() / subdirectory)


@app.command(name="list")
def list_modules(server: Server = None, as_json: AsJson = False) -> None:
    """List the modules."""
    with connected(server) as client:
        modules = client.modules()
    if as_json:
        screen.print_json(modules)
        return
    rows = [
        (one["id"], one["name"], (one["default"] or one["latest"])["label"], one["status"],
         _first_line(one["description"]))
        for one in modules
    ]  # fmt: skip
    screen.table(("id", "name", "version", "status", "description"), rows, empty="No module is registered.")


@app.command()
def show(module: ModuleName, server: Server = None, as_json: AsJson = False) -> None:
    """Show a module: its versions, arguments and outputs."""
    with connected(server) as client:
        found = client.module(module)
        versions = client.versions(module)
    if as_json:
        screen.print_json({**found, "versions": versions})
        return
    default = found["default"] or {}
    screen.fields({
        "id": found["id"], "name": found["name"], "status": found["status"], "description": found["description"],
        "output": _file(found["output"]), "annexes": ", ".join(map(_file, found["annexes_outputs"])),
        "interval": " to ".join(found["defaults"][key] for key in ("start", "stop") if key in found["defaults"]),
        "build": (found["build"] or {}).get("message"),
    })  # fmt: skip
    print("\nArguments of a run, beside --start and --stop")
    arguments.table(found)
    if columns := found["output"].get("columns"):
        print("\nColumns of the catalog, behind start and stop")
        described = [tuple(one.get(key) for key in ("name", "type", "unit", "description")) for one in columns]
        screen.table(("name", "type", "unit", "description"), described, empty="none")
    print("\nVersions")
    rows = [
        ("*" if one["number"] == default.get("number") else "", one["number"], one["label"], one["commit"][:12],
         (one["environment"] or "not built")[:12], screen.to_second(one["created_at"]))
        for one in versions
    ]  # fmt: skip
    screen.table(("", "number", "label", "commit", "environment", "created"), rows, empty="none")


@app.command()
def build(module: ModuleName, wait: Wait = True, server: Server = None, as_json: AsJson = False) -> None:
    """Fetch a module's source anew and build it, showing the log; the version in use stays until that has passed."""
    from orchestra import waiting

    with connected(server) as client:
        made = client.rebuild(module)
        number = (made["build"] or {}).get("execution")
        if number and wait and not as_json:
            waiting.show_log_to_end(client, number, what=f"Building {module}")
        code = waiting.follow_builds(client, [made], wait=wait, quiet=as_json)
        if as_json:
            screen.print_json(made)
    raise typer.Exit(code)


@app.command()
def remove(module: ModuleName, server: Server = None, as_json: AsJson = False) -> None:
    """Remove a module; its finished executions stay readable."""
    with connected(server) as client:
        found = client.module(module)
        client.remove(found["id"])
    done = f"Removed {found['name']} (module {found['id']})."
    screen.print_json({"removed": found["id"]}) if as_json else print(done)


# --- executions ----------------------------------------------------------------------------------------------------
@app.command(cls=arguments.RunCommand, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    module: ModuleName,
    start: Annotated[str | None, typer.Option(help="Begin, UTC, inclusive: 2001-03-28T00:00:00.")] = None,
    stop: Annotated[str | None, typer.Option(help="End, UTC, exclusive.")] = None,
    arg: Annotated[
        list[str] | None, typer.Option("--arg", metavar="NAME=VALUE", help="An argument of the module.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="Number of a version other than the default.")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key never runs twice.")] = None,
    wait: Wait = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Run a module between two times. Its own arguments are options too: `orchestra run storms --threshold 0.6`.

    `orchestra run MODULE --help` lists them.
    """
    with connected(server) as client:
        from orchestra import waiting

        if key is not None and not key.strip():
            desk.fail("--key is empty; without a key of its own each request is a run of its own.")
        values = {**pairs(arg, "--arg"), **_options(context.args)}
        made = client.run(module, start=start, stop=stop, arguments=values, version=version, idempotency_key=key)
        if not wait:
            waits = f" ({made['message']})" if made["message"] else ""
            shown = f"Execution {made['id']} of {module} is {made['state']}{waits}."
            screen.print_json(made) if as_json else print(shown)
            return
        ended = waiting.until_end(client, made, what=f"Run {made['id']} of {module}", ask=True)
        if as_json:
            screen.print_json(client.execution(made["id"]))
        else:
            waiting.show_result(client, ended)
    raise typer.Exit(OK if ended["state"] == "SUCCEEDED" else UNSUCCESSFUL)


@app.command()
def executions(
    module: Annotated[str | None, typer.Option(help="Only those of this module.")] = None,
    state: Annotated[str | None, typer.Option(help="Only those in this state, as RUNNING.")] = None,
    kind: Annotated[str | None, typer.Option(help="prediction, build or schema.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, newest first.")] = 20,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """List executions, newest first."""
    with connected(server) as client:
        found = client.executions(module=module, state=state and state.upper(), kind=kind, limit=limit)
    if as_json:
        screen.print_json(found)
        return
    rows = [
        (one["id"], one["kind"], (one["module"] or one.get("schema") or {}).get("name"), one["state"],
         one["start"], one["stop"], screen.to_second(one["created_at"]), _first_line(one["message"], longest=160))
        for one in found
    ]  # fmt: skip
    columns = ("id", "kind", "module or schema", "state", "start", "stop", "created", "message")
    screen.table(columns, rows, empty="There is none.")


@app.command()
def logs(
    execution: Execution,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until nothing more comes.")] = False,
    node: Annotated[str | None, typer.Option(help="Id of one node.")] = None,
    attempt: Annotated[int | None, typer.Option(help="An earlier attempt.")] = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Print the log of an execution."""
    with connected(server) as client:
        from orchestra import waiting

        if as_json:
            read = client.follow if follow else client.whole_log
            text = b"".join(read(execution, node=node, attempt=attempt)).decode(errors="replace")
            screen.print_json({"execution": execution, "log": text})
            return
        waiting.show_log(client, execution, follow=follow, node=node, attempt=attempt)


@app.command()
def kill(execution: Execution, wait: Wait = True, server: Server = None, as_json: AsJson = False) -> None:
    """Cancel an execution; a second time without its exit handlers."""
    with connected(server) as client:
        from orchestra import waiting
        from orchestra.client import FINAL

        now = client.cancel(execution)
        over = now["state"] in FINAL and now["state"] != "CANCELLED"
        if wait and not over:
            now = waiting.until_end(client, now, what=f"Cancelling {execution}", ask=False)
    if as_json:
        screen.print_json(now)
    else:
        print(f"Execution {execution} is {now['state']}{'; there is nothing to cancel' if over else ''}.")


@app.command()
def resume(
    execution: Execution,
    node: Annotated[str | None, typer.Option(help="Only this waiting node.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="A value that it waits for.")
    ] = None,
    wait: Wait = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Let go on what waits for somebody (a template that suspends)."""
    with connected(server) as client:
        from orchestra import waiting

        now = client.resume(execution, node=node, parameters=pairs(parameter))
        what = f"Execution {execution}" if wait else None
        code = waiting.tell(client, now, wait_for=what, said=f"Execution {execution} goes on.", as_json=as_json)
    raise typer.Exit(code)


@app.command()
def retry(execution: Execution, wait: Wait = False, server: Server = None, as_json: AsJson = False) -> None:
    """Start a new attempt of an execution that failed, was cancelled or got lost."""
    with connected(server) as client:
        from orchestra import waiting

        now = client.retry(execution)
        what = f"Attempt {now['attempt']} of {execution}" if wait else None
        said = f"Execution {execution} is {now['state']}, attempt {now['attempt']}."
        code = waiting.tell(client, now, wait_for=what, said=said, as_json=as_json)
    raise typer.Exit(code)


@app.command()
def output(
    execution: Execution,
    to: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="A file or folder; - is stdout.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="One of the files, as an annex.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All files, as a zip if there are several.")] = False,
    original: Annotated[bool, typer.Option(help="As the module wrote it, without AMDA's header.")] = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Fetch what an execution made."""
    with connected(server) as client:
        if to == Path("-"):
            for piece in client.read_output(execution, name=name, everything=everything, original=original):
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        with screen.download_bar(name or f"output of {execution}") as on_size:
            saved = client.save_output(
                execution, to=to, name=name, everything=everything, original=original, on_size=on_size
            )
    screen.print_json({"execution": execution, "file": str(saved)}) if as_json else print(saved)


# --- at the desk ---------------------------------------------------------------------------------------------------
app.command()(lint.lint)
app.command()(doctor.doctor)
app.add_typer(workflow_app, name="workflow")
app.add_typer(schema.app, name="schema")


# --- within --------------------------------------------------------------------------------------------------------
def _first_line(text: str | None, *, longest: int = 80) -> str:
    line = (text or "").strip().split("\n", 1)[0]
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _in_use(registration: Json) -> str:
    default = registration["module"]["default"] or {}
    return ", and is what runs" if default.get("number") == registration["version"]["number"] else ""


def _file(declared: Json) -> str:
    """A declared output as `CAT storms.txt`."""
    return f"{declared['type']} {declared['filename']}"


def _options(words: Sequence[str]) -> dict[str, str]:
    """What typer does not know, `--name value` or `--name=value`: arguments of the module, checked by the server."""
    found: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--") or word == "--":
            desk.fail(f"{word}: not understood; an argument of the module is --name VALUE or --arg NAME=VALUE.")
        name, equals, value = word[2:].partition("=")
        if not equals:
            if not rest or rest[0].startswith("--"):
                desk.fail(f"{word}: its value is missing; one that begins with -- is given as {word}=VALUE.")
            value = rest.pop(0)
        found[name] = value
    return found


def main() -> None:
    """The entry point."""
    code = guarded(app)
    try:
        sys.stdout.flush()
    except OSError:  # its reader, its terminal or the room on its disk is gone
        sys.stdout = None
    sys.exit(code)
