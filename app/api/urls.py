"""Orchestra's own REST API, version 1."""

from __future__ import annotations

from django.urls import URLPattern, re_path

from app.api.base import View
from app.api.views import executions, modules, schemas, server

app_name = "api"

MODULE = r"modules/(?P<name>[^/]+)"
SCHEMA = r"schemas/(?P<name>[^/]+)"
EXECUTION = r"executions/(?P<number>[^/]+)"


def _route(pattern: str, view: type[View], name: str) -> URLPattern:
    return re_path(rf"^{pattern}/?$", view.as_view(), name=name)


urlpatterns = [
    _route("modules", modules.Modules, "modules"),
    _route(MODULE, modules.OneModule, "module"),
    _route(f"{MODULE}/versions", modules.Versions, "versions"),
    _route(f"{MODULE}/default", modules.Default, "default"),
    _route(f"{MODULE}/builds", modules.Builds, "module-builds"),
    _route(f"{MODULE}/executions", modules.ModuleExecutions, "module-executions"),
    _route(r"builds/(?P<number>[^/]+)", modules.OneBuild, "build"),
    _route("schemas", schemas.Schemas, "schemas"),
    _route(SCHEMA, schemas.OneSchema, "schema"),
    _route(f"{SCHEMA}/versions", schemas.Versions, "schema-versions"),
    _route(f"{SCHEMA}/executions", schemas.SchemaExecutions, "schema-executions"),
    _route("executions", executions.Executions, "executions"),
    _route(EXECUTION, executions.OneExecution, "execution"),
    _route(f"{EXECUTION}/cancel", executions.Cancel, "cancel"),
    _route(f"{EXECUTION}/resume", executions.Resume, "resume"),
    _route(f"{EXECUTION}/retry", executions.Retry, "retry"),
    _route(f"{EXECUTION}/resubmit", executions.Resubmit, "resubmit"),
    _route(f"{EXECUTION}/log", executions.Log, "log"),
    _route(f"{EXECUTION}/artifacts", executions.Artifacts, "artifacts"),
    _route(rf"{EXECUTION}/artifacts/(?P<artifact>[^/]+)", executions.OneArtifact, "artifact"),
    _route(f"{EXECUTION}/output", executions.Output, "output"),
    _route(f"{EXECUTION}/catalog", executions.CatalogOf, "catalog"),
    _route("metadata-schema", server.MetadataSchema, "metadata-schema"),
    _route("health", server.Health, "health"),
    _route("ready", server.Ready, "ready"),
]
