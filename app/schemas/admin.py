"""Schemas for operators, to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from app.accounts.readonly import ReadOnlyAdmin, ReadOnlyInline
from app.schemas.models import Schema, SchemaVersion


class SchemaVersionInline(ReadOnlyInline):
    model = SchemaVersion
    fields = ("number", "digest", "created_at")
    readonly_fields = fields
    ordering = ("-number",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .select_related("schema")
            .defer("manifest", "text", "inputs", "outputs", "warnings")
        )


@admin.register(Schema)
class SchemaAdmin(ReadOnlyAdmin):
    list_display = ("name", "origin", "version_number", "created_at")
    list_filter = ("origin",)
    search_fields = ("name",)
    list_select_related = ("latest",)
    list_deferred = ("latest__manifest", "latest__text", "latest__inputs", "latest__outputs", "latest__warnings")
    inlines = (SchemaVersionInline,)

    @admin.display(description="version")
    def version_number(self, schema: Schema) -> int | None:
        return schema.latest.number if schema.latest else None


@admin.register(SchemaVersion)
class SchemaVersionAdmin(ReadOnlyAdmin):
    list_display = ("id", "schema", "number", "digest", "created_at")
    list_filter = ("schema",)
    search_fields = ("schema__name", "digest", "text")
    list_select_related = ("schema",)
    list_deferred = ("manifest", "text", "inputs", "outputs", "warnings")
    fields = ("schema", "number", "digest", "inputs", "outputs", "warnings", "text", "created_at")
