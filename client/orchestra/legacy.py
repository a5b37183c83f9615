"""The older command line: `python -m orchestra --register TARGET… | --list | --remove ID… | --clear`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestra import screen
from orchestra.endings import EXIT_CODES, OK, UNSUCCESSFUL, USAGE, guarded

if TYPE_CHECKING:
    from orchestra.client import Client

FLAGS = ("-R", "--register", "--list", "--list-modules", "--remove", "--clear", "--yes", "--server")


def is_legacy(arguments: Sequence[str]) -> bool:
    """Whether these arguments are of the older command line: one of its flags stands where a command would."""
    return bool(arguments) and arguments[0].split("=", 1)[0] in FLAGS


def legacy_main(arguments: Sequence[str]) -> None:
    """Do what the older command line asks and exit; the codes are those of `orchestra`."""
    sys.exit(guarded(lambda: sys.exit(_work(_parser().parse_args(arguments)))))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m orchestra", epilog=EXIT_CODES, allow_abbrev=False)
    parser.add_argument(
        "-R", "--register", nargs="+", metavar="TARGET", help="folders with a metadata.json, or https://….git"
    )
    parser.add_argument("--list", "--list-modules", dest="list", action="store_true", help="list the modules")
    parser.add_argument("--remove", nargs="+", metavar="ID", help="remove modules")
    parser.add_argument("--clear", action="store_true", help="remove all modules; asks first")
    parser.add_argument("--yes", action="store_true", help="do not ask before --clear")
    parser.add_argument("--server", help="the server's address (ORCHESTRA_SERVER)")
    return parser


def _work(asked: argparse.Namespace) -> int:
    from orchestra.client import Client

    code = OK
    with Client(asked.server) as client:
        if asked.clear and (asked.yes or _sure(client)):
            code = max(code, _remove(client, [str(module["id"]) for module in client.modules()]))
        if asked.remove:
            code = max(code, _remove(client, asked.remove))
        for target in asked.register or []:
            code = max(code, _register(client, target))
        if asked.list:
            for module in client.modules():
                print(module["id"], module["name"], sep="\t")
    return code


def _register(client: Client, target: str) -> int:
    from orchestra import waiting

    if (Path(target) / "metadata.json").is_file():
        made = client.register_folder(Path(target).resolve())
    elif target.startswith("https://") and target.endswith(".git"):
        made = client.register_git(target)
    else:
        screen.note(f"{target} is neither a folder with a metadata.json nor an https address that ends with .git.")
        return USAGE
    code = waiting.follow_builds(client, made, wait=True, quiet=False)
    if code == OK:
        for one in made:
            print(one["module"]["id"], one["module"]["name"], sep="\t")
    return code


def _remove(client: Client, names: Sequence[str]) -> int:
    from orchestra.errors import Conflict, NotFound

    code = OK
    for name in names:
        try:
            client.remove(name)
        except (Conflict, NotFound) as error:
            screen.note(screen.shown(str(error)))
            code = UNSUCCESSFUL
        else:
            print(f"Removed module {name}.")
    return code


def _sure(client: Client) -> bool:
    count = len(client.modules())
    try:
        return input(f"Remove all {count} modules of {client.address}? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        screen.note("Nobody is there to ask; --clear needs --yes then.")
        return False
