"""REST framework's errors in the shape that all of Orchestra answers with."""

from __future__ import annotations

from typing import Any

from rest_framework import exceptions
from rest_framework.response import Response

from app.wire.errors import Refusal, refusal


def handler(exception: Exception, context: dict[str, Any]) -> Response | None:
    """The response that an exception means; None for a fault of Orchestra's own, which Django logs (500)."""
    answer = refusal(exception) or _of_framework(exception, context)
    return Response(answer.body, status=answer.status, headers=answer.headers) if answer else None


def _of_framework(exception: Exception, context: dict[str, Any]) -> Refusal | None:
    if not isinstance(exception, exceptions.APIException):
        return None
    if isinstance(exception, exceptions.MethodNotAllowed):
        allowed = ", ".join(context["view"].allowed_methods)
        message = f"{str(context['request'].method)[:20]} is not answered here, only {allowed}."
        return Refusal(405, message, headers={"Allow": allowed})
    return Refusal(exception.status_code, str(exception.detail))
