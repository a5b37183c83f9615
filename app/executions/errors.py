"""What cannot be done with an execution now; each text is for the person who asked."""

from __future__ import annotations


class KeyConflict(Exception):
    """The idempotency key was used before, for another request."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the idempotency key {key!r} was used before for another request; take a new key")


class NotAllowed(Exception):
    """The execution's state or kind does not allow this."""
