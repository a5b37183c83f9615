"""What other parts of Orchestra may ask of executions."""

from __future__ import annotations

from app.executions.downloads import open_artifact, zip_outputs
from app.executions.errors import KeyConflict, ModuleInUse, NotAllowed
from app.executions.observations import observe
from app.executions.queries import builds, failure, log, nodes, outputs
from app.executions.requests import (
    Requested,
    cancel,
    rebuild,
    register,
    remove_module,
    request,
    request_build,
    resubmit,
    retry,
)
from app.executions.wakeup import wake

__all__ = [
    "KeyConflict",
    "ModuleInUse",
    "NotAllowed",
    "Requested",
    "builds",
    "cancel",
    "failure",
    "log",
    "nodes",
    "observe",
    "open_artifact",
    "outputs",
    "rebuild",
    "register",
    "remove_module",
    "request",
    "request_build",
    "resubmit",
    "retry",
    "wake",
    "zip_outputs",
]
