"""Mutexes and semaphores: which nodes hold them, who waits, and what other workflows hold.

A node's locks are given back by themselves when it ends. What other workflows hold is not known here: the loop says it
in a `LockView`, made from `held` of their statuses, and calls operate for those that wait (see `waiting`) when a place
becomes free, in the order of their priority and age. Calls that share locks must not overlap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import LanguageError

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation

WORKFLOW = ""  # the holder that stands for the workflow itself


@dataclass(frozen=True, kw_only=True)
class LockView:
    """How many places of each lock are held by other workflows."""

    taken: Mapping[str, int] = field(default_factory=dict)


def held(status: Mapping[str, Any]) -> Counter[str]:
    """How many places of each lock a workflow holds."""
    holders: Mapping[str, list[str]] = (status.get("orchestra") or {}).get("held") or {}
    return Counter(lock for locks in holders.values() for lock in locks)


def waiting(status: Mapping[str, Any]) -> list[str]:
    """The locks that a workflow or its nodes wait for."""
    queued: Mapping[str, str] = (status.get("orchestra") or {}).get("queue") or {}
    return sorted(set(queued.values()))


def view(statuses: Iterable[Mapping[str, Any]]) -> LockView:
    """The view of one workflow: made from the statuses of all the others."""
    taken: Counter[str] = Counter()
    for status in statuses:
        taken.update(held(status))
    return LockView(taken=taken)


def wanted(synchronization: Mapping[str, Any], namespace: str) -> list[tuple[str, Mapping[str, Any] | None]]:
    """The locks of a `synchronization`: full name, and for a semaphore the reference to its limit.

    Raises LanguageError if one is there twice or has no source for its limit.
    """
    found: list[tuple[str, Mapping[str, Any] | None]] = []
    for semaphore in synchronization.get("semaphores") or []:
        reference = semaphore.get("configMapKeyRef")
        if not reference:
            raise LanguageError(
                "requested configuration is invalid: "
                "cannot get LockName for a Semaphore without a ConfigMapRef or Database"
            )
        space = semaphore.get("namespace") or namespace
        found.append((f"{space}/ConfigMap/{reference['name']}/{reference['key']}", reference))
    for mutex in synchronization.get("mutexes") or []:
        found.append((f"{mutex.get('namespace') or namespace}/Mutex/{mutex['name']}", None))
    if len({name for name, _ in found}) < len(found):
        raise LanguageError("requested configuration is invalid: duplicate synchronization item found")
    return found


def _limit(op: Operation, name: str, reference: Mapping[str, Any] | None) -> int:
    if reference is None:
        return 1
    data = (op.configmaps.get(reference["name"]) or {}).get("data") or {}
    text = str(data.get(reference["key"], ""))
    limit = int(text) if text.strip().isdigit() and len(text) < 10 else 0
    if limit == 0:
        raise LanguageError(f"failed to initialize semaphore {name} with limit")
    return limit


def acquire(op: Operation, holder: str, synchronization: Mapping[str, Any]) -> tuple[str, str]:
    """Take all the locks for a holder (a node id, or WORKFLOW), or none: ("", "") or the lock waited for and a message.

    Raises LanguageError if a limit is missing, no number or 0.
    """
    holders = op.board.section("held")
    locks = wanted(synchronization, op.namespace)
    limits = [_limit(op, name, reference) for name, reference in locks]
    if holder in holders:
        return "", ""
    mine = Counter(lock for names in holders.values() for lock in names)
    for (name, _), limit in zip(locks, limits, strict=True):
        free = limit - mine[name] - op.locks.taken.get(name, 0)
        if free <= 0:
            op.board.section("queue")[holder] = name
            op.held_back = True
            return name, f"Waiting for {name} lock. Lock status: {max(free, 0)}/{limit}"
    op.board.section("queue").pop(holder, None)
    holders[holder] = [name for name, _ in locks]
    return "", ""


def forget(op: Operation) -> None:
    """Take those out of the queue that have come to an end."""
    queue = op.board.private.get("queue")
    for holder in [h for h in queue or () if h and op.ended(h)]:
        del op.board.section("queue")[holder]
