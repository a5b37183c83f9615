"""`orchestra lint`: what is wrong with manifest files, one line each, as editors and pre-commit read it."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from orchestra import desk, screen
from orchestra.endings import OK, UNSUCCESSFUL

if TYPE_CHECKING:
    from orchestra_engine.lint import Finding

MOST_LINES = 200
_MANIFEST = re.compile(rb"\bapiVersion[\"']?\s*:|\bkind[\"']?\s*:\s*[\"']?\w*Workflow")


def lint(
    files: Annotated[list[str], typer.Argument(metavar="FILE|-…", help="Files or folders of manifests; - is stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Errors only: no warnings, no notes.")] = False,
) -> None:
    """Check manifests: Argo's types and rules are errors, what runs on Argo only or fails when it runs is a warning.

    The files may refer to each other's WorkflowTemplates. Exit code 1 if there is an error.
    """
    desk.need_engine()
    from orchestra_engine import lint as linting

    sources = _read(files)
    if not sources:
        desk.fail(f"{', '.join(files)}: there is no manifest (*.yaml, *.yml, *.json).")
    found = [one for one in linting.lint(sources) if not quiet or one.severity == linting.ERROR]
    count = {
        word: sum(one.severity == word for one in found) for word in (linting.ERROR, linting.WARNING, linting.NOTE)
    }
    if as_json:
        screen.print_json({"files": list(sources), "findings": [asdict(one) for one in found], **_plurals(count)})
    else:
        for one in _foremost(found):
            print(screen.shown(_line(one)))
        if len(found) > MOST_LINES:
            screen.note(f"… and {len(found) - MOST_LINES} more; --json tells all.")
        screen.note(_summary(len(sources), count))
    raise typer.Exit(UNSUCCESSFUL if count[linting.ERROR] else OK)


def _read(files: list[str]) -> dict[str, bytes]:
    """The content of the files, by the names that are shown; of folders what may be a manifest."""
    found: dict[str, bytes] = {}
    for file in desk.manifests(files):
        try:
            content = desk.read_manifest(file)
        except OSError as error:
            desk.fail(f"{file} cannot be read: {error.strerror or error}")
        if file in files or _MANIFEST.search(content.replace(b"\0", b"")):  # UTF-16 has many of them
            found[desk.shown_name(file)] = content
    return found


def _foremost(found: list[Finding]) -> list[Finding]:
    """As many findings as anybody reads, in their order: errors before warnings before notes."""
    if len(found) <= MOST_LINES:
        return found
    order = ("error", "warning", "note")
    worst = sorted(range(len(found)), key=lambda number: order.index(found[number].severity))
    return [found[number] for number in sorted(worst[:MOST_LINES])]


def _line(one: Finding) -> str:
    where = f" ({one.field})" if one.field and one.field not in one.message else ""
    return f"{one.file}:{one.line}:{one.column}: {one.severity}: {one.message}{where}"


def _plurals(count: dict[str, int]) -> dict[str, int]:
    return {f"{word}s": number for word, number in count.items()}


def _summary(files: int, count: dict[str, int]) -> str:
    parts = [f"{number} {word}{'' if number == 1 else 's'}" for word, number in count.items() if number]
    return f"{files} file{'' if files == 1 else 's'}: {', '.join(parts) or 'nothing to say'}"
