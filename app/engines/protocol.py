"""What the controller asks of an engine; `local` and `argo` are thin adapters that do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One reason why a Workflow is refused: the field's path and what is wrong with it.

    `line` and `column` count from 1 in the text that it was read from; 0 where there is none.
    """

    path: str
    message: str
    line: int = 0
    column: int = 0


class Refused(Exception):
    """The engine cannot run this Workflow; all reasons at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(f"{fault.path}: {fault.message}" for fault in self.faults))


class LostClaim(Exception):
    """Another controller has taken over; this one must write nothing more."""


class Unavailable(Exception):
    """The engine cannot work on this machine or with these settings; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What became of a Workflow. `status` is Argo's, whichever engine wrote it; None if the Workflow is gone."""

    name: str
    uid: str
    status: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Further folders and variables for the nodes of shipped schemas that carry the annotation of that name."""

    writable: Sequence[Path] = ()
    readonly: Sequence[Path] = ()
    env: dict[str, str] | None = None


class Reader(Protocol):
    """What any process may read of an engine's Workflows."""

    def read_log(self, *, name: str, node_id: str, offset: int = 0, limit: int | None = None) -> bytes | None:
        """The bytes of a node's log from `offset` on; None if the engine has no log of it (not yet, or no more)."""


class Engine(Reader, Protocol):
    """Where Workflows run. `capacity` says how many it takes at once before a queue forms; None for any number."""

    capacity: int | None

    def submit(
        self,
        workflow: dict[str, Any],
        *,
        grants: dict[str, Grant] | None = None,
        templates: Mapping[str, dict[str, Any]] | None = None,
    ) -> str:
        """Take a Workflow and return its uid; the same name again returns the uid of the one that is there.

        `templates` are the WorkflowTemplates that it refers to, by name, as they are to be for this Workflow alone.
        Raises `Refused` with every fault, `LostClaim`.
        """

    def cancel(self, *, name: str, terminate: bool) -> None:
        """Ask for Argo's Stop (exit handlers run) or Terminate; unknown or finished names are ignored."""

    def resume(self, *, name: str, node_id: str, parameters: Mapping[str, str]) -> None:
        """Let a waiting node go on with these outputs; "" lets a Workflow begin that is suspended as a whole.

        What does not wait (any more), unknown and finished names are ignored.
        """

    def get(self, *, name: str) -> Observation:
        """The Workflow as it is now; `status` is None if there is none of that name."""

    def delete(self, *, name: str) -> None:
        """Forget a finished Workflow, its folder or object with it."""

    def poll(self, *, timeout: float | None, wake: Sequence[int] = ()) -> list[Observation]:
        """Sleep until a Workflow changed, a descriptor of `wake` is readable, or `timeout` seconds went by."""

    def close(self) -> None:
        """Let go; what runs goes on running and is adopted by the next engine of the same root."""
