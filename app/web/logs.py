"""What of the requests is on a server's terminal. Read before any app is, so it imports nothing of them."""

from __future__ import annotations

import logging
import secrets

from django.http import HttpRequest


def request_number(request: HttpRequest) -> str:
    """What finds a request in the log again; made when it is first asked for."""
    number: str | None = getattr(request, "orchestra_number", None)
    if number is None:
        number = secrets.token_hex(4)
        request.orchestra_number = number
    return number


class Worthwhile(logging.Filter):
    """What belongs on a server's terminal: its own mistakes, with the request's number; not those of its callers."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Leave out what was answered with a 4xx, and that a server is not ready, unless everything is to be shown."""
        code = getattr(record, "status_code", 0)
        request = getattr(record, "request", None)
        asked = isinstance(request, HttpRequest) and request.path_info.rstrip("/").endswith("/ready")
        if 400 <= code < 500 or (code == 503 and asked):
            return logging.getLogger().isEnabledFor(logging.DEBUG)
        if code >= 500 and isinstance(request, HttpRequest) and not getattr(record, "orchestra_numbered", False):
            record.msg = f"{record.msg} (request {request_number(request)})"
            record.orchestra_numbered = True
        return True
