"""What people ask of schemas: a run of one, of a manifest that they send along, and taking one off the list."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q

from app.engines import services as engines
from app.engines.protocol import Fault
from app.executions import manifests
from app.executions.errors import NotAllowed, StillInUse
from app.executions.models import Execution, Kind
from app.executions.requests import PRIORITIES, Requested, insert_of_schema, once
from app.modules import services as modules
from app.modules.faults import Faulty
from app.schemas import services as schemas
from app.schemas.faults import BadArguments
from app.schemas.models import Origin, Schema, SchemaVersion

_SENT_TRIES = 3  # of which one finds that its manifest was forgotten
_BEFORE_IT_HAS_A_NUMBER = "schema-0-1"


def request_schema(
    version: SchemaVersion,
    *,
    arguments: Mapping[str, Any] = MappingProxyType({}),
    idempotency_key: str | None = None,
    owner: AbstractBaseUser | None = None,
    priority: int = 0,
) -> Requested:
    """Ask for a run of a schema's version, which it keeps whatever is saved later.

    So it does with the WorkflowTemplates that the schema refers to, as they are now. The arguments are checked against
    its inputs, and the filled manifest by the engine, before anything is stored. Raises `Faulty` and `BadSchema` with
    every fault, `KeyConflict`, `NotAllowed` for what only Orchestra runs and for what was removed.
    """
    asked = {"schema": version.pk, "arguments": dict(arguments), "priority": priority}

    def make(digest: str) -> Execution:
        run = schemas.run(version)
        if schemas.is_orchestras_own(run):
            name = version.schema.name
            raise NotAllowed(f"{name} is run by Orchestra itself: ask a module for a run, or for a build of it")
        wanted = Execution(
            kind=Kind.SCHEMA,
            schema_version=version,
            arguments=_checked(run, arguments, priority=priority),
            priority=priority,
            idempotency_key=idempotency_key,
            request_digest=digest,
            owner=owner,
        )
        return insert_of_schema(wanted, templates=list(run.templates.values()))

    return once(asked, key=idempotency_key, owner=owner, make=make)


def send(
    text: str,
    *,
    arguments: Mapping[str, Any] = MappingProxyType({}),
    idempotency_key: str | None = None,
    owner: AbstractBaseUser | None = None,
    priority: int = 0,
) -> Requested:
    """Ask for a run of a manifest that comes with the request; it is kept as a schema named by its content.

    Raises `BadSchema`, and what `request_schema` raises; then the manifest is not kept either.
    """
    for _ in range(_SENT_TRIES):
        with contextlib.suppress(Schema.DoesNotExist), transaction.atomic():
            version = schemas.save(text, origin=Origin.SENT).version
            return request_schema(
                version, arguments=arguments, idempotency_key=idempotency_key, owner=owner, priority=priority
            )
    raise NotAllowed("the manifest was forgotten while it was asked for; send it again")


@transaction.atomic
def remove_schema(schema: Schema) -> None:
    """Take a schema off the list; what was made from it stays readable.

    Raises `StillInUse` while a run of it is live, `NotChangeable` for one that ships with Orchestra and for a
    WorkflowTemplate that other schemas refer to.
    """
    schema = Schema.objects.select_for_update().get(pk=schema.pk)
    schemas.check_removable(schema)
    uses = Q(schema_version__schema=schema) | Q(templates__schema=schema)
    if live := list(Execution.objects.live().filter(uses).distinct().order_by("id")):
        raise StillInUse(schema.name, live)
    schemas.remove(schema)


def _checked(run: schemas.Run, arguments: Mapping[str, Any], *, priority: int) -> dict[str, Any]:
    """The arguments to run with. Raises `Faulty` with every fault of theirs, or else every one that the engine has."""
    faults: list[Fault] = []
    checked: dict[str, Any] = {}
    try:
        checked = schemas.arguments(run, arguments)
    except BadArguments as error:
        faults += error.faults
    if priority not in PRIORITIES:
        faults.append(Fault(path="priority", message=f"is not between {PRIORITIES[0]} and {PRIORITIES[-1]}"))
    keys = manifests.artifact_keys(checked)
    for name, value in checked.items():
        if isinstance(value, dict) and value["artifact"] not in keys:
            faults.append(Fault(path=name, message=f"there is no artifact {value['artifact']}"))
    if faults:
        raise Faulty(faults)
    workflow = manifests.with_arguments(run, checked, keys=keys)
    workflow["metadata"] = {**(workflow.get("metadata") or {}), "name": _BEFORE_IT_HAS_A_NUMBER}
    if refused := engines.refusals(workflow, images=modules.resolve_image, templates=run.objects):
        raise Faulty(refused)
    return checked
