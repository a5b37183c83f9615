"""What is wrong with a manifest, said once for each field."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing about a field: who says it, and whether the workflow is refused for it or the field only ignored.

    `by` is `api-server` (Argo's types), `controller` (Argo's own validation, in its words) or `engine` (this engine).
    `kind` is `refused` or `ignored`.
    """

    path: str
    message: str
    by: str = "engine"
    kind: str = "refused"
