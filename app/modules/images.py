"""Names of images, and what they are on this machine: folders to show a node and programs to put on its PATH."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from django.conf import settings

from app.modules import trees
from app.modules.interpreters import uv_program
from app.modules.models import Environment, Version

PREFIX = "orchestra/"
BUILDER = "orchestra/builder"
PROGRAMS = Path(__file__).resolve().parent / "bin"  # orchestra-run, orchestra-build
_SHORT = 16  # digits of a digest in a name
IN_TEXT = re.compile(rf"orchestra/module:[0-9a-f]{{{_SHORT}}}-[0-9a-f]{{{_SHORT}}}")  # wherever one is named
_NAME = re.compile(rf"orchestra/module:([0-9a-f]{{{_SHORT}}})-([0-9a-f]{{{_SHORT}}})")


class UnknownImage(LookupError):
    """No environment of this machine stands behind the name; the text says why."""


def image(version: Version) -> str:
    """The name of a built version's image; equal trees with equal environments share one.

    Raises `UnknownImage` for a version without an environment.
    """
    if version.environment is None:
        raise UnknownImage(f"version {version.number} of {version.module.name} has no environment yet")
    return f"{PREFIX}module:{version.tree_digest[:_SHORT]}-{version.environment.digest[:_SHORT]}"


def parts(name: str) -> tuple[str, str] | None:
    """The beginnings of the tree's and the environment's digests in the name of a module's image; None for others."""
    match = _NAME.fullmatch(name)
    return (match[1], match[2]) if match else None


def resolve_image(name: str) -> dict[str, Any]:
    """What a node of that image sees: `path` (folders first on PATH), `readonly` (folders) and `env`.

    Raises `UnknownImage`.
    """
    if name == BUILDER:
        base, uv = Path(sys.base_prefix), uv_program().parent
        return {"path": [PROGRAMS, base / "bin", uv], "readonly": [PROGRAMS, base, uv], "env": {}}
    match = _NAME.fullmatch(name)
    if not match:
        raise UnknownImage(f"{name!r} is none of Orchestra's images ({BUILDER}, orchestra/module:<tree>-<environment>)")
    environment = Environment.objects.filter(digest__startswith=match[2]).defer("lock", "imports").first()
    version = Version.objects.filter(tree_digest__startswith=match[1]).only("tree_digest").first()
    if environment is None or version is None:
        raise UnknownImage(f"the environment behind {name} is not known; rebuild the module")
    folder, tree = location(environment.digest), trees.location(version.tree_digest)
    for there in (folder, tree):
        if not there.is_dir():
            raise UnknownImage(f"the folder {there} behind {name} is gone; rebuild the module")
    if not (folder / "bin" / "python").exists():
        raise UnknownImage(f"the Python {environment.python_version} behind {name} is gone; rebuild the module")
    bytecode = trees.bytecode_location(version.tree_digest, environment.cache_tag)
    env = {"ORCHESTRA_MODULE": str(tree)}
    readonly = [folder, Path(environment.base_prefix), tree, PROGRAMS]
    if bytecode.is_dir():
        env["ORCHESTRA_BYTECODE"] = str(bytecode)
        readonly.append(bytecode)
    return {"path": [folder / "bin", PROGRAMS], "readonly": readonly, "env": env}


def location(digest: str) -> Path:
    """Where a built environment lies."""
    return Path(settings.ENVIRONMENTS_DIR) / digest
