"""The one shape of errors: `{"error": sentence, "faults": [{"path", "message"}]}` with a real HTTP code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import OperationalError
from django.http import Http404, JsonResponse, UnreadablePostError

from app.executions import services as executions
from app.modules import services as modules
from app.schemas.faults import BadSchema, NotChangeable


class HasPath(Protocol):
    """What a fault of any part of Orchestra looks like."""

    @property
    def path(self) -> str: ...

    @property
    def message(self) -> str: ...


class Refusal(Exception):
    """An answer that is not the one asked for: the HTTP code, one sentence for people, faults by path, more keys."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        faults: Iterable[HasPath] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.message = message
        self.faults = list(faults)
        self.more = dict(more or {})
        self.headers = dict(headers or {})
        super().__init__(message)

    @property
    def body(self) -> dict[str, Any]:
        """What goes over the wire."""
        body: dict[str, Any] = {"error": self.message}
        if self.faults:
            body["faults"] = [_fault(fault) for fault in self.faults]
        return body | self.more


def _fault(fault: HasPath) -> dict[str, Any]:
    """A fault as it goes over the wire: with its line and column if it has been found in a text."""
    shown: dict[str, Any] = {"path": fault.path, "message": fault.message}
    if line := getattr(fault, "line", 0):
        shown |= {"line": line, "column": getattr(fault, "column", 0)}
    return shown


def sentence(faults: Iterable[HasPath]) -> str:
    """All faults in one line, for clients that show only `error`."""
    return "; ".join(f"{fault.path}: {fault.message}" if fault.path else fault.message for fault in faults)


def refusal(exception: Exception) -> Refusal | None:  # noqa: PLR0911
    """The answer that an exception means; None for a fault of Orchestra's own."""
    match exception:
        case Refusal():
            return exception
        case modules.Faulty():
            return Refusal(422, sentence(exception.faults), faults=exception.faults)
        case executions.KeyConflict():
            return Refusal(422, str(exception))
        case BadSchema():
            return Refusal(422, str(exception), faults=exception.faults)
        case modules.InUse() | executions.NotAllowed() | NotChangeable():
            return Refusal(409, str(exception))
        case Http404():
            return Refusal(404, str(exception) or "There is nothing here.")
        case PermissionDenied():
            return Refusal(403, str(exception) or "This is not allowed.")
        case RequestDataTooBig():
            return Refusal(413, "The request's body is larger than this server takes.")
        case DisallowedHost():
            return Refusal(400, "The request's Host is not one that this server answers for (ORCHESTRA_ALLOWED_HOSTS).")
        case SuspiciousOperation() | BadRequest() | UnreadablePostError():
            return Refusal(400, f"The request cannot be read: {exception}")
        case OperationalError():
            return Refusal(503, "The database cannot answer now; try again.", headers={"Retry-After": "1"})
    return None


def respond(answer: Refusal) -> JsonResponse:
    """A refusal as a response of Django's."""
    return JsonResponse(answer.body, status=answer.status, headers=answer.headers)
