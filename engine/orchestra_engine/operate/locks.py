"""Mutexes and semaphores: which nodes hold them and who waits for them.

A node's locks are given back by themselves when it ends. What other workflows hold and wait for is not known here: the
loop says it in a `LockView`, made by `view` from the `stance` of each workflow, and calls operate again for those that
`queues.awoken` names. Calls that share locks must not overlap.

As in Argo all locks of a `synchronization` are taken together or none, who waits longest with the highest priority is
the first, and a limit that cannot be read any more is the last one known. Unlike in Argo a limit below 0 is a fault.
Source: `workflow/sync` of Argo Workflows 4.1.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import LanguageError
from orchestra_engine.operate.context import is_final

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation

WORKFLOW = ""  # the holder that stands for the workflow itself
_MUTEX = "a mutex"
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")


@dataclass(frozen=True, kw_only=True)
class LockView:
    """What other workflows hold, where they stand before this one, and the limits that they know."""

    holders: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of each lock, as NAMESPACE/WORKFLOW[/NODE]
    ahead: frozenset[str] = frozenset()  # locks that another workflow is to have first
    limits: Mapping[str, int] = field(default_factory=dict)


def wanted(synchronization: Mapping[str, Any], namespace: str) -> list[tuple[str, Mapping[str, Any] | None]]:
    """The locks of a `synchronization`: full name, and for a semaphore the reference to its limit.

    Raises LanguageError if one is there twice, has no name or no source for its limit.
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
        name, key = _named(reference, "name", "a semaphore's ConfigMap"), _named(reference, "key", "a semaphore")
        found.append((f"{space}/ConfigMap/{name}/{key}", reference))
    for mutex in synchronization.get("mutexes") or []:
        found.append((f"{mutex.get('namespace') or namespace}/Mutex/{_named(mutex, 'name', _MUTEX)}", None))
    if len({name for name, _ in found}) < len(found):
        raise LanguageError("requested configuration is invalid: duplicate synchronization item found")
    return found


def _named(lock: Mapping[str, Any], field: str, what: str) -> str:
    name = str(lock.get(field) or "")
    if not name or ("/" in name and what != _MUTEX):
        raise LanguageError(f"requested configuration is invalid: {what} needs a {field}, not {name!r}")
    return name


def _limit(op: Operation, name: str, reference: Mapping[str, Any] | None) -> int:
    if reference is None:
        return 1
    data = (op.configmaps.get(reference["name"]) or {}).get("data") or {}
    text = str(data.get(reference["key"], ""))
    known = op.board.private.get("limits", {}).get(name, op.locks.limits.get(name))
    limit = int(text) if _NUMBER.fullmatch(text) else known
    if limit is None or limit < 0 or (limit == 0 and known is None):
        raise LanguageError(f"failed to initialize semaphore {name} with limit")
    if op.board.private.get("limits", {}).get(name) != limit:
        op.board.section("limits")[name] = limit
    return limit


def acquire(op: Operation, holder: str, synchronization: Mapping[str, Any]) -> tuple[str, str]:
    """Take all the locks for a holder (a node id, or WORKFLOW), or none: ("", "") or the lock waited for and a message.

    Raises LanguageError if a limit is missing, no number or 0.
    """
    holders = op.board.section("held")
    locks = wanted(synchronization, op.namespace)
    if holder in holders:
        return "", ""
    limits = [_limit(op, name, reference) for name, reference in locks]
    mine = [lock for names in holders.values() for lock in names]
    for (name, _), limit in zip(locks, limits, strict=True):
        free = limit - mine.count(name) - len(op.locks.holders.get(name, ()))
        if free > 0 and name not in op.locks.ahead:
            continue
        queue = op.board.section("queue")
        if holder not in queue:
            queue[holder] = {"locks": [lock for lock, _ in locks], "since": op.now}
        op.held_back = True
        if limit == 0:
            return name, f"Failed to get semaphore limit for {name}"
        return name, f"Waiting for {name} lock. Lock status: {free}/{limit}"
    queue = op.board.section("queue")
    queue.pop(holder, None)
    holders[holder] = [name for name, _ in locks]
    if any(len(entry["locks"]) > 1 for entry in queue.values()):
        op.board.unsettled = True  # one that waits for several may now wait for another one of them
    return "", ""


def forget(op: Operation) -> bool:
    """Take those out of the queue that have come to an end or that nobody comes back to; whether a lock is given back.

    Nobody comes back to a node when what encloses it has ended. Argo keeps its locks until the workflow ends, which
    may then never happen: here it gives them back as soon as no pod of it runs.
    """
    private, over = op.board.private, dict[str, bool]()
    for holder in [h for h in private.get("queue", ()) if h and (op.ended(h) or _left(op, h, over))]:
        del op.board.section("queue")[holder]
    given = False
    for holder in [h for h in private.get("held", ()) if h and _left(op, h, over)]:
        if not any(holder in _around(op, ident) for ident in private.get("live", ())):
            del op.board.section("held")[holder]
            given = True
    return given


def _left(op: Operation, ident: str, over: dict[str, bool]) -> bool:
    """Whether something that encloses a node has ended, so that nothing is done for it any more.

    `over` keeps what is known already of those that enclose others.
    """
    outer = _outer(op, ident)
    if outer not in over:
        over[outer] = any(is_final(op.board.nodes[each]) for each in _around(op, outer))
    return over[outer]


def _around(op: Operation, ident: str) -> list[str]:
    """A node and all that encloses it, from the inside."""
    found = []
    while ident in op.board.nodes:
        found.append(ident)
        ident = _outer(op, ident)
    return found


def _outer(op: Operation, ident: str) -> str:
    """The node of an attempt or of a loop's item, else a node's boundary; none for the outermost."""
    node = op.board.nodes.get(ident, {})
    name = node.get("name", "")
    group = op.board.id(name.rpartition("(")[0]) if name.endswith(")") else ""
    return group if group in op.board.nodes else str(node.get("boundaryID", ""))


def shown(op: Operation) -> dict[str, Any] | None:
    """`status.synchronization` in Argo's shape: what is held, and who holds what is waited for; None for neither."""
    held: dict[str, list[str]] = {}
    for holder, names in op.board.private.get("held", {}).items():
        for name in names:
            held.setdefault(name, []).append(holder_key(op.namespace, op.board.name, holder))
    waiting: dict[str, list[str]] = {}
    for entry in op.board.private.get("queue", {}).values():
        for name in set(entry["locks"]) - waiting.keys():
            waiting[name] = [*held.get(name, ()), *op.locks.holders.get(name, ())]
    found: dict[str, Any] = {}
    for part, names in (("holding", held), ("waiting", waiting)):
        for name, keys in sorted(names.items()):
            if not is_mutex(name):
                entry = {"semaphore": name, "holders": sorted(keys)} if keys else {"semaphore": name}
                found.setdefault("semaphore", {}).setdefault(part, []).append(entry)
            elif keys:
                found.setdefault("mutex", {}).setdefault(part, []).append({"mutex": name, "holder": keys[0]})
    return found or None


def holder_key(namespace: str, workflow: str, holder: str) -> str:
    """A holder as Argo writes it: NAMESPACE/WORKFLOW, or NAMESPACE/WORKFLOW/NODE."""
    return f"{namespace}/{workflow}/{holder}" if holder else f"{namespace}/{workflow}"


def is_mutex(name: str) -> bool:
    """Whether a lock is a mutex, from its full name; else its limit is in a ConfigMap."""
    return name.split("/", 2)[1] == "Mutex"
