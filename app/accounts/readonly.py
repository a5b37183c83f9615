"""What an operator looks at in the admin and does not edit: rows that Orchestra itself writes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

PAGE_ROWS = 50


class NoEdits:
    """No row is added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(NoEdits, admin.ModelAdmin):
    """Lists and rows to look at; actions of a subclass are allowed to operators who may change the row."""

    list_per_page = PAGE_ROWS
    show_full_result_count = False
    list_deferred: tuple[str, ...] = ()  # long texts that the list does not show

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        of_list = request.resolver_match is not None and str(request.resolver_match.url_name).endswith("_changelist")
        return rows.defer(*self.list_deferred) if of_list else rows

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether the person may start actions: what would be the right to change the row, were it editable."""
        meta = self.opts
        return bool(request.user.has_perm(f"{meta.app_label}.change_{meta.model_name}"))


class ReadOnlyInline(NoEdits, admin.TabularInline):
    """Rows below another, to look at."""

    extra = 0
    show_change_link = True


def link(row: Any, text: object = None) -> SafeString | str:
    """A link to a row's page in the admin; a dash for none."""
    if row is None:
        return "-"
    meta = row._meta
    return format_html(
        '<a href="{}">{}</a>', reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk]), text or row
    )
