"""The states of an execution and the one table of their transitions."""

from __future__ import annotations

from django.db import models


class State(models.TextChoices):
    """Where an execution's current attempt is."""

    QUEUED = "QUEUED"  # waits for its turn
    SUBMITTED = "SUBMITTED"  # was handed to the engine
    RUNNING = "RUNNING"  # a node has started
    SUCCEEDED = "SUCCEEDED"  # ended well, outputs collected
    FAILED = "FAILED"  # ended with a fault
    CANCELLED = "CANCELLED"  # was cancelled and everything is dead
    LOST = "LOST"  # its Workflow is gone


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST})
LIVE = frozenset(State.values) - FINAL
HELD = frozenset({State.SUBMITTED, State.RUNNING})  # by a controller, under its claim

# QUEUED is entered again only by a retry, which is a new attempt.
TRANSITIONS: dict[str, frozenset[str]] = {
    State.QUEUED: frozenset({State.SUBMITTED, State.FAILED, State.CANCELLED}),
    State.SUBMITTED: frozenset({State.RUNNING, State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST}),
    State.RUNNING: frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset({State.QUEUED}),
    State.LOST: frozenset({State.QUEUED}),
}


def sources(target: str) -> frozenset[str]:
    """The states from which `target` may be entered."""
    return frozenset(state for state, targets in TRANSITIONS.items() if target in targets)


class CancelRequest(models.TextChoices):
    """What was asked of a live attempt; it only ever grows."""

    NONE = "NONE"
    STOP = "STOP"  # kill what runs, then exit handlers
    TERMINATE = "TERMINATE"  # kill, no exit handlers
