"""What requests for executions have in common, whatever they are made from."""

from __future__ import annotations

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from app.api import representations
from app.executions.services import Requested
from app.wire import lookups
from app.wire.errors import Refusal

KEY_LENGTH = 255


def idempotency_key(request: Request) -> str | None:
    """The header `Idempotency-Key`, if there is one. Raises `Refusal` 400."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= KEY_LENGTH and key.isascii() and key.isprintable()):
        raise Refusal(400, f"Idempotency-Key must be 1 to {KEY_LENGTH} printable ASCII characters.")
    return key


def requested(request: Request, asked: Requested) -> Response:
    """201 with the execution, or 200 with the one that the same request had made before."""
    headers = {"Location": request.build_absolute_uri(reverse("api:execution", args=[asked.execution.pk]))}
    if not asked.created:
        headers["Idempotency-Replayed"] = "true"
    shown = representations.execution(lookups.execution(str(asked.execution.pk)))
    return Response(shown, status=201 if asked.created else 200, headers=headers)
