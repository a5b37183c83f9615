"""What is refused of a schema beyond what Argo refuses: what cannot be stored, and what only Orchestra's own may do."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from app.engines.manifests import TEMPLATE, Look, granted
from app.engines.protocol import Fault
from app.schemas.json_schemas import UNSTORABLE
from app.schemas.models import Origin

SENT_PREFIX = "sent-"  # begins the names of manifests that were sent to be run once
OWN_KEY = "{{workflow.name}}/"  # begins each key under which a schema stores an artifact
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)


def refusals(seen: Look, *, name: str, named: bool, origin: str) -> list[Fault]:
    """All faults of what was read; `named` says that the name was given beside the text."""
    faults = [*_name_faults(name, seen, origin, named=named), *_unstorable(seen)]
    if origin == Origin.SENT and seen.manifest.get("kind") == TEMPLATE:
        faults.append(seen.fault("kind", "a WorkflowTemplate is not run as it is sent; save it as a schema"))
    if origin != Origin.SHIPPED:
        faults += _foreign(seen)
    return faults


def own_name(manifest: Mapping[str, Any]) -> str:
    """The name that a manifest gives itself, empty if none."""
    metadata = manifest.get("metadata")
    found = metadata.get("name") or metadata.get("generateName") if isinstance(metadata, dict) else ""
    return str(found or "").rstrip("-")


def _name_faults(name: str, seen: Look, origin: str, *, named: bool) -> Iterator[Fault]:
    message = ""
    if not _NAME.fullmatch(name):
        message = "a schema's name has up to 63 small letters, digits and '-'; give one as name or metadata.name"
    elif name.startswith(SENT_PREFIX) and origin != Origin.SENT:
        message = f"names that begin with {SENT_PREFIX} are those of sent manifests"
    if message:
        yield Fault(path="name", message=message) if named else seen.fault("metadata.name", message)


def _unstorable(seen: Look) -> Iterator[Fault]:
    for path, value in _leaves(seen.manifest):
        if isinstance(value, str) and UNSTORABLE.search(value):
            yield seen.fault(path, "holds a character that cannot be stored (NUL or half a surrogate pair)")
        elif isinstance(value, float) and not math.isfinite(value):
            yield seen.fault(path, f"{value} is not a finite number")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield path, name
            yield from _leaves(item, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[{number}]")
    else:
        yield path, value


def _foreign(seen: Look) -> Iterator[Fault]:
    """What only manifests that ship with Orchestra may do."""
    for path in granted(seen.manifest):
        yield seen.fault(path, "grants are given to the schemas that ship with Orchestra only; take it out")
    spec = seen.manifest.get("spec")
    if isinstance(spec, dict) and spec.get("onExit") == "orchestra-exit":
        yield seen.fault("spec.onExit", "templates of the name orchestra-exit are Orchestra's own; rename it")
    for path, key in _output_keys(seen.manifest):
        if not key.startswith(OWN_KEY) or ".." in key.split("/"):
            message = f"has to begin with {OWN_KEY}, so that no run writes over another's files"
            yield seen.fault(path, message)


def _output_keys(value: Any, path: str = "", *, inside: bool = False) -> Iterator[tuple[str, str]]:
    """The keys under which a manifest stores artifacts, with their paths."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _output_keys(item, f"{path}[{number}]", inside=inside)
    elif isinstance(value, dict):
        for name, item in value.items():
            where = f"{path}.{name}".lstrip(".")
            if inside and name == "s3" and isinstance(item, dict) and item.get("key"):
                yield f"{where}.key", str(item["key"])
            elif name not in ("inputs", "arguments"):
                yield from _output_keys(item, where, inside=inside or name in ("outputs", "archiveLocation"))
