"""The manifests that executions are made from: those that ship with Orchestra, and saving new ones."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from app.engines import manifests
from app.engines.protocol import Fault
from app.schemas import declarations, dependants, references, runs, values
from app.schemas.faults import BadArguments, BadFile, BadSchema, InUse, NotChangeable
from app.schemas.models import Origin, Schema, SchemaKind, SchemaVersion
from app.schemas.refusals import SENT_PREFIX, own_name, refusals
from app.schemas.runs import Run

__all__ = ["BadArguments", "BadFile", "BadSchema", "InUse", "NotChangeable", "Run", "Saved"]

FOLDER: Path = settings.BASE_DIR / "schemas"  # the manifests that ship with Orchestra
_TRIES = 5

arguments = runs.arguments
parameter_text = values.parameter_text
has_content = declarations.has_content
is_orchestras_own = runs.is_orchestras_own
run = runs.run
described = runs.described


@dataclass(frozen=True, kw_only=True)
class Saved:
    """The version that holds a text; `created` is False if it was there before."""

    version: SchemaVersion
    created: bool


def load_shipped() -> list[SchemaVersion]:
    """Save every manifest of `schemas/` that is not the latest version already; returns the new versions.

    Raises `BadFile` for the first that is faulty.
    """
    loaded = []
    for path in sorted(FOLDER.glob("*.yaml")):
        try:
            saved = _load(path)
        except BadSchema as error:
            raise BadFile(path.name, error.faults) from None
        if saved.created:
            loaded.append(saved.version)
    return loaded


def _load(path: Path) -> Saved:
    side = path.with_suffix(".inputs.json")
    try:
        text = path.read_text(encoding="utf-8")
        inputs = json.loads(side.read_text(encoding="utf-8")) if side.exists() else {}
    except UnicodeDecodeError:
        raise BadSchema([Fault(path="", message="this or its side file is no text in UTF-8")]) from None
    except (ValueError, RecursionError) as error:
        raise BadSchema([Fault(path=side.name, message=f"is not JSON: {error}")]) from None
    return save(text, name=path.stem, inputs=inputs, origin=Origin.SHIPPED)


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
    single arguments, over what the manifest's annotation says; None stands for those of the version before, {} for
    none. WorkflowTemplates that it refers to have to be there. Raises `BadSchema` with every fault, `NotChangeable`.
    """
    if origin == Origin.SENT:
        name = _sent_name(text)
    if name and (found := _same(name, text=text, inputs=inputs, origin=origin)) is not None:
        return Saved(version=found, created=False)
    for _ in range(_TRIES):
        with contextlib.suppress(_Changed):
            return _insert(_made(text, name=name, inputs=inputs, origin=origin), origin=origin)
    raise NotChangeable("what the schema refers to, or is referred to by, changes all the time; save it again")


@dataclass(frozen=True, kw_only=True)
class _Made:
    """A version to be inserted, and what it was checked against."""

    name: str
    version: SchemaVersion
    templates: Mapping[str, SchemaVersion]
    dependants: Collection[int]


class _Changed(Exception):
    """What a version was checked against was changed before it could be inserted."""


def _made(text: str, *, name: str, inputs: Mapping[str, Any] | None, origin: str) -> _Made:
    """The version that a text would be. Raises `BadSchema` with every fault."""
    named = bool(name)
    seen = manifests.read(text)
    if not seen.manifest:
        raise BadSchema(seen.faults)
    name = name or own_name(seen.manifest)
    side = _side(name) if inputs is None and origin == Origin.ADDED else inputs
    there, missing = references.found(seen)
    templates = references.objects(there)
    manifests.examine(seen, text, templates=templates)
    said = {one.path.removesuffix(".name") for one in missing}
    others = [one for one in seen.faults if one.path not in said]
    faults = [*refusals(seen, name=name, named=named, origin=origin), *missing, *others]
    declared: dict[str, Any] = {}
    checked: set[int] = set()
    if not faults:
        whole = runs.whole(seen, name=name, templates=templates)
        declared["inputs"], of_inputs = declarations.inputs(whole, side)
        declared["outputs"], of_outputs = declarations.outputs(whole)
        faults += [*_explained(of_inputs, kept=bool(side) and not inputs), *of_outputs]
    if not faults and seen.manifest["kind"] == SchemaKind.TEMPLATE:
        spoiled, checked = dependants.spoiled(seen, name=name, templates=templates)
        faults += spoiled if origin != Origin.SHIPPED else []  # what ships goes on; theirs is told when it is run
    if faults:
        raise BadSchema(faults)
    version = SchemaVersion(
        manifest=seen.manifest,
        text=text,
        digest=_digest(text, side),
        side=side or None,
        references=[one for one in references.names(seen.manifest) if one != name],
        warnings=seen.warnings,
        **declared,
    )
    return _Made(name=name, version=version, templates=there, dependants=checked)


def _explained(faults: list[Fault], *, kept: bool) -> list[Fault]:
    """Faults of what comes beside a text; where that was not given anew, it is told where it comes from."""
    more = " (kept from the version before; give inputs anew, {} for none)" if kept else ""
    return [
        Fault(path=one.path, message=one.message + more) if one.path == declarations.SIDE else one for one in faults
    ]


@transaction.atomic
def _insert(made: _Made, *, origin: str) -> Saved:
    version, kind = made.version, made.version.manifest["kind"]
    schema = _there(made.name, kind=kind, origin=origin)
    if references.lock(made.name, made.templates):
        raise _Changed
    schema.refresh_from_db()
    if schema.removed_at or (kind == SchemaKind.TEMPLATE and dependants.numbers(made.name) != made.dependants):
        raise _Changed
    if schema.origin == Origin.SHIPPED and origin != Origin.SHIPPED:
        name = made.name
        raise NotChangeable(f"the schema {name} ships with Orchestra and is not changed; save it under another name")
    if schema.kind != kind:
        message = f"the schema {made.name} is a {schema.kind}; save a {kind} under another name"
        raise BadSchema([Fault(path="kind", message=message)])
    if schema.latest is not None and schema.latest.digest == version.digest:
        schema.latest.schema = schema
        return Saved(version=schema.latest, created=False)
    version.schema = schema
    version.number = (schema.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    version.save(force_insert=True)
    schema.latest, schema.origin = version, origin
    schema.save(update_fields=["latest", "origin"])
    return Saved(version=version, created=True)


def _there(name: str, *, kind: str, origin: str) -> Schema:
    """The schema of that name, made if need be."""
    schemas = Schema.objects.filter(name=name, removed_at=None)
    if schema := schemas.first():
        return schema
    try:
        with transaction.atomic():
            return Schema.objects.create(name=name, kind=kind, origin=origin)
    except IntegrityError:  # somebody else made it at the same time
        return schemas.get()


def remove(schema: Schema) -> None:
    """Take a schema off the list; its versions stay for the executions that were made from them.

    Raises `NotChangeable` for one that ships with Orchestra, `InUse` for a WorkflowTemplate that others refer to.
    Whether a run of it is live, the caller knows, who has locked its row.
    """
    check_removable(schema)
    if schema.kind == SchemaKind.TEMPLATE and (others := Schema.objects.referring(schema.name)):
        raise InUse(f"the WorkflowTemplate {schema.name} is in use: {_list(others)}; remove or change that first")
    Schema.objects.filter(pk=schema.pk, removed_at=None).update(removed_at=timezone.now())


def check_removable(schema: Schema) -> None:
    """Raise `NotChangeable` for a schema that ships with Orchestra."""
    if schema.origin == Origin.SHIPPED:
        raise NotChangeable(f"the schema {schema.name} ships with Orchestra and is not removed")


def _list(others: list[str]) -> str:
    shown = ", ".join(others[:5])
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    return f"{'schema' if len(others) == 1 else 'schemas'} {shown}{more} refer{'s' if len(others) == 1 else ''} to it"


def _digest(text: str, inputs: Mapping[str, Any] | None) -> str:
    side = json.dumps(inputs, sort_keys=True) if inputs else ""
    content = f"{text}\0{side}" if side else text
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def _sent_name(text: str) -> str:
    return f"{SENT_PREFIX}{_digest(text, None)[:16]}"


def _side(name: str) -> Mapping[str, Any] | None:
    """What came beside the text of a schema's latest version."""
    found: Mapping[str, Any] | None = (
        Schema.objects.present().filter(name=name).values_list("latest__side", flat=True).first()
    )
    return found


def _same(name: str, *, text: str, inputs: Mapping[str, Any] | None, origin: str) -> SchemaVersion | None:
    """The version that holds this text already, found without reading it."""
    side = _side(name) if inputs is None and origin == Origin.ADDED else inputs
    same = Schema.objects.present().filter(name=name, latest__digest=_digest(text, side), origin=origin)
    there = same.first()
    if there is None or there.latest is None:
        return None
    there.latest.schema = there
    return there.latest
