"""What can go wrong between user, client and server, each with a sentence for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that the server found wrong with a request: where and what.

    `line` and `column` count from 1 in a text that was sent; 0 where there is none.
    """

    path: str
    message: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if self.line:
            return f"line {self.line}, column {self.column}: {self.message}"
        return f"{self.path}: {self.message}" if self.path else self.message


class OrchestraError(Exception):
    """The server did not do what was asked. `status` is the HTTP code, None if there was no answer."""

    def __init__(self, sentence: str, *, status: int | None = None, faults: Sequence[Fault] = ()) -> None:
        self.sentence = sentence
        self.status = status
        self.faults = list(faults)
        # The server's sentence is often nothing but its faults in a row: nobody wants to read them twice.
        said_already = sentence == "; ".join(map(str, self.faults))
        head = [] if said_already and len(self.faults) > 1 else [sentence]
        below = [] if said_already and head else [f"{'  ' if head else ''}{fault}" for fault in self.faults]
        super().__init__("\n".join([*head, *below]))


class Unreachable(OrchestraError):
    """Nobody answers at the server's address, or the answer broke off."""


class NotFound(OrchestraError):
    """There is no such thing on the server (404)."""


class Conflict(OrchestraError):
    """What was asked does not go with the present state (409)."""


class Invalid(OrchestraError):
    """The request itself is at fault (400, 413, 415, 422); `faults` says where."""


class Forbidden(OrchestraError):
    """The server does not serve this caller (401, 403)."""


class ServerFault(OrchestraError):
    """The server could not do it just now (429, 5xx), or answered what is no answer of Orchestra."""


class Left(Exception):
    """The user went away and left the execution running."""


BY_STATUS: dict[int, type[OrchestraError]] = {
    400: Invalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    405: Invalid,
    409: Conflict,
    413: Invalid,
    415: Invalid,
    422: Invalid,
}


def from_answer(status: int, body: object, *, where: str) -> OrchestraError:
    """The exception for an answer with a code from 400 on; `body` is its decoded JSON, or None if it was none."""
    kind = BY_STATUS.get(status, ServerFault)
    if not isinstance(body, dict) or not isinstance(body.get("error"), str):
        return ServerFault(f"{where} answered {status} in a form that is not Orchestra's.", status=status)
    given = body.get("faults") or []
    faults = [
        Fault(
            path=str(one.get("path", "")),
            message=str(one.get("message", "")),
            line=int(one.get("line") or 0),
            column=int(one.get("column") or 0),
        )
        for one in given
    ]
    return kind(body["error"], status=status, faults=faults)
