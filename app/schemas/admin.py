"""Schemas for operators: to look at, and to save new ones."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from app.accounts.readonly import ReadOnlyAdmin, ReadOnlyInline
from app.schemas import services
from app.schemas.faults import BadSchema, NotChangeable
from app.schemas.models import LONG, Schema, SchemaVersion


class SchemaVersionInline(ReadOnlyInline):
    model = SchemaVersion
    fields = ("number", "digest", "created_at")
    readonly_fields = fields
    ordering = ("-number",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("schema").defer(*LONG)


class SideField(forms.CharField):
    """JSON as it was typed, however strange; nothing is None."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        try:
            return json.loads(text) if text.strip() else None
        except (ValueError, RecursionError) as error:
            raise ValidationError(f"This is not JSON: {error}") from None


class SchemaForm(forms.ModelForm):
    """A manifest to be saved as a schema, or as the next version of one; every fault is told with its line."""

    schema_name = forms.CharField(required=False, max_length=63, help_text="if not the manifest's own")
    manifest = forms.CharField(
        strip=False, widget=forms.Textarea(attrs={"rows": 40, "cols": 120, "spellcheck": "false"})
    )
    inputs = SideField(
        required=False,
        help_text="JSON Schemas of inputs by name, over the manifest's own. "
        "Left empty, those of the version before stay; {} drops them.",
    )

    class Meta:
        model = Schema
        fields = ()

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return given
        try:
            text = given["manifest"].replace("\r\n", "\n")  # browsers end lines so
            saved = services.save(text, name=given["schema_name"], inputs=given["inputs"])
        except BadSchema as error:
            told = [f"line {one.line}, column {one.column}: {one.message}" for one in error.faults]
            raise ValidationError({"manifest": told}) from None
        except NotChangeable as error:
            raise ValidationError(str(error)) from None
        self.saved, self.instance = saved, saved.version.schema
        return given


@admin.register(Schema)
class SchemaAdmin(ReadOnlyAdmin):
    list_display = ("name", "origin", "version_number", "created_at")
    list_filter = ("origin",)
    search_fields = ("name",)
    list_select_related = ("latest",)
    list_deferred = tuple(f"latest__{name}" for name in LONG)
    inlines = (SchemaVersionInline,)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("schemas.add_schema"))

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        """The versions of what is there; a form that adds has nothing beside it that could be at fault."""
        return () if obj is None else self.inlines

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **({"form": SchemaForm} if obj is None else {}), **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The form has saved it already, in this request's transaction; what it came to is said."""
        version = form.saved.version
        news = "" if form.saved.created else ": it is so already, and nothing has changed"
        self.message_user(request, f"{obj.name}, version {version.number}{news}.")
        for one in version.warnings:
            text = f"line {one['line']}, column {one['column']}: {one['message']}"
            self.message_user(request, text, messages.WARNING)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Go on where the button says; `save_model` has told what there is to tell."""
        if "_addanother" in request.POST:
            return HttpResponseRedirect(request.path)
        if "_continue" in request.POST:
            return HttpResponseRedirect(reverse("admin:schemas_schema_change", args=[obj.pk]))
        return self.response_post_save_add(request, obj)

    @admin.display(description="version")
    def version_number(self, schema: Schema) -> int | None:
        return schema.latest.number if schema.latest else None


@admin.register(SchemaVersion)
class SchemaVersionAdmin(ReadOnlyAdmin):
    list_display = ("id", "schema", "number", "digest", "created_at")
    list_filter = ("schema",)
    search_fields = ("schema__name", "digest", "text")
    list_select_related = ("schema",)
    list_deferred = LONG
    fields = ("schema", "number", "digest", "inputs", "outputs", "warnings", "text", "created_at")
