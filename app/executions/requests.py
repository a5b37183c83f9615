"""What people ask for: runs, builds, cancelling, another attempt. Each is one transaction, and then a wake-up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction

from app.engines.protocol import Fault
from app.executions import times
from app.executions.errors import KeyConflict, NotAllowed, StillInUse
from app.executions.models import Attempt, Change, Execution, Kind
from app.executions.states import FINAL, CancelRequest, State, sources
from app.executions.transitions import transition
from app.executions.wakeup import wake_after_commit
from app.modules import services as modules
from app.modules.faults import Faulty, fault
from app.modules.models import Build, BuildState, Module, Version
from app.schemas import services as schemas
from app.schemas.models import Schema, SchemaVersion

FETCH = "fetch"  # the name of the module that gets what others declare as `inputs`
BUILD_PRIORITY = 10  # runs wait for builds, so builds go first
PRIORITIES = range(-1_000_000, 1_000_001)


@dataclass(frozen=True, kw_only=True)
class Requested:
    """The execution that answers a request; `created` is False if the same request had made it before."""

    execution: Execution
    created: bool


def request(
    *,
    module: Module,
    version: Version | None = None,
    start: datetime | str | None = None,
    stop: datetime | str | None = None,
    arguments: Mapping[str, Any] = MappingProxyType({}),
    idempotency_key: str | None = None,
    owner: AbstractBaseUser | None = None,
    priority: int = 0,
) -> Requested:
    """Ask for a run of a module over [start, stop); what is not given comes from the metadata's defaults.

    Without `version` the module's default runs, or its newest version if none was ever built. If the environment is
    still being built, the run waits for it and says so in its message. Raises `Faulty` with every fault, `KeyConflict`.
    """
    asked = {
        "module": module.pk,
        "version": version.pk if version else None,
        "start": str(start),
        "stop": str(stop),
        "arguments": dict(arguments),
        "priority": priority,
    }

    def make(digest: str) -> Execution:
        wanted = _prediction(module, version, start=start, stop=stop, arguments=arguments, priority=priority)
        wanted.idempotency_key, wanted.request_digest, wanted.owner = idempotency_key, digest, owner
        return insert(wanted)

    return once(asked, key=idempotency_key, owner=owner, make=make)


def once(
    asked: Mapping[str, Any], *, key: str | None, owner: AbstractBaseUser | None, make: Callable[[str], Execution]
) -> Requested:
    """The execution that the same request under the same key had made before, even a moment ago, or else a new one.

    `make` inserts that with the digest of what is asked. Raises `KeyConflict`, `Faulty`, and what `make` raises.
    """
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
    if key is not None and (earlier := _earlier(key, digest=digest, owner=owner)):
        return earlier
    try:
        return Requested(execution=make(digest), created=True)
    except IntegrityError:
        if key is not None and (earlier := _earlier(key, digest=digest, owner=owner)):
            return earlier
        raise


def _earlier(key: str, *, digest: str, owner: AbstractBaseUser | None) -> Requested | None:
    _check_key(key)
    earlier = Execution.objects.filter(owner=owner, idempotency_key=key).select_related("version__module").first()
    if earlier is None:
        return None
    if earlier.request_digest != digest:
        raise KeyConflict(key)
    return Requested(execution=earlier, created=False)


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= 255 or not key.isprintable():
        raise fault("idempotency_key", "takes 1 to 255 printable characters")


def _prediction(
    module: Module,
    version: Version | None,
    *,
    start: datetime | str | None,
    stop: datetime | str | None,
    arguments: Mapping[str, Any],
    priority: int,
) -> Execution:
    """The row that a request would insert. Raises `Faulty` with every fault."""
    version = _wanted_version(module, version)
    faults: list[Fault] = []
    defaults = version.metadata.get("defaults", {})
    first, last = times.interval(start=start or defaults.get("start"), stop=stop or defaults.get("stop"), faults=faults)
    checked: dict[str, Any] = {}
    try:
        checked = modules.arguments(version, arguments)
    except Faulty as error:
        faults += error.faults
    if priority not in PRIORITIES:
        faults.append(Fault(path="priority", message=f"is not between {PRIORITIES[0]} and {PRIORITIES[-1]}"))
    fetch = waiting = None
    try:
        fetch = chosen_version(fetch_module()) if version.metadata.get("inputs") else None
        waiting = wait_message(version, fetch)
    except Faulty as error:
        faults += error.faults
    if faults:
        raise Faulty(faults)
    return Execution(
        kind=Kind.PREDICTION,
        schema_version=schemas.current("predict"),
        version=version,
        fetch_version=fetch,
        start=first,
        stop=last,
        arguments=checked,
        priority=priority,
        message=waiting or "",
    )


def _wanted_version(module: Module, version: Version | None) -> Version:
    """The version that was asked for, else the chosen one. Raises `Faulty` if there is none."""
    if module.removed_at:
        raise fault("module", f"{module.name} was removed")
    if version is not None and version.module_id != module.pk:
        raise fault("version", f"{module.name} has no version with id {version.pk}")
    return version or chosen_version(module)


def chosen_version(module: Module) -> Version:
    """The version that runs if none is named: the default, or the newest while none was ever built."""
    if module.default is not None:
        return module.default
    if newest := module.versions.order_by("-number").first():
        newest.module = module
        return newest
    raise fault("module", f"{module.name} has no version; register it again")


def fetch_module() -> Module:
    """The module that gets what others declare as `inputs`."""
    if module := Module.objects.present().filter(name=FETCH).first():
        return module
    raise fault(
        "inputs", f"the module takes data from AMDA, and the module '{FETCH}', which gets them, is not registered"
    )


def wait_message(*versions: Version | None) -> str:
    """Which builds a run waits for, "" if it can start. Raises `Faulty` for a version that nothing will make usable."""
    waits = []
    for version in versions:
        if version is None or version.environment_id is not None:
            continue
        build = version.builds.order_by("-id").first()
        if build is None or build.state != BuildState.PENDING:
            raise fault("version", f"version {version.number} of {version.module.name} {_why_unusable(build)}")
        waits.append(f"build {build.pk} of {version.module.name}")
    return f"waits for {' and '.join(waits)}" if waits else ""


def _why_unusable(build: Build | None) -> str:
    if build is None:
        return "was never built; rebuild the module"
    if build.state == BuildState.CANCELLED:
        return f"has no environment: build {build.pk} was cancelled; rebuild the module"
    return f"has no environment: build {build.pk} failed ({build.message[:500]}); mend the module and rebuild it"


@transaction.atomic
def insert(execution: Execution, *, templates: Iterable[SchemaVersion] = ()) -> Execution:
    """Store an execution with its first attempt, queued; `templates` are of the WorkflowTemplates that it keeps."""
    execution.save(force_insert=True)
    if templates:
        execution.templates.set(templates)
    Attempt.objects.create(
        execution=execution,
        number=execution.attempt,
        workflow_name=workflow_name(execution),
        message=execution.message,
    )
    Change.objects.create(execution=execution, attempt=execution.attempt, state=State.QUEUED, message=execution.message)
    wake_after_commit()
    return execution


@transaction.atomic
def insert_of_schema(execution: Execution, *, templates: Collection[SchemaVersion]) -> Execution:
    """Insert a run of a schema; all rows that it is made from are locked, so that nobody removes them meanwhile.

    Raises `NotAllowed` if one was removed, `Schema.DoesNotExist` if a sent one was forgotten.
    """
    used = {execution.schema_version.schema_id, *(one.schema_id for one in templates)}
    schemas_used = list(Schema.objects.select_for_update().filter(pk__in=used).order_by("pk"))
    if len(schemas_used) < len(used):
        raise Schema.DoesNotExist("the schema is no more")
    for schema in schemas_used:
        if schema.removed_at:
            raise NotAllowed(f"the schema {schema.name} was removed; add it again")
    return insert(execution, templates=templates)


def workflow_name(execution: Execution) -> str:
    """The name of an attempt's Workflow, the same however often it is submitted: `prediction-7-1`."""
    return f"{execution.kind}-{execution.pk}-{execution.attempt}"


# --- builds -----------------------------------------------------------------------------------------------------
def request_build(build: Build) -> Execution:
    """Queue the making of a version's environment."""
    return insert(
        Execution(
            kind=Kind.BUILD,
            schema_version=schemas.current("build"),
            version=build.version,
            build=build,
            priority=BUILD_PRIORITY,
        )
    )


def register(source: modules.Source, *, allow_local: bool = True) -> list[modules.Registration]:
    """Register the modules of a source and queue their builds in the same transaction.

    Nothing is stored unless all of them are right. Raises `Faulty` with every fault.
    """
    return modules.register(source, allow_local=allow_local, then=request_build)


def rebuild(module: Module) -> modules.Registration:
    """Fetch a module's source again and queue a build; the version in use stays until that has passed.

    Raises `Faulty`.
    """
    return modules.rebuild(module, then=request_build)


@transaction.atomic
def remove_module(module: Module) -> None:
    """Remove a module; what it made stays readable. Raises `StillInUse` while something of it is live."""
    module = Module.objects.select_for_update().get(pk=module.pk)
    if live := list(Execution.objects.live().filter(version__module=module).order_by("id")):
        raise StillInUse(module.name, live)
    modules.remove(module)


# --- what is done with an execution -----------------------------------------------------------------------------
@transaction.atomic
def cancel(execution: Execution) -> Execution:
    """Cancel: the first call is Argo's Stop, the second its Terminate; a queued execution is cancelled at once.

    An execution that has ended stays as it is. CANCELLED is said when everything is dead; until then the execution is
    in its state, and `cancel_request` says what was asked.
    """
    row = Execution.objects.select_for_update().get(pk=execution.pk)
    if row.state == State.QUEUED:
        transition(
            execution=row.pk,
            attempt=row.attempt,
            target=State.CANCELLED,
            reason="Cancelled",
            message="cancelled before it started",
        )
        if row.build is not None:
            modules.build_cancelled(row.build)
            wake_after_commit()
    elif row.state not in FINAL:
        asked = CancelRequest.STOP if row.cancel_request == CancelRequest.NONE else CancelRequest.TERMINATE
        Execution.objects.filter(pk=row.pk).update(cancel_request=asked)
        wake_after_commit()
    return Execution.objects.select_related("version__module").get(pk=row.pk)


@transaction.atomic
def retry(execution: Execution) -> Execution:
    """Queue a new attempt of an execution that FAILED, was CANCELLED or got LOST; earlier attempts stay readable.

    Raises `NotAllowed` for any other state, `Faulty` if its version has become unusable.
    """
    row = Execution.objects.select_for_update(of=("self",)).select_related("version__module", "fetch_version__module")
    found = row.get(pk=execution.pk)
    if found.state not in sources(State.QUEUED):
        hint = "ask for a new execution (resubmit)" if found.final else "cancel it first"
        raise NotAllowed(f"execution {found.pk} is {found.state}; only one that failed can be retried, {hint}")
    message = ""
    if found.build is not None:
        modules.build_retried(found.build)
    else:
        message = wait_message(found.version, found.fetch_version)
    values: dict[str, Any] = {
        "state": State.QUEUED,
        "attempt": found.attempt + 1,
        "claim": 0,
        "cancel_request": CancelRequest.NONE,
        "reason": "",
        "message": message,
        "submitted_at": None,
        "started_at": None,
        "finished_at": None,
    }
    Execution.objects.filter(pk=found.pk).update(**values)
    for name, value in values.items():
        setattr(found, name, value)
    Attempt.objects.create(execution=found, number=found.attempt, workflow_name=workflow_name(found), message=message)
    Change.objects.create(execution=found, attempt=found.attempt, state=State.QUEUED, message=message)
    wake_after_commit()
    return found


def resubmit(execution: Execution) -> Execution:
    """Queue a new execution of the same version, interval and arguments.

    Raises `NotAllowed` for a build or a schema that was removed, `Faulty` if the version has become unusable or the
    module was removed.
    """
    if execution.kind == Kind.SCHEMA:
        return insert_of_schema(
            Execution(
                kind=Kind.SCHEMA,
                schema_version=execution.schema_version,
                owner=execution.owner,
                arguments=execution.arguments,
                priority=execution.priority,
            ),
            templates=list(execution.templates.all()),
        )
    if execution.version is None or execution.kind == Kind.BUILD:
        raise NotAllowed("a build cannot be submitted again; rebuild its module instead")
    version = execution.version
    if version.module.removed_at:
        raise fault("module", f"{version.module.name} was removed")
    fetch = chosen_version(fetch_module()) if version.metadata.get("inputs") else None
    return insert(
        Execution(
            kind=execution.kind,
            schema_version=_current(execution.schema_version),
            version=version,
            fetch_version=fetch,
            owner=execution.owner,
            start=execution.start,
            stop=execution.stop,
            arguments=execution.arguments,
            priority=execution.priority,
            message=wait_message(version, fetch),
        )
    )


def _current(schema_version: SchemaVersion) -> SchemaVersion:
    return schemas.current(schema_version.schema.name)
