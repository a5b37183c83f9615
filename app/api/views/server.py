"""What the server itself says: whether it lives, whether it can work, what a metadata.json looks like."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from app.api.base import View
from app.executions.models import Lease
from app.modules.metadata import json_schema

LEAST_FREE = 200 * 2**20  # bytes on the disk of the server's state


class Index(View):
    """What there is below /api/v1/."""

    def get(self, request: Request) -> Response:
        names = ("modules", "schemas", "executions", "metadata-schema", "health", "ready")
        return Response({name: request.build_absolute_uri(f"/api/v1/{name}") for name in names})


class Health(View):
    """The process answers."""

    def get(self, request: Request) -> Response:
        return Response({"status": "ok"})


class Ready(View):
    """Everything that a run needs is there; 503 names what is not."""

    def get(self, request: Request) -> Response:
        checks = {name: _checked(check) for name, check in CHECKS.items()}
        body: dict[str, Any] = {"ready": all(check["ok"] for check in checks.values()), "checks": checks}
        if body["ready"]:
            return Response(body)
        wrong = "; ".join(f"{name}: {check['message']}" for name, check in checks.items() if not check["ok"])
        return Response({"error": wrong, **body}, status=503)


class MetadataSchema(View):
    """The JSON Schema of a module's metadata.json."""

    def get(self, request: Request) -> Response:
        return Response(json_schema())


def _checked(check: Callable[[], str]) -> dict[str, Any]:
    try:
        message = check()
    except Exception as error:  # whatever is wrong is the answer
        message = f"{type(error).__name__}: {error}"
    return {"ok": not message, "message": message}


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(missing)} are not applied; run manage.py migrate" if missing else ""


def _controller() -> str:
    alive = Lease.objects.filter(expires_at__gt=timezone.now()).exists()
    return "" if alive else "none is running; start manage.py controller"


def _disk() -> str:
    free = shutil.disk_usage(settings.VAR).free
    return "" if free >= LEAST_FREE else f"only {free // 2**20} MiB are free in {settings.VAR}"


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "migrations": _migrations,
    "controller": _controller,
    "disk": _disk,
}
