"""What other parts of Orchestra may ask of executions."""

from __future__ import annotations

from app.executions.downloads import open_artifact, zip_outputs
from app.executions.errors import KeyConflict, NotAllowed, StillInUse
from app.executions.observations import observe
from app.executions.queries import builds, failure, log, nodes, outputs, results, waiting
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
from app.executions.resumptions import resume
from app.executions.schema_requests import remove_schema, request_schema, send
from app.executions.wakeup import wake

__all__ = [
    "KeyConflict",
    "NotAllowed",
    "Requested",
    "StillInUse",
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
    "remove_schema",
    "request",
    "request_build",
    "request_schema",
    "resubmit",
    "results",
    "resume",
    "retry",
    "send",
    "waiting",
    "wake",
    "zip_outputs",
]
