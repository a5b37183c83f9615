"""Requirements as a list or a file, checked and merged into lines that a lock can be resolved from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from app.engines.protocol import Fault

MAX_BYTES = 2**20
_INCLUDES = 10  # files that may include each other
_OPTION = re.compile(r"(--?[A-Za-z][A-Za-z-]*)(?:\s*=\s*|\s+)?(.*)")
_INDEXES = {"-i": "--index-url", "-f": "--find-links"}
_WITH_URL = frozenset({"--index-url", "--extra-index-url", "--find-links"})
_WITH_NAMES = frozenset({"--no-binary", "--only-binary"})
_TRAILING = re.compile(r"\s--hash[=\s].*$")


@dataclass
class Requirements:
    """What was gathered: requirement lines, option lines, and what is wrong with others."""

    lines: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def add(self, line: str, *, path: str, where: str = "") -> None:
        """Take one requirement or option; `where` says in which line of which file it stands."""
        try:
            target, text = (self.options, _option(line)) if line.startswith("-") else (self.lines, _requirement(line))
        except ValueError as error:
            self.faults.append(Fault(path=path, message=f"{where}{line[:100]!r} {error}"))
            return
        if text not in target:
            target.append(text)

    def add_file(self, name: str, *, tree: Path, path: str, depth: int = 0) -> None:
        """Take a requirements file of the tree and the files that it includes."""
        file = tree / name
        problem = ""
        if not file.resolve().is_relative_to(tree.resolve()) or not file.is_file():
            problem = "there is no such file in the module"
        elif file.stat().st_size > MAX_BYTES:
            problem = f"is larger than {MAX_BYTES} bytes"
        elif depth > _INCLUDES:
            problem = "is included in a circle"
        if problem:
            self.faults.append(Fault(path=path, message=f"{name!r}: {problem}"))
            return
        for number, line in _lines(file.read_bytes().decode("utf-8-sig", "replace")):
            if match := re.fullmatch(r"(?:-r|--requirement)[=\s]\s*(\S.*)", line):
                self.add_file(str(Path(name).parent / match[1]), tree=tree, path=path, depth=depth + 1)
            else:
                self.add(line, path=path, where=f"{name}, line {number}: ")


def digest(lines: Sequence[str], options: Sequence[str], python_version: str) -> str:
    """SHA-256 of what a lock is resolved from, whatever the order of the requirements."""
    return hashlib.sha256(json.dumps([sorted(lines), options, python_version]).encode()).hexdigest()


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The logical lines of a requirements file: joined where continued, without comments, with their numbers."""
    pending, first = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        first = first or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            pending += line[:-1] + " "
            continue
        if whole := re.sub(r"(^|\s)#.*$", "", pending + line).strip():
            yield first, whole
        pending, first = "", 0
    if pending.strip():
        yield first, pending.strip()


def _requirement(line: str) -> str:
    bare = _TRAILING.sub("", line)
    if bare.startswith((".", "/", "file:")) or re.match(r"[\w.-]+/", bare):
        raise ValueError("is a path; only packages by name, or `name @ https://…`, can be locked")
    if re.match(r"[a-z+]+://|git\+", bare):
        raise ValueError("has no name; write `name @ https://…`")
    try:
        requirement = Requirement(bare)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"is not a requirement as numpy>=1.26: {reason}") from None
    if requirement.url:
        _https(requirement.url)
    return str(requirement) + line[len(bare) :]


def _option(line: str) -> str:
    match = _OPTION.fullmatch(line)
    name, value = (_INDEXES.get(match[1], match[1]), match[2].strip()) if match else (line, "")
    if name in _WITH_URL:
        _https(value)
        return f"{name} {value}"
    if name in _WITH_NAMES and re.fullmatch(r"[A-Za-z0-9._,:-]+", value):
        return f"{name} {value}"
    allowed = ", ".join(sorted(_WITH_URL | _WITH_NAMES))
    raise ValueError(f"is an option that cannot be used here; there are -r, {allowed}")


def _https(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("is not an https address; nothing else can be pinned by its hash")
    if parts.password:
        raise ValueError("holds a password, which everybody would see; give it to the server instead")
