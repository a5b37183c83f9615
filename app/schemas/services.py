"""The Workflow manifests that executions are made from: those that ship with Orchestra, and saving new ones."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from app.engines.manifests import Look, granted, look
from app.engines.protocol import Fault
from app.schemas import declarations, values
from app.schemas.faults import BadArguments, BadSchema, NotChangeable
from app.schemas.models import Origin, Schema, SchemaVersion

__all__ = ["BadArguments", "BadSchema", "NotChangeable", "Saved"]

FOLDER: Path = settings.BASE_DIR / "schemas"  # the manifests that ship with Orchestra
SENT_PREFIX = "sent-"  # begins the names of manifests that were sent to be run once
OWN_KEY = "{{workflow.name}}/"  # begins each key under which a schema stores an artifact
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Saved:
    """The version that holds a text; `created` is False if it was there before."""

    version: SchemaVersion
    created: bool


def load_shipped() -> list[SchemaVersion]:
    """Save every manifest of `schemas/` that is not the latest version already; returns the new versions."""
    loaded = []
    for path in sorted(FOLDER.glob("*.yaml")):
        side = path.with_suffix(".inputs.json")
        inputs = json.loads(side.read_text(encoding="utf-8")) if side.exists() else None
        saved = save(path.read_text(encoding="utf-8"), name=path.stem, inputs=inputs, origin=Origin.SHIPPED)
        if saved.created:
            loaded.append(saved.version)
    return loaded


def current(name: str) -> SchemaVersion:
    """The latest version of a schema; raises `Schema.DoesNotExist`."""
    schema = Schema.objects.present().filter(name=name).first()
    if schema is None or schema.latest is None:
        raise Schema.DoesNotExist(
            f"there is no schema {name!r}; manage.py migrate loads those that ship with Orchestra"
        )
    schema.latest.schema = schema
    return schema.latest


def save(text: str, *, name: str = "", inputs: Mapping[str, Any] | None = None, origin: str = Origin.ADDED) -> Saved:
    """Make a text the latest version of a schema; a text that is so already changes nothing.

    Without a `name` the manifest's own is taken, for a sent one its content's digest. `inputs` has a JSON Schema for
    single arguments, over what the manifest's annotation says. Raises `BadSchema` with every fault.
    """
    digest = _digest(text, inputs)
    if (found := _same(name, digest=digest, origin=origin)) is not None:
        return Saved(version=found, created=False)
    seen = look(text)
    if not seen.manifest:
        raise BadSchema(seen.faults)
    if origin == Origin.SENT:
        name = f"{SENT_PREFIX}{digest[:16]}"
    name = name or _own_name(seen.manifest)
    faults = [*_name_faults(name, seen, origin), *seen.faults, *_unstorable(seen)]
    declared: dict[str, Any] = {"inputs": {}, "outputs": {}}
    if not faults:
        declared["inputs"], of_inputs = declarations.inputs(seen, inputs)
        declared["outputs"], of_outputs = declarations.outputs(seen)
        faults += [*of_inputs, *of_outputs]
    if origin != Origin.SHIPPED:
        faults += _foreign(seen)
    if faults:
        raise BadSchema(faults)
    made = SchemaVersion(manifest=seen.manifest, text=text, digest=digest, warnings=seen.warnings, **declared)
    return _insert(made, name=name, origin=origin)


@transaction.atomic
def _insert(made: SchemaVersion, *, name: str, origin: str) -> Saved:
    schema = _locked(name, origin=origin)
    if schema.origin == Origin.SHIPPED and origin != Origin.SHIPPED:
        raise NotChangeable(f"the schema {name} ships with Orchestra and is not changed; save it under another name")
    if schema.latest is not None and schema.latest.digest == made.digest:
        schema.latest.schema = schema
        return Saved(version=schema.latest, created=False)
    made.schema = schema
    made.number = (schema.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    made.save(force_insert=True)
    schema.latest, schema.origin = made, origin
    schema.save(update_fields=["latest", "origin"])
    return Saved(version=made, created=True)


def _locked(name: str, *, origin: str) -> Schema:
    """The schema of that name, made if need be; its row is locked, so that versions are numbered one by one."""
    schemas = Schema.objects.select_for_update().filter(name=name, removed_at=None)
    if schema := schemas.first():
        return schema
    try:
        with transaction.atomic():
            return Schema.objects.create(name=name, origin=origin)
    except IntegrityError:  # somebody else made it at the same time
        return schemas.get()


def remove(schema: Schema) -> None:
    """Take a schema off the list; its versions stay for the executions that were made from them.

    Raises `NotChangeable` for one that ships with Orchestra. Whether it is in use, the caller knows.
    """
    check_removable(schema)
    Schema.objects.filter(pk=schema.pk, removed_at=None).update(removed_at=timezone.now())


def check_removable(schema: Schema) -> None:
    """Raise `NotChangeable` for a schema that ships with Orchestra."""
    if schema.origin == Origin.SHIPPED:
        raise NotChangeable(f"the schema {schema.name} ships with Orchestra and is not removed")


def arguments(version: SchemaVersion, given: Mapping[str, Any]) -> dict[str, Any]:
    """What to run a version with: what was given, checked against its inputs, and the defaults.

    Parameters are text, as Argo wants them; files are text or {"artifact": number}. Raises `BadArguments`.
    """
    files = frozenset(str(one["name"]) for one in declarations.artifacts(version.manifest))
    return values.check(version.inputs, given, files=files)


has_content = declarations.has_content


def is_orchestras_own(version: SchemaVersion) -> bool:
    """Whether only Orchestra itself can run it, because its nodes are given more than others."""
    return bool(granted(version.manifest))


def _digest(text: str, inputs: Mapping[str, Any] | None) -> str:
    side = json.dumps(inputs, sort_keys=True) if inputs else ""
    content = f"{text}\0{side}" if side else text
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def _same(name: str, *, digest: str, origin: str) -> SchemaVersion | None:
    """The version that holds this text already, found without reading it."""
    name = f"{SENT_PREFIX}{digest[:16]}" if origin == Origin.SENT else name
    there = Schema.objects.present().filter(name=name, latest__digest=digest, origin=origin).first() if name else None
    if there is None or there.latest is None:
        return None
    there.latest.schema = there
    return there.latest


# --- what is refused beyond what Argo refuses ---------------------------------------------------------------------
def _own_name(manifest: Mapping[str, Any]) -> str:
    metadata = manifest.get("metadata")
    found = metadata.get("name") or metadata.get("generateName") if isinstance(metadata, dict) else ""
    return str(found or "").rstrip("-")


def _name_faults(name: str, seen: Look, origin: str) -> Iterator[Fault]:
    if not _NAME.fullmatch(name):
        message = "a schema's name has up to 63 small letters, digits and '-'; give one as name or metadata.name"
        yield seen.fault("metadata.name", message)
    elif name.startswith(SENT_PREFIX) and origin != Origin.SENT:
        yield seen.fault("metadata.name", f"names that begin with {SENT_PREFIX} are those of sent manifests")


def _unstorable(seen: Look) -> Iterator[Fault]:
    for path, value in _leaves(seen.manifest):
        if isinstance(value, str) and _UNSTORABLE.search(value):
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
