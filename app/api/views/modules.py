"""Modules, their versions, builds, and the executions that are asked of them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from app.api import answers, representations
from app.api.base import StrictJsonParser, UploadParser, View
from app.executions import services as executions
from app.modules import services
from app.modules.models import Module
from app.wire import bodies, lookups
from app.wire.errors import Refusal
from app.wire.reading import identifier

TEXT = {"type": "string"}
GIT_BODY = bodies.schema(required=("git_url",), git_url=TEXT, ref=TEXT, subdirectory=TEXT)
FOLDER_BODY = bodies.schema(required=("path",), path=TEXT)
DEFAULT_BODY = bodies.schema(required=("version",), version={"type": "integer", "minimum": 1})
EXECUTION_BODY = bodies.schema(
    start={"type": ["string", "null"]},
    stop={"type": ["string", "null"]},
    arguments={"type": "object"},
    version={"type": ["integer", "string", "null"]},
    priority={"type": "integer"},
)


class Modules(View):
    """All modules; POST registers from git, a folder or a zip."""

    parser_classes = (StrictJsonParser, UploadParser)

    def get(self, request: Request) -> Response:
        return self.page(Module.objects.with_latest(), shown=representations.modules)

    def post(self, request: Request) -> Response:
        registrations = executions.register(_source(request), allow_local=settings.SOURCE_LOCAL)
        created = any(registration.created for registration in registrations)
        return Response({"items": [_registration(each) for each in registrations]}, status=201 if created else 200)


class OneModule(View):
    """One module, by number or name."""

    def get(self, request: Request, name: str) -> Response:
        return Response(_shown(lookups.module(name)))

    def delete(self, request: Request, name: str) -> Response:
        try:
            executions.remove_module(lookups.module(name))
        except services.InUse as error:
            live = [execution.pk for execution in getattr(error, "executions", ())]
            raise Refusal(409, str(error), more={"executions": live}) from None
        return Response(status=204)


class Versions(View):
    """A module's versions, newest first."""

    def get(self, request: Request, name: str) -> Response:
        versions = lookups.module(name).versions.select_related("environment").defer("environment__lock")
        found = versions.order_by("-number")
        return self.page(found, shown=lambda rows: [representations.version(row) for row in rows])


class Default(View):
    """Which version runs if none is named."""

    def put(self, request: Request, name: str) -> Response:
        module = lookups.module(name)
        body = bodies.checked(request.data, DEFAULT_BODY)
        services.set_default(lookups.version(module, str(body["version"])))
        return Response(_shown(module))


class Builds(View):
    """POST builds a module anew from its recorded source."""

    def post(self, request: Request, name: str) -> Response:
        return Response(_registration(executions.rebuild(lookups.module(name))), status=201)


class OneBuild(View):
    """One build."""

    def get(self, request: Request, number: str) -> Response:
        key = identifier(number, what="build")
        if (found := executions.builds().filter(pk=key).first()) is None:
            raise Refusal(404, f"There is no build {key}.")
        return Response(representations.build(found))


class ModuleExecutions(View):
    """POST asks for a prediction; the same Idempotency-Key again is answered with the execution that is there."""

    def post(self, request: Request, name: str) -> Response:
        module = lookups.module(name)
        body = bodies.checked(request.data or {}, EXECUTION_BODY)
        version = body.get("version")
        asked = executions.request(
            module=module,
            version=lookups.version(module, str(version)) if version is not None else None,
            start=body.get("start"),
            stop=body.get("stop"),
            arguments=body.get("arguments", {}),
            idempotency_key=answers.idempotency_key(request),
            priority=body.get("priority", 0),
        )
        return answers.requested(request, asked)


def _source(request: Request) -> services.GitSource | services.FolderSource | services.UploadSource:
    if file := request.FILES.get("file"):
        return services.UploadSource(file=file, filename=file.name or "")
    body = request.data
    if isinstance(body, dict) and "path" in body:
        path = bodies.checked(body, FOLDER_BODY)["path"]
        if not settings.SOURCE_LOCAL:
            raise Refusal(403, "Local folders are not registered by this server (ORCHESTRA_SOURCE_LOCAL).")
        return services.FolderSource(path=path)
    if isinstance(body, dict) and "git_url" in body:
        asked = bodies.checked(body, GIT_BODY)
        return services.GitSource(
            url=asked["git_url"], ref=asked.get("ref", ""), subdirectory=asked.get("subdirectory", "")
        )
    raise Refusal(422, "Name one source: git_url, path, or a zip as the field file of a form.")


def _registration(row: services.Registration) -> dict[str, Any]:
    made = executions.builds().get(pk=row.build.pk) if row.build else None
    return {
        "module": _shown(row.module),
        "version": representations.version(row.version),
        "build": representations.build(made) if made else None,
        "created": row.created,
    }


def _shown(module: Module) -> dict[str, Any]:
    return representations.modules(list(Module.objects.with_latest().filter(pk=module.pk)))[0]
