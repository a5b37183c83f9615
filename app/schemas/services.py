"""The manifests that executions are made from: those that ship with Orchestra, and saving new ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from app.engines import manifests
from app.engines.protocol import Fault
from app.schemas import declarations, references, runs
from app.schemas.faults import BadArguments, BadSchema, InUse, NotChangeable
from app.schemas.models import Origin, Schema, SchemaKind, SchemaVersion
from app.schemas.refusals import SENT_PREFIX, own_name, refusals
from app.schemas.runs import Run

__all__ = ["BadArguments", "BadSchema", "InUse", "NotChangeable", "Run", "Saved"]

FOLDER: Path = settings.BASE_DIR / "schemas"  # the manifests that ship with Orchestra

arguments = runs.arguments
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
    """Save every manifest of `schemas/` that is not the latest version already; returns the new versions."""
    loaded = []
    for path in sorted(FOLDER.glob("*.yaml")):
        side = path.with_suffix(".inputs.json")
        inputs = json.loads(side.read_text(encoding="utf-8")) if side.exists() else {}
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
    single arguments, over what the manifest's annotation says; None stands for those of the version before, {} for
    none. WorkflowTemplates that it refers to have to be there. Raises `BadSchema` with every fault, `NotChangeable`.
    """
    if origin == Origin.SENT:
        name = _sent_name(text)
    named = bool(name)
    if name and (found := _same(name, text=text, inputs=inputs, origin=origin)) is not None:
        return Saved(version=found, created=False)
    seen = manifests.read(text)
    if not seen.manifest:
        raise BadSchema(seen.faults)
    name = name or own_name(seen.manifest)
    side = _side(name) if inputs is None and origin == Origin.ADDED else inputs
    there, missing = references.found(seen)
    templates = references.objects(there)
    manifests.examine(seen, text, templates=templates)
    faults = [*refusals(seen, name=name, named=named, origin=origin), *missing, *seen.faults]
    declared: dict[str, Any] = {}
    if not faults:
        whole = runs.whole(seen, name=name, templates=templates)
        declared["inputs"], of_inputs = declarations.inputs(whole, side)
        declared["outputs"], of_outputs = declarations.outputs(whole)
        faults += [*_explained(of_inputs, kept=bool(side) and not inputs), *of_outputs]
    if faults:
        raise BadSchema(faults)
    made = SchemaVersion(
        manifest=seen.manifest,
        text=text,
        digest=_digest(text, side),
        side=side or None,
        references=[one for one in references.names(seen.manifest) if one != name],
        warnings=seen.warnings,
        **declared,
    )
    return _insert(made, name=name, origin=origin)


def _explained(faults: list[Fault], *, kept: bool) -> list[Fault]:
    """Faults of what comes beside a text; where that was not given anew, it is told where it comes from."""
    more = " (kept from the version before; give inputs anew, {} for none)" if kept else ""
    return [
        Fault(path=one.path, message=one.message + more) if one.path == declarations.SIDE else one for one in faults
    ]


@transaction.atomic
def _insert(made: SchemaVersion, *, name: str, origin: str) -> Saved:
    kind = made.manifest["kind"]
    if gone := references.lock(made.references):
        raise BadSchema([Fault(path="spec", message=f"the WorkflowTemplate {one} was removed") for one in gone])
    schema = _locked(name, kind=kind, origin=origin)
    if schema.origin == Origin.SHIPPED and origin != Origin.SHIPPED:
        raise NotChangeable(f"the schema {name} ships with Orchestra and is not changed; save it under another name")
    if schema.kind != kind:
        message = f"the schema {name} is a {schema.kind}; save a {kind} under another name"
        raise BadSchema([Fault(path="kind", message=message)])
    if schema.latest is not None and schema.latest.digest == made.digest:
        schema.latest.schema = schema
        return Saved(version=schema.latest, created=False)
    made.schema = schema
    made.number = (schema.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    made.save(force_insert=True)
    schema.latest, schema.origin = made, origin
    schema.save(update_fields=["latest", "origin"])
    return Saved(version=made, created=True)


def _locked(name: str, *, kind: str, origin: str) -> Schema:
    """The schema of that name, made if need be; its row is locked, so that versions are numbered one by one."""
    schemas = Schema.objects.select_for_update().filter(name=name, removed_at=None)
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
