"""What cannot be done with an execution now; each text is for the person who asked."""

from __future__ import annotations

from collections.abc import Sequence

from app.executions.models import Execution
from app.modules.services import InUse

_SHOWN = 20


class KeyConflict(Exception):
    """The idempotency key was used before, for another request."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the idempotency key {key!r} was used before for another request; take a new key")


class NotAllowed(Exception):
    """The execution's state or kind does not allow this."""


class StillInUse(InUse):
    """A module or schema cannot be removed while these executions of it are live."""

    def __init__(self, name: str, executions: Sequence[Execution]) -> None:
        self.executions = list(executions)
        shown = ", ".join(str(one.pk) for one in self.executions[:_SHOWN])
        more = f" and {len(self.executions) - _SHOWN} more" if len(self.executions) > _SHOWN else ""
        one, many = (
            f"execution {shown} is not over; wait for it or cancel it",
            f"executions {shown}{more} are not over; wait for them or cancel them",
        )
        super().__init__(f"{name} is in use: {one if len(self.executions) == 1 else many} first")
