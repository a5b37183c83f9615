"""Locks across workflows: what each holds and waits for, who comes first, and who has to look again.

Who waits for a lock is served by priority, then by the age of the workflow, then by how long it has waited. As in Argo
the first one may hold up others for a lock that is free while it still waits for another lock. Unlike in Argo it does
not if it waits, in the end, for the very workflow that it would hold up: that would never end. A suspended workflow
holds up nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from orchestra_engine.operate.locks import LockView, holder_key, is_mutex


@dataclass(frozen=True, kw_only=True, eq=False)
class Stance:
    """How an unfinished workflow stands towards locks."""

    name: str
    turn: tuple[int, str] = (0, "")
    holders: Mapping[str, list[str]] = field(default_factory=dict)  # its own of each lock
    waits: Mapping[str, float] = field(default_factory=dict)  # locks that it waits for, since when
    several: bool = False  # whether it waits for more than one lock
    limits: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def idle(self) -> bool:
        """Whether it has nothing to do with locks."""
        return not (self.holders or self.waits)

    def place(self, lock: str) -> tuple[int, str, float]:
        """Where it stands among those that wait for a lock."""
        return (*self.turn, self.waits.get(lock, float("inf")))


def turn(workflow: Mapping[str, Any]) -> tuple[int, str]:
    """What workflows are sorted by to take locks: the highest priority first, then the oldest."""
    priority = (workflow.get("spec") or {}).get("priority")
    return -int(priority or 0), str(workflow["metadata"].get("creationTimestamp") or "")


def stance(workflow: Mapping[str, Any], status: Mapping[str, Any]) -> Stance:
    """How a workflow stands towards locks. An end of the workflow gives back all that it holds."""
    metadata, spec = workflow["metadata"], workflow.get("spec") or {}
    private: Mapping[str, Any] = status.get("orchestra") or {}
    name, namespace = metadata["name"], metadata.get("namespace") or "default"
    holders: dict[str, list[str]] = {}
    for holder, names in (private.get("held") or {}).items():
        for lock in names:
            holders.setdefault(lock, []).append(holder_key(namespace, name, holder))
    waits: dict[str, float] = {}
    asleep = spec.get("suspend") and not spec.get("shutdown")
    for entry in () if asleep else (private.get("queue") or {}).values():
        for lock in entry["locks"]:
            waits[lock] = min(entry["since"], waits.get(lock, entry["since"]))
    limits = private.get("limits") or {}
    return Stance(name=name, turn=turn(workflow), holders=holders, waits=waits, several=len(waits) > 1, limits=limits)


def waits_for_configmap(one: Stance) -> bool:
    """Whether it waits for a lock whose limit may be changed."""
    return not all(is_mutex(lock) for lock in one.waits)


class _Table:
    """All locks: who holds them and who waits for them, the first one first."""

    def __init__(self, them: Iterable[Stance]) -> None:
        self.holding: dict[str, list[Stance]] = {}
        self.waiting: dict[str, list[Stance]] = {}
        self._limits: dict[str, list[int]] = {}  # as each knew it when it last looked
        for one in them:
            for lock, limit in one.limits.items():
                self._limits.setdefault(lock, []).append(limit)
            for lock in one.holders:
                self.holding.setdefault(lock, []).append(one)
            for lock in one.waits:
                self.waiting.setdefault(lock, []).append(one)
        self._position: dict[tuple[str, str], int] = {}
        for lock, queue in self.waiting.items():
            queue.sort(key=lambda one: one.place(lock))
            self._position.update({(lock, one.name): number for number, one in enumerate(queue)})

    def free(self, lock: str) -> int:
        """How many places nobody holds, at most."""
        return max(self._limits.get(lock, (1,))) - self._held(lock)

    def full(self, lock: str) -> bool:
        """Whether there may be no free place."""
        return min(self._limits.get(lock, (1,))) <= self._held(lock)

    def _held(self, lock: str) -> int:
        return sum(len(one.holders[lock]) for one in self.holding.get(lock, ()))

    def before(self, first: Stance) -> dict[str, Stance]:
        """Whom a workflow waits for, directly or by way of others; itself only if it is one of them."""
        found: dict[str, Stance] = {}
        taken: dict[str, int] = {}  # so many of a queue have been looked at, so that no queue is gone through twice
        full: set[str] = set()
        pending = [first]
        while pending:
            one = pending.pop()
            for lock in one.waits:
                at = self._position[lock, one.name]
                met = self.waiting[lock][taken.get(lock, 0) : at]
                taken[lock] = max(at, taken.get(lock, 0))
                if lock not in full and self.full(lock):
                    full.add(lock)
                    met = met + self.holding.get(lock, [])
                pending += [other for other in met if other.name not in found]
                found.update({other.name: other for other in met})
        return found

    def behind(self, first: Stance) -> set[str]:
        """The names of those that wait for a workflow, directly or by way of others."""
        found: set[str] = set()
        left: dict[str, int] = {}  # so many of a queue have not been looked at
        pending = [first]
        while pending:
            one = pending.pop()
            starts = {lock: self._position[lock, one.name] + 1 for lock in one.waits}
            starts |= {lock: 0 for lock in one.holders if lock in self.waiting and self.full(lock)}
            for lock, start in starts.items():
                queue = self.waiting[lock]
                met = queue[start : left.get(lock, len(queue))]
                left[lock] = min(start, left.get(lock, len(queue)))
                pending += [other for other in met if other.name not in found]
                found.update(other.name for other in met)
        return found


def view(mine: Stance, others: Iterable[Stance]) -> LockView:
    """What one workflow is to know of all the others."""
    others = [one for one in others if not one.idle]
    if not others:
        return LockView()
    table = _Table([*others, mine])
    first = {lock: queue[0] for lock, queue in table.waiting.items() if queue[0] is not mine}
    ahead = {lock: [o for o in table.waiting[lock] if o.place(lock) < mine.place(lock)] for lock in first}
    excused = table.behind(mine) if any(ahead.values()) and (mine.holders or mine.waits) else set()
    return LockView(
        holders={
            lock: sorted(key for one in them if one is not mine for key in one.holders[lock])
            for lock, them in table.holding.items()
        },
        ahead=frozenset(lock for lock, them in ahead.items() if any(one.name not in excused for one in them)),
        limits={lock: limit for one in others for lock, limit in one.limits.items()},
    )


def awoken(before: Stance, after: Stance, others: Iterable[Stance]) -> set[str]:
    """The workflows that have to look again after one has changed from a stance to another.

    Of those that wait for what was given back it is as many, the first ones first, as there are places; those that
    wait for other locks too do not count, as they may not be able to go on.
    """
    table = _Table([*others, after])
    given = {lock for lock in before.waits if lock not in after.waits}
    given |= {lock for lock, keys in before.holders.items() if len(keys) > len(after.holders.get(lock, ()))}
    found: set[str] = set()
    for lock in given & table.waiting.keys():
        places = table.free(lock)
        for one in table.waiting[lock]:
            if places <= 0:
                break
            found.add(one.name)
            places -= not one.several
    if after.waits.keys() - before.waits.keys():  # who holds that up may not have to let others go first any more
        found |= {one.name for one in table.before(after).values() if one.waits and (one.holders or one.several)}
    return found - {after.name}
