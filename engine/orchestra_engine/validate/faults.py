"""Faults: what is wrong with a manifest, where, and who says so."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

By = Literal["api-server", "controller", "engine"]
Kind = Literal["refused", "ignored"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault. `path` leads to the field (`spec.templates[0].container.image`), empty for the whole manifest."""

    path: str
    message: str
    by: By
    kind: Kind = "refused"

    def as_dict(self) -> dict[str, Any]:
        """The fault as JSON."""
        return asdict(self)


class InvalidSpec(ValueError):
    """A refusal of Argo's controller: its message without "invalid spec: ", and the field it is about."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.message, self.path = message, path

    def within(self, prefix: str) -> InvalidSpec:
        """The same refusal as one of an enclosing object."""
        return InvalidSpec(f"{prefix} {self.message}", self.path)
