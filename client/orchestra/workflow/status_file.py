"""`--status-out`: the whole workflow with its status, as `argo get -o json` prints it."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path

from orchestra import desk
from orchestra.desk import DeskError
from orchestra.files import temporary_beside, whole_file
from orchestra.workflow.folder import Json

_YAML = (".yaml", ".yml")


def check_writable(file: str) -> None:
    """Raises DeskError if a file cannot be written, before hours have gone into what should be in it."""
    if not file or file == desk.STDIN:
        return
    place = Path(os.path.realpath(file))
    try:
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if place.exists() and not place.is_file():
            return
        temporary = temporary_beside(place)
        temporary.touch(exist_ok=False)
        temporary.unlink()
    except OSError as error:
        raise DeskError(f"--status-out {file}: it cannot be written there ({error.strerror})") from None


def write_status(file: str, workflow: Json) -> None:
    """Write the whole workflow with its status: YAML if the name ends so, else JSON; `-` is standard output.

    A file is replaced whole or not at all; a device or pipe is written to. Raises DeskError.
    """
    if not file:
        return
    text = text_of(whole(workflow), as_yaml=file.endswith(_YAML))
    if file == desk.STDIN:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        with whole_file(Path(file)) as out:
            out.write(text.encode(errors="surrogateescape"))
    except OSError as error:
        raise DeskError(f"--status-out {file}: {error.strerror or error}") from None


def whole(workflow: Json) -> Json:
    """A workflow as Argo shows it: without what this engine keeps for itself, and without an empty message."""
    status = {key: value for key, value in (workflow.get("status") or {}).items() if key != "orchestra"}
    if not status.get("message"):
        status.pop("message", None)
    return {**workflow, "status": status}


def text_of(value: Json, *, as_yaml: bool) -> str:
    """A workflow as JSON, or as YAML."""
    if not as_yaml:
        return json.dumps(value, indent=2) + "\n"
    import yaml

    written: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    return written
