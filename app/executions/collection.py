"""The end of an attempt: outputs are hashed and parsed, and the final state is written with them, exactly once.

All of this happens off the controller's main loop. What may be large is written before, in pieces that are each fenced
by the claim and that nobody sees; the last transaction writes the state and makes the files the execution's.
"""

from __future__ import annotations

import contextlib
import json
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import transaction

from app.artifacts import repository
from app.artifacts.models import Artifact
from app.catalogs import services as catalogs
from app.catalogs.formats import Malformed, read_lines
from app.catalogs.models import Catalog
from app.executions import explanations, given_out, manifests
from app.executions.models import Attempt, Execution, ExecutionArtifact, Kind, Role
from app.executions.observations import GONE, Ended
from app.executions.queries import folder
from app.executions.states import CancelRequest, State
from app.executions.transitions import fence, transition
from app.executions.wakeup import wake_after_commit
from app.modules import services as modules
from app.modules.faults import Faulty

REPORT_KEY = "output/report.json"
_LONGEST_KEY = 1024  # characters, as the column has them
_GONE_MESSAGE = (
    "its Workflow is gone: it was deleted by hand, or its folder was removed; retry the execution to run it again"
)
_SHOWN = 20  # names or faults in a message


@dataclass(kw_only=True)
class Verdict:
    """How an attempt ends: its state, why, and the files that it gave out."""

    state: str
    reason: str = ""
    message: str = ""
    failure: dict[str, Any] | None = None
    files: list[ExecutionArtifact] = field(default_factory=list)


def conclude(ended: Ended, *, claim: int) -> None:
    """Write the final state of an attempt whose Workflow is over, and what came out of it.

    May be repeated after a crash: what was left half done is done again. Raises `LostClaim`.
    """
    attempt = Attempt.objects.select_related("execution__version__module", "execution__build__version__module").get(
        pk=ended.attempt
    )
    execution = attempt.execution
    if execution.attempt != attempt.number or execution.final:
        return
    if ended.outcome == "Succeeded":
        verdict = _succeeded(attempt, claim=claim)
    elif ended.outcome == GONE:
        verdict = Verdict(state=State.LOST, reason="Lost", message=_GONE_MESSAGE)
    elif execution.cancel_request != CancelRequest.NONE and explanations.was_shut_down(attempt.status):
        verdict = Verdict(state=State.CANCELLED, reason="Cancelled", message="cancelled while it ran")
    else:
        verdict = _failed(attempt)
        if execution.kind == Kind.SCHEMA:
            promised = manifests.run_of(execution).outputs.get("artifacts", {})
            verdict.files, _ = given_out.stored(attempt, promised, writing=lambda: _writing(attempt, claim=claim))
    write(attempt, verdict, claim=claim)


def write(attempt: Attempt, verdict: Verdict, *, claim: int) -> None:
    """Write a verdict, its files and what depends on it, in one transaction; nothing if the attempt has ended already.

    Raises `LostClaim`.
    """
    execution = attempt.execution
    with transaction.atomic():
        written = transition(
            execution=execution.pk,
            attempt=attempt.number,
            claim=claim,
            target=verdict.state,
            reason=verdict.reason,
            message=verdict.message,
            attempt_values={"failure": verdict.failure},
        )
        if not written:
            return
        ExecutionArtifact.objects.bulk_create(verdict.files, batch_size=500)
        if execution.build is not None:
            if verdict.state == State.CANCELLED:
                modules.build_cancelled(execution.build)
            elif verdict.state != State.SUCCEEDED:
                modules.build_failed(execution.build, verdict.message)
            fail_stranded(execution.queue)


@transaction.atomic
def fail_stranded(queue: str) -> int:
    """Fail the runs that wait for an environment that no build is making any more; how many there were."""
    stranded = list(Execution.objects.stranded(queue).select_related("version__module", "fetch_version__module"))
    for execution in stranded:
        version = execution.version if execution.version and not execution.version.environment_id else None
        version = version or execution.fetch_version
        assert version is not None
        build = version.builds.order_by("-id").first()
        why = f"build {build.pk} {build.state.lower()}: {build.message}" if build else "nothing builds it"
        transition(
            execution=execution.pk,
            attempt=execution.attempt,
            target=State.FAILED,
            reason="BuildFailed",
            message=f"version {version.number} of {version.module.name} has no environment; {why}",
        )
    if stranded:
        wake_after_commit()
    return len(stranded)


def _failed(attempt: Attempt) -> Verdict:
    failure = explanations.explain(attempt, attempt.status)
    message = explanations.sentence(failure)
    reason = "NodeFailed"
    if explanations.hit_deadline(attempt.status):
        reason = "Deadline"
    elif failure["limit"]:
        reason = "LimitExceeded"
    return Verdict(state=State.FAILED, reason=reason, message=message, failure=failure)


def _succeeded(attempt: Attempt, *, claim: int) -> Verdict:
    if attempt.execution.kind == Kind.BUILD:
        return _built(attempt, claim=claim)
    if attempt.execution.kind == Kind.SCHEMA:
        return _of_schema(attempt, claim=claim)
    return _collected(attempt, claim=claim)


def _built(attempt: Attempt, *, claim: int) -> Verdict:
    """Hand a finished build's environment over to its module."""
    build = attempt.execution.build
    assert build is not None
    content = repository.read(f"{folder(attempt.execution_id, attempt.number)}/{REPORT_KEY}")
    if content is None:
        return Verdict(state=State.FAILED, reason="OutputMissing", message="the build has written no report")
    with _writing(attempt, claim=claim):
        pass
    try:
        modules.build_passed(build, report=json.loads(content), staging=modules.staging(build))
    except Faulty as error:
        return Verdict(state=State.FAILED, reason="BuildFailed", message=str(error))
    except ValueError as error:
        return Verdict(state=State.FAILED, reason="OutputMalformed", message=f"the build's report is no JSON: {error}")
    return Verdict(state=State.SUCCEEDED)


@contextlib.contextmanager
def _writing(attempt: Attempt, *, claim: int) -> Iterator[None]:
    """A transaction whose writes only count while the claim holds. Raises `LostClaim`."""
    with transaction.atomic():
        fence(execution=attempt.execution_id, attempt=attempt.number, claim=claim)
        yield


def _collected(attempt: Attempt, *, claim: int) -> Verdict:
    """Hash what a run gave out, and parse the time tables and catalogs that its metadata declare."""
    execution = attempt.execution
    assert execution.version is not None
    metadata = execution.version.metadata
    prefix = f"{folder(attempt.execution_id, attempt.number)}/output"
    files, unstorable = _stored(attempt, prefix, metadata=metadata, claim=claim)
    by_name = {file.name: file for file in files}
    missing = [one["filename"] for one in declared(metadata) if one["filename"] not in by_name]
    if missing:
        return Verdict(
            state=State.FAILED, reason="OutputMissing", message=_missing(missing, sorted(by_name)), files=files
        )
    for output in declared(metadata):
        if output["type"] not in {"TT", "CAT"}:
            continue
        wrong = _entered(
            by_name[output["filename"]],
            output,
            name=metadata["name"],
            description=metadata.get("description", ""),
            writing=partial(_writing, attempt, claim=claim),
        )
        if wrong:
            return Verdict(state=State.FAILED, reason="OutputMalformed", message=wrong, files=files)
    message = f"not kept, because no database can hold their names: {', '.join(unstorable)}" if unstorable else ""
    return Verdict(state=State.SUCCEEDED, message=message, files=files)


def _of_schema(attempt: Attempt, *, claim: int) -> Verdict:
    """Hash the files that a schema's nodes stored, and parse those that it declares as time tables or catalogs."""
    promised = manifests.run_of(attempt.execution).outputs
    writing = partial(_writing, attempt, claim=claim)
    files, outputs = given_out.stored(attempt, promised.get("artifacts", {}), writing=writing)
    if missing := given_out.missing(attempt, promised, outputs):
        message = f"the run succeeded, but has not given out what its schema promises: {', '.join(missing)}"
        return Verdict(state=State.FAILED, reason="OutputMissing", message=message, files=files)
    for file in files:
        if file.type not in {"TT", "CAT"}:
            continue
        output = outputs[file.name]
        description = str(output.get("description", ""))
        if wrong := _entered(file, output, name=output["name"], description=description, writing=writing):
            return Verdict(state=State.FAILED, reason="OutputMalformed", message=wrong, files=files)
    return Verdict(state=State.SUCCEEDED, files=files)


def _entered(
    file: ExecutionArtifact, output: Mapping[str, Any], *, name: str, description: str, writing: given_out.Writing
) -> str:
    """Parse a file as the time table or catalog that it is declared as; what is wrong with it, empty if nothing."""
    try:
        catalogs.enter(
            file.artifact_id,
            lines=_lines(file.artifact.key),
            output=output,
            name=name,
            description=description,
            writing=writing,
        )
    except Malformed as error:
        return _malformed(file.name, error)
    return ""


def declared(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """The files that a module promises to write: its output, then its annexes."""
    return [metadata["output"], *metadata.get("annexes_outputs", [])]


def _stored(
    attempt: Attempt, prefix: str, *, metadata: dict[str, Any], claim: int
) -> tuple[list[ExecutionArtifact], list[str]]:
    """The rows of the files below a prefix, declared ones first, and the names of files that cannot be rows."""
    found = {one.key.removeprefix(f"{prefix}/"): one for one in repository.below(prefix)}
    unstorable = [name for name in found if not _is_storable(found[name].key)]
    for name in unstorable:
        del found[name]
    order = {output["filename"]: index for index, output in enumerate(declared(metadata))}
    names = sorted(found, key=lambda name: (order.get(name, len(order)), name))
    artifacts = [
        Artifact(
            key=found[name].key,
            sha256=repository.sha256(found[name].key),
            size=found[name].size,
            media_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
        )
        for name in names
    ]
    with _writing(attempt, claim=claim):
        left = Artifact.objects.below(prefix)  # by an interrupted collection of this attempt
        catalogs.discard(Catalog.objects.filter(artifact__in=left))
        left.delete()
        Artifact.objects.bulk_create(artifacts, batch_size=500)
    rows = []
    for name, artifact in zip(names, artifacts, strict=True):
        index = order.get(name)
        rows.append(
            ExecutionArtifact(
                execution=attempt.execution,
                attempt=attempt.number,
                artifact=artifact,
                name=name,
                role=Role.OTHER if index is None else Role.ANNEX if index else Role.OUTPUT,
                type="" if index is None else declared(metadata)[index]["type"],
            )
        )
    return rows, [name.encode("utf-8", "backslashreplace").decode()[:200] for name in unstorable[:_SHOWN]]


def _is_storable(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return len(key) <= _LONGEST_KEY


def _missing(missing: list[str], there: list[str]) -> str:
    if not there:
        instead = "it is empty"
    else:
        more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        instead = f"there is {', '.join(there[:_SHOWN])}{more}"
    return f"the module has not written {' and '.join(missing)} into its output folder; {instead}"


def _malformed(name: str, error: Malformed) -> str:
    shown = [f"line {one.line}: {one.message}" for one in error.faults[:_SHOWN]]
    more = f"; and {len(error.faults) - _SHOWN} more" if len(error.faults) > _SHOWN else ""
    return f"{name} is malformed: {'; '.join(shown)}{more}"


def _lines(key: str) -> Iterator[bytes]:
    with repository.open_object(key) as file:
        yield from read_lines(file)
