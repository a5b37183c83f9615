"""Schemas: what can be run, with which inputs, and saving new ones."""

from __future__ import annotations

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from app.api import answers, representations
from app.api.base import View
from app.executions import services as executions
from app.schemas import services
from app.schemas.models import LONG, Schema
from app.wire import bodies, lookups
from app.wire.errors import Refusal

SCHEMA_BODY = bodies.schema(
    required=("manifest",),
    manifest={"type": "string"},
    name={"type": "string"},
    inputs={"type": ["object", "null"]},
)
EXECUTION_BODY = bodies.schema(
    arguments={"type": "object"},
    version={"type": ["integer", "null"], "minimum": 1},
    priority={"type": "integer"},
)


class Schemas(View):
    """All schemas by name, without those that were sent to be run once; POST saves one, or its next version."""

    def get(self, request: Request) -> Response:
        return self.page(Schema.objects.listed(), shown=lambda rows: [representations.schema(row) for row in rows])

    def post(self, request: Request) -> Response:
        body = bodies.checked(request.data, SCHEMA_BODY)
        saved = services.save(body["manifest"], name=body.get("name", ""), inputs=body.get("inputs"))
        shown = representations.schema_in_full(saved.version)
        location = request.build_absolute_uri(reverse("api:schema", args=[saved.version.schema.name]))
        return Response(shown, status=201 if saved.created else 200, headers={"Location": location})


class OneSchema(View):
    """One schema with its latest version, or the one that `version` names."""

    def get(self, request: Request, name: str) -> Response:
        version = lookups.schema_version(lookups.schema(name), request.query_params.get("version"))
        return Response(representations.schema_in_full(version))

    def delete(self, request: Request, name: str) -> Response:
        try:
            executions.remove_schema(lookups.schema(name))
        except executions.StillInUse as error:
            raise Refusal(409, str(error), more={"executions": [one.pk for one in error.executions]}) from None
        return Response(status=204)


class Versions(View):
    """A schema's versions, newest first."""

    def get(self, request: Request, name: str) -> Response:
        versions = lookups.schema(name).versions.defer(*LONG)
        found = versions.order_by("-number")
        return self.page(found, shown=lambda rows: [representations.schema_version(row) for row in rows])


class SchemaExecutions(View):
    """POST asks for a run; the same Idempotency-Key again is answered with the execution that is there."""

    def post(self, request: Request, name: str) -> Response:
        schema = lookups.schema(name)
        body = bodies.checked(request.data or {}, EXECUTION_BODY)
        asked = executions.request_schema(
            lookups.schema_version(schema, body.get("version")),
            arguments=body.get("arguments", {}),
            idempotency_key=answers.idempotency_key(request),
            priority=body.get("priority", 0),
        )
        return answers.requested(request, asked)
