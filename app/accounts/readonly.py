"""What an operator looks at in the admin and does not edit: rows that Orchestra itself writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import JSONField, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from app.accounts.readable import readable

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
    """Lists and rows to look at; actions of a subclass are allowed to operators who may change the row.

    The actions are in the list, for many rows at once, and on each row's own page as far as `offers` them.
    """

    list_per_page = PAGE_ROWS
    show_full_result_count = False
    list_deferred: tuple[str, ...] = ()  # long texts that the list does not show
    change_form_template = "admin/operated_change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        of_list = request.resolver_match is not None and str(request.resolver_match.url_name).endswith("_changelist")
        return rows.defer(*self.list_deferred) if of_list else rows

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether the person may start actions: what would be the right to change the row, were it editable."""
        meta = self.opts
        return bool(request.user.has_perm(f"{meta.app_label}.change_{meta.model_name}"))

    # --- columns of JSON --------------------------------------------------------------------------------------------
    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """As Django's, with columns of JSON made readable; nothing else is done to what is edited."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return fieldsets
        columns = {field.name: field for field in self.opts.get_fields() if isinstance(field, JSONField)}
        return [
            (title, {**options, "fields": [_shown(name, columns) for name in options["fields"]]})
            for title, options in fieldsets
        ]

    # --- actions on one row -----------------------------------------------------------------------------------------
    def offers(self, name: str, obj: Any) -> bool:
        """Whether an action makes sense for a row as it is now."""
        return True

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_act"
        return [path("<int:number>/act/", self.admin_site.admin_view(self.act), name=name), *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        obj = self.get_object(request, unquote(object_id))
        offered = self._offered(request, obj) if obj is not None and isinstance(obj.pk, int) else {}
        context = {
            "offered": [(name, description) for name, (_, description) in offered.items()],
            "offered_url": reverse(self._address("act"), args=[obj.pk]) if offered else "",
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)

    def act(self, request: HttpRequest, number: int) -> HttpResponseBase:
        """Do what a button on a row's page says, and show the page again."""
        obj = self.get_object(request, str(number))
        if obj is None:
            raise Http404(f"There is no {self.opts.verbose_name} {number}.")
        if request.method != "POST":
            return redirect(self._address("change"), obj.pk)
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        found = self._offered(request, obj, whatever=True).get(request.POST.get("action", ""))
        if found is None:
            raise PermissionDenied("You may not do this, or there is no such action.")
        function, _ = found
        function(self, request, self.get_queryset(request).filter(pk=obj.pk))
        return redirect(self._address("change"), obj.pk)

    def _offered(self, request: HttpRequest, obj: Any, *, whatever: bool = False) -> dict[str, tuple[Any, str]]:
        """The actions (function, description) by name for this person and row; `whatever` its state."""
        return {
            name: (function, description)
            for name, (function, _, description) in self.get_actions(request).items()
            if name in self.actions and (whatever or self.offers(name, obj))
        }

    def _address(self, page: str) -> str:
        return f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{page}"


def _shown(name: Any, columns: Mapping[str, JSONField[Any, Any]]) -> Any:
    """What a page shows of a field, or of fields in one line: JSON by a function that makes it readable."""
    if isinstance(name, list | tuple):
        return [_shown(one, columns) for one in name]
    if name not in columns:
        return name

    def show(row: Any) -> str:
        return readable(getattr(row, name))

    show.__name__ = name
    return admin.display(description=columns[name].verbose_name)(show)


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
