"""Modules, versions and builds for operators; what has to do with executions is added by the app above."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from app.accounts.readonly import ReadOnlyAdmin, ReadOnlyInline
from app.modules.models import Build, Environment, Module, Version


class VersionInline(ReadOnlyInline):
    model = Version
    fields = ("number", "label", "commit", "source_url", "source_ref", "environment", "created_at")
    readonly_fields = fields
    ordering = ("-number",)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).select_related("module", "environment")
        return rows.defer("metadata", "arguments_schema", "environment__lock")


@admin.register(Module)
class ModuleAdmin(ReadOnlyAdmin):
    list_display = ("id", "name", "default_label", "status", "commit", "created_at", "removed_at")
    list_display_links = ("id", "name")
    list_filter = (("removed_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("name", "versions__source_url", "versions__commit")
    fields = ("name", "default", "created_at", "removed_at")
    inlines = (VersionInline,)
    list_select_related = ("default__environment",)
    list_deferred = ("default__metadata", "default__arguments_schema", "default__environment__lock")

    @admin.display(description="version")
    def default_label(self, module: Module) -> str:
        return module.default.label if module.default else "-"

    @admin.display(description="built", boolean=True)
    def status(self, module: Module) -> bool:
        return module.default is not None and module.default.environment_id is not None

    @admin.display
    def commit(self, module: Module) -> str:
        return module.default.commit[:12] if module.default else ""


@admin.register(Version)
class VersionAdmin(ReadOnlyAdmin):
    list_display = ("id", "module", "number", "label", "short_commit", "source_kind", "built", "created_at")
    list_filter = ("source_kind", ("environment", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("=id", "module__name", "label", "commit", "source_url")
    list_select_related = ("module",)
    list_deferred = ("metadata", "arguments_schema")

    @admin.display(description="commit")
    def short_commit(self, version: Version) -> str:
        return version.commit[:12]

    @admin.display(boolean=True)
    def built(self, version: Version) -> bool:
        return version.environment_id is not None


@admin.register(Environment)
class EnvironmentAdmin(ReadOnlyAdmin):
    list_display = ("digest", "python_version", "platform", "created_at")
    list_filter = ("python_version", "platform")
    search_fields = ("digest", "lock")
    list_deferred = ("lock",)


@admin.register(Build)
class BuildAdmin(ReadOnlyAdmin):
    list_display: tuple[str, ...] = (
        "id", "module", "version_number", "state", "short_message", "created_at", "finished_at",
    )  # fmt: skip
    list_filter = ("state", "created_at")
    search_fields = ("=id", "version__module__name", "message")
    list_select_related: tuple[str, ...] = ("version__module",)
    list_deferred: tuple[str, ...] = ("version__metadata", "version__arguments_schema")

    @admin.display
    def module(self, build: Build) -> str:
        return build.version.module.name

    @admin.display(description="version")
    def version_number(self, build: Build) -> int:
        return build.version.number

    @admin.display(description="message")
    def short_message(self, build: Build) -> str:
        return build.message[:120]
