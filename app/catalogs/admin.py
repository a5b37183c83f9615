"""Catalogs and their events for operators; the files that they were read from are added by the app above."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from app.accounts.readable import plain
from app.accounts.readonly import ReadOnlyAdmin
from app.catalogs.models import Catalog, Event

FIRST_EVENTS = 20


@admin.register(Catalog)
class CatalogAdmin(ReadOnlyAdmin):
    list_display = ("id", "name", "type", "event_count", "start", "stop", "created_at")
    list_display_links = ("id", "name")
    list_filter = ("type", "created_at")
    search_fields = ("=id", "name", "description")
    list_deferred = ("description", "columns")
    fields: tuple[str, ...] = (
        "name", "type", "description", "contact", "columns", "event_count", "start", "stop", "events",
    )  # fmt: skip
    readonly_fields: tuple[str, ...] = ("events",)

    @admin.display(description="first events")
    def events(self, catalog: Catalog) -> str:
        """The beginning of the list; all of it is the list of events, a page at a time."""
        lines = [f"{event}  {valued(catalog, event)}".rstrip() for event in catalog.events.all()[:FIRST_EVENTS]]
        everything = f"{reverse('admin:catalogs_event_changelist')}?catalog={catalog.pk}"
        return format_html(
            '<pre>{}</pre><a href="{}">all {} events</a>', "\n".join(lines), everything, catalog.event_count
        )


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("catalog", "position", "start", "stop", "named_values")
    list_display_links = None
    list_select_related = ("catalog",)
    search_fields = ("=catalog__id", "catalog__name")
    search_help_text = "number or name of a catalog"
    ordering = ("catalog", "position")
    fields = ("catalog", "position", "start", "stop", "named_values")
    readonly_fields = ("named_values",)

    @admin.display(description="values")
    def named_values(self, event: Event) -> str:
        return valued(event.catalog, event) or "-"


def valued(catalog: Catalog, event: Event) -> str:
    """An event's values as people write them: `dst = -50 nT, probability = 0.8`."""
    columns = [*catalog.columns, *({} for _ in event.values)]
    return ", ".join(
        " ".join(filter(None, [column.get("name", ""), "=" if column else "", plain(value), column.get("unit", "")]))
        for column, value in zip(columns, event.values, strict=False)
    )
