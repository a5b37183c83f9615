"""The one way in which a state changes: a fenced UPDATE, the attempt and the log of changes in one transaction."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from app.engines.protocol import LostClaim
from app.executions.models import Attempt, Change, Execution
from app.executions.states import FINAL, HELD, State, sources
from app.executions.wakeup import CONTROLLER, own, wake_after_commit

_OF_ATTEMPT = frozenset({"started_at", "finished_at", "reason", "message"})


@transaction.atomic
def transition(
    *,
    execution: int,
    attempt: int,
    target: str,
    claim: int | None = None,
    message: str = "",
    attempt_values: dict[str, Any] | None = None,
    **values: Any,
) -> bool:
    """Move an attempt to `target`; False if it is there or beyond already.

    `claim` is the epoch of the controller that asks; None only for what no controller holds (QUEUED and final states).
    `values` are set on the execution, `attempt_values` on its attempt. Raises `LostClaim` if the attempt is live and
    held under another claim: the caller's lease has been taken over.
    """
    values["message"] = message
    if target in FINAL:
        values.setdefault("finished_at", timezone.now())
    rows = Execution.objects.filter(pk=execution, attempt=attempt, state__in=sources(target))
    if claim is not None:
        rows = rows.filter(claim=claim)
    if rows.update(state=target, **values) != 1:
        if claim is not None:
            _check_claim(execution=execution, attempt=attempt, claim=claim)
        return False
    Attempt.objects.filter(execution=execution, number=attempt).update(
        state=target, **{name: values[name] for name in _OF_ATTEMPT & values.keys()}, **(attempt_values or {})
    )
    Change.objects.create(execution_id=execution, attempt=attempt, state=target, message=message)
    wake_after_commit(but="" if claim is None else own(CONTROLLER))
    return True


def _check_claim(*, execution: int, attempt: int, claim: int) -> None:
    live = Execution.objects.live().filter(pk=execution, attempt=attempt).exclude(state=State.QUEUED)
    if live.exclude(claim=claim).exists():
        raise LostClaim(f"execution {execution} is held by another controller")


def fence(*, execution: int, attempt: int, claim: int) -> None:
    """Lock a held attempt for the rest of the transaction, so that what is written beside it is written by its holder.

    Raises `LostClaim` if it is not held under this claim any more.
    """
    held = Execution.objects.select_for_update().filter(pk=execution, attempt=attempt, claim=claim, state__in=HELD)
    if not held.values_list("pk", flat=True).first():
        raise LostClaim(f"execution {execution}, attempt {attempt}, is not held under claim {claim} any more")


@transaction.atomic
def claim_queued(*, execution: Execution, claim: int, workflow: dict[str, Any]) -> bool:
    """Take a queue entry: QUEUED → SUBMITTED in one UPDATE; False if somebody was quicker.

    The lease must be locked by the caller (`leases.Holder.locked`), because a queued row has no claim to check.
    """
    now = timezone.now()
    rows = Execution.objects.filter(pk=execution.pk, attempt=execution.attempt, state=State.QUEUED)
    if rows.update(state=State.SUBMITTED, claim=claim, submitted_at=now, message="", reason="") != 1:
        return False
    Attempt.objects.filter(execution=execution, number=execution.attempt).update(
        state=State.SUBMITTED, workflow=workflow, message="", reason=""
    )
    Change.objects.create(execution=execution, attempt=execution.attempt, state=State.SUBMITTED)
    wake_after_commit(but=own(CONTROLLER))
    return True
