"""Where modules come from: a git URL, a local folder, an uploaded archive.

`fetched(source)` brings the files of a source into a private folder, with everything refused that could hurt, and
names the modules in it. Nothing that was fetched is ever run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.modules.models import SourceKind
from app.modules.sources import archive, git, local
from app.modules.trees import Writer, incoming


@dataclass(frozen=True)
class GitSource:
    """A repository: https, ssh (`ssh://` or `git@host:path`), or, where settings allow, `file://` and local paths."""

    url: str
    ref: str = ""  # branch, tag or commit; empty for the repository's default branch
    subdirectory: str = ""


@dataclass(frozen=True)
class FolderSource:
    """A folder of this machine."""

    path: str | Path


@dataclass(frozen=True)
class UploadSource:
    """A zip archive with one or more modules, as a file that can be read and sought."""

    file: IO[bytes]
    filename: str = "upload.zip"


Source = GitSource | FolderSource | UploadSource


@dataclass(frozen=True, kw_only=True)
class Found:
    """One module of a source: its folder, and where it came from."""

    folder: Path
    prefix: str  # of its faults' paths; empty if it is the only module
    kind: str  # of SourceKind
    url: str
    ref: str = ""
    subdirectory: str = ""
    commit: str = ""


@contextmanager
def fetched(source: Source, *, allow_local: bool = True) -> Iterator[list[Found]]:
    """The modules of a source, in a private folder that is removed at the end.

    Raises `Faulty` with the paths url, ref, subdirectory, path or file.
    """
    with incoming() as folder:
        tree = folder / "tree"
        tree.mkdir()
        match source:
            case GitSource():
                yield [_from_git(source, tree, allow_local=allow_local)]
            case FolderSource():
                path = local.copy(Path(source.path), Writer(tree, path="path"), allow_local=allow_local)
                yield [Found(folder=tree, prefix="", kind=SourceKind.FOLDER, url=str(path))]
            case UploadSource():
                roots = archive.extract(source.file, Writer(tree, path="file"))
                yield [
                    Found(
                        folder=tree / root,
                        prefix=f"{root}/" if len(roots) > 1 else "",
                        kind=SourceKind.UPLOAD,
                        url=re.sub(r"[^\w. ()+-]", "_", source.filename)[-255:],
                        subdirectory=root,
                    )
                    for root in roots
                ]


def _from_git(source: GitSource, tree: Path, *, allow_local: bool) -> Found:
    remote = git.remote(source.url, allow_local=allow_local)
    subdirectory = git.subdirectory(source.subdirectory)
    commit = git.export(remote, ref=git.ref(source.ref), subdirectory=subdirectory, writer=Writer(tree, path="url"))
    return Found(
        folder=tree,
        prefix="",
        kind=SourceKind.GIT,
        url=remote.url,
        ref=source.ref,
        subdirectory=subdirectory,
        commit=commit,
    )
