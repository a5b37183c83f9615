"""The one place where what an engine reports becomes what an execution is; the same report again changes nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from app.engines.protocol import Observation
from app.executions.models import Attempt
from app.executions.states import HELD, State
from app.executions.transitions import transition

GONE = "Gone"  # the outcome of a Workflow that was deleted by hand

_ENDED = frozenset({"Succeeded", "Failed", "Error", "Skipped", "Omitted"})
_PROGRAMS = frozenset({"Pod", "Suspend", "HTTP", "Plugin"})
# NUL and lone surrogates as JSON has them: a program's text may hold them, PostgreSQL and UTF-8 do not.
_UNSTORABLE_JSON = re.compile(r"\\u0000|[\ud800-\udfff]")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
ORCHESTRAS_EXIT = "orchestra-exit"  # an exit handler of this name is no part of a schema's result


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A Workflow that is over and whose attempt (rows by their ids) has to be concluded.

    `outcome` is Argo's phase, or GONE.
    """

    name: str
    execution: int
    attempt: int
    outcome: str


def observe(observation: Observation, *, claim: int) -> Ended | None:
    """Apply what an engine says of a Workflow; `Ended` if the attempt has now to be concluded.

    Late, repeated and reordered reports, and reports on earlier attempts, change nothing. Raises `LostClaim` if the
    attempt is held under another claim.
    """
    attempts = Attempt.objects.select_related("execution").defer("status", "execution__arguments")
    attempt = attempts.filter(workflow_name=observation.name, state__in=HELD).first()
    if attempt is None or attempt.execution.attempt != attempt.number:
        return None
    over = {"name": observation.name, "execution": attempt.execution_id, "attempt": attempt.pk}
    status = observation.status
    if status is None:
        return Ended(outcome=GONE, **over)
    mine = Attempt.objects.filter(pk=attempt.pk, execution__claim=claim)
    status = storable(status)
    mine.update(status=status, workflow_uid=observation.uid)
    if attempt.state == State.SUBMITTED and (started := started_at(status)):
        transition(
            execution=attempt.execution_id,
            attempt=attempt.number,
            claim=claim,
            target=State.RUNNING,
            started_at=started,
        )
    outcome = outcome_of(attempt.workflow, name=observation.name, status=status)
    return Ended(outcome=outcome, **over) if outcome else None


def storable(status: dict[str, Any]) -> dict[str, Any]:
    """A status whose texts any database can hold and any answer can carry: U+FFFD for each character that cannot be."""
    if not _UNSTORABLE_JSON.search(json.dumps(status, ensure_ascii=False)):
        return status  # as nearly always: looking costs much less than copying
    copied = _storable(status)
    assert isinstance(copied, dict)
    return copied


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_UNSTORABLE.sub("\ufffd", name): _storable(each) for name, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, list) else value


def started_at(status: dict[str, Any]) -> datetime | None:
    """When the first program of a Workflow started; None while none has.

    Argo's times are whole seconds, so what was seen just now started now.
    """
    started = [
        node.get("startedAt")
        for node in (status.get("nodes") or {}).values()
        if node.get("type") in _PROGRAMS and node.get("phase", "Pending") not in {"Pending", "Skipped", "Omitted"}
    ]
    if not started:
        return None
    now = timezone.now()
    first = min((datetime.fromisoformat(time) for time in started if time), default=now)
    return first if now - first > timedelta(seconds=3) else now


def outcome_of(workflow: dict[str, Any], *, name: str, status: dict[str, Any]) -> str:
    """How a Workflow ended, "" while it has not.

    Its entrypoint's node decides where no exit handler of the schema's own follows, because Argo says the Workflow's
    phase only after Orchestra's exit handler.
    """
    phase = str(status.get("phase") or "")
    if phase in _ENDED:
        root = (status.get("nodes") or {}).get(name, {}).get("phase", "")
        own = (workflow.get("spec") or {}).get("onExit") not in (None, "", ORCHESTRAS_EXIT)
        return phase if own or root not in _ENDED else str(root)
    if (workflow.get("spec") or {}).get("onExit") == ORCHESTRAS_EXIT:
        root = (status.get("nodes") or {}).get(name, {}).get("phase", "")
        return str(root) if root in _ENDED else ""
    return ""
