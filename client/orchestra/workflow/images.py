"""What images mean at the desk: a table that people write, kept in the folder of workflows.

```yaml
ghcr.io/me/tool:1: ~/venvs/tool            # a Python environment
ghcr.io/me/solver:*: python:3.12           # any tag: as another image that is known here
registry.example/idl:8:
  path: [/opt/idl/bin]                     # goes before the system's PATH
  readonly: [/opt/idl]                     # is shown in a private root
  env: {IDL_DIR: /opt/idl}
```
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestra_engine.images import Image, ImageTable, UnknownImage, environment
from orchestra_engine.manifest import ManifestError, load

from orchestra import desk
from orchestra.desk import DeskError
from orchestra.files import write_json

FILE = "images.json"
_KEYS = ("environment", "like", "path", "readonly", "env")

Entry = dict[str, Any]
Entries = dict[str, Entry]


def read(file: str) -> Entries:
    """The table in a YAML or JSON file; relative folders are below the file's. Raises DeskError, OSError."""
    try:
        documents = load(desk.read_manifest(file))
    except ManifestError as error:
        raise DeskError(f"{file}:{error.line or 1}:{error.column or 1}: error: {error.message}") from None
    base = Path.cwd() if file == desk.STDIN else Path(file).absolute().parent
    found: Entries = {}
    for document in documents:
        for name, value in document.items():
            found[name] = _entry(f"{desk.shown_name(file)}: {name}", value, base)
    return found


def read_all(files: Iterable[str]) -> Entries:
    """The tables of several files; what a later one says of a name holds. Raises DeskError, OSError."""
    return {name: entry for file in files for name, entry in read(file).items()}


def _entry(where: str, value: Any, base: Path) -> Entry:
    if isinstance(value, str):
        value = {"environment" if value[:1] in ("/", "~", ".") else "like": value}
    if not isinstance(value, dict) or not value or any(key not in _KEYS for key in value):
        raise DeskError(
            f"{where}: it has to be the folder of an environment, the name of another image, or a mapping of "
            f"{', '.join(_KEYS)}"
        )
    entry: Entry = {}
    if "like" in value:
        entry["like"] = str(value["like"])
    if "environment" in value:
        entry["environment"] = _folder(where, value["environment"], base)
        if not (Path(entry["environment"]) / "bin").is_dir():
            raise DeskError(f"{where}: {entry['environment']} is no environment (it has no folder bin)")
    for key in ("path", "readonly"):
        folders = value.get(key) or []
        if not isinstance(folders, list):
            raise DeskError(f"{where}: {key} has to be a list of folders")
        entry[key] = [_folder(where, each, base) for each in folders]
    env = value.get("env") or {}
    if not isinstance(env, dict) or not all(isinstance(each, str | int | float) for each in env.values()):
        raise DeskError(f"{where}: env has to be a mapping of variables to texts")
    entry["env"] = {str(name): str(each) for name, each in env.items()}
    return entry


def _folder(where: str, value: Any, base: Path) -> str:
    path = os.path.normpath(base / os.path.expanduser(str(value)))
    if not os.path.isdir(path):
        raise DeskError(f"{where}: there is no folder {path}")
    return path


@contextlib.contextmanager
def kept_with(folder: Path, entries: Mapping[str, Entry]) -> Iterator[None]:
    """The table of a folder with further entries, which stay unless what follows fails. Raises OSError."""
    file = folder / FILE
    before = file.read_bytes() if file.exists() else None
    try:
        if entries:
            write_json(file, {**kept(folder), **entries})
        yield
    except BaseException:
        if entries and before is None:
            file.unlink(missing_ok=True)
        elif entries and before is not None:
            file.write_bytes(before)
        raise


def kept(folder: Path) -> Entries:
    """The table of a folder; empty if it has none. Raises OSError."""
    try:
        found: Entries = json.loads((folder / FILE).read_bytes())
    except FileNotFoundError:
        return {}
    return found


class FolderImages(ImageTable):
    """The images that are known in a folder, and `more`; its file is read anew once it has changed."""

    def __init__(self, folder: Path, more: Mapping[str, Entry] | None = None) -> None:
        super().__init__()
        self._folder, self._more = folder, dict(more or {})
        self._stamp: tuple[int, int] | None = None
        self._table: Entries = {}

    def resolve(self, name: str) -> Image:
        """The image of that name. Raises UnknownImage."""
        entry = self._entry(name)
        if entry is not None:
            return self._image(name, entry)
        try:
            return super().resolve(name)
        except UnknownImage as error:
            raise UnknownImage(f"{error}; --images FILE says what others mean") from None

    def known(self) -> list[str]:
        """The names that resolve, for people."""
        return sorted({*super().known(), *self._entries()})

    def _entry(self, name: str) -> Entry | None:
        entries = self._entries()
        begins = [each for each in entries if each.endswith("*") and name.startswith(each[:-1])]
        return entries.get(name) or (entries[max(begins, key=len)] if begins else None)

    def _entries(self) -> Entries:
        try:
            found = (self._folder / FILE).stat()
            stamp = (found.st_mtime_ns, found.st_ino)
        except FileNotFoundError:
            stamp = (0, 0)
        if stamp != self._stamp:
            self._stamp, self._table = stamp, {**kept(self._folder), **self._more}
        return self._table

    def _image(self, name: str, entry: Entry) -> Image:
        base = Image()
        if "environment" in entry:
            base = environment(Path(entry["environment"]))
        elif "like" in entry:
            base = super().resolve(entry["like"])
        path, readonly = ([Path(each) for each in entry.get(key) or ()] for key in ("path", "readonly"))
        gone = [each for each in (*path, *readonly, *base.path) if not each.is_dir()]
        if gone:
            raise UnknownImage(f"the image {name!r} means {gone[0]} on this machine, which is not there any more")
        return Image(
            path=[*path, *base.path],
            readonly=[*readonly, *base.readonly],
            env={**base.env, **(entry.get("env") or {})},
        )
