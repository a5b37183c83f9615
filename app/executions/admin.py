"""Executions for operators: what runs, its log while it grows, its files; and the actions that start or stop work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join

from app.accounts.readonly import ReadOnlyAdmin, ReadOnlyInline, link
from app.catalogs.admin import CatalogAdmin
from app.catalogs.models import Catalog
from app.executions import services
from app.executions.errors import NotAllowed, StillInUse
from app.executions.models import Attempt, Execution, ExecutionArtifact, Kind, Lease
from app.executions.states import State, sources
from app.modules.admin import BuildAdmin, ModuleAdmin
from app.modules.faults import Faulty
from app.modules.models import Build, Module
from app.schemas.admin import SchemaAdmin
from app.schemas.faults import NotChangeable
from app.schemas.models import LONG, Origin, Schema


def downloads(file: ExecutionArtifact) -> str:
    """Links to a file's two forms."""
    address = reverse("api:artifact", args=[file.execution_id, file.pk])
    return format_html('<a href="{}">as served</a> · <a href="{}?original=1">as written</a>', address, address)


class AttemptInline(ReadOnlyInline):
    model = Attempt
    fields = ("number", "workflow_name", "state", "reason", "message", "started_at", "finished_at")
    readonly_fields = fields
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("workflow", "status")


FIRST_FILES = 500  # of an execution, on its page: a run may give out hundreds of thousands


class ArtifactInline(ReadOnlyInline):
    model = ExecutionArtifact
    fields = ("attempt", "name", "role", "type", "size", "download")
    readonly_fields = fields
    show_change_link = False
    verbose_name_plural = f"files (the first {FIRST_FILES})"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        files = super().get_queryset(request).select_related("artifact")
        execution = request.resolver_match.kwargs.get("object_id", "") if request.resolver_match else ""
        of_it = files.filter(execution=execution) if execution.isdecimal() else files.none()
        return files.filter(pk__in=of_it.order_by("pk").values("pk")[:FIRST_FILES])

    @admin.display(description="bytes")
    def size(self, file: ExecutionArtifact) -> int:
        return file.artifact.size

    @admin.display
    def download(self, file: ExecutionArtifact) -> str:
        return downloads(file)


@admin.register(Execution)
class ExecutionAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "made_of", "state", "short_message", "log_link", "start", "stop", "created_at")
    list_filter = ("state", "kind", "created_at")
    search_fields = ("=id", "=version__module__name", "message")
    search_help_text = "number, name of the module, or words of the message"
    list_select_related = ("version__module", "schema_version__schema")
    list_deferred = (
        "version__metadata",
        "version__arguments_schema",
        "arguments",
        *(f"schema_version__{name}" for name in LONG),
    )
    date_hierarchy = "created_at"
    ordering = ("-id",)
    actions = ("cancel", "resume", "retry")
    inlines = (AttemptInline, ArtifactInline)
    fields = (
        ("kind", "state", "attempt", "cancel_request"),
        ("reason", "message"),
        ("version", "build", "schema_version", "templates"),
        ("start", "stop"),
        "arguments",
        ("created_at", "submitted_at", "started_at", "finished_at"),
        ("queue", "priority", "claim"),
        "nodes",
        "results",
        "log_link",
    )
    readonly_fields = ("nodes", "results", "log_link")

    @admin.display(description="module or schema", ordering="version__module__name")
    def made_of(self, execution: Execution) -> str:
        return link(execution.version.module if execution.version else execution.schema_version.schema)

    @admin.display(description="output parameters")
    def results(self, execution: Execution) -> str:
        rows = services.results(execution) if execution.kind == Kind.SCHEMA else {}
        return format_html_join("", "<div>{} = {}</div>", rows.items()) or "-"

    @admin.display(description="message")
    def short_message(self, execution: Execution) -> str:
        return execution.message[:120]

    @admin.display(description="log")
    def log_link(self, execution: Execution) -> str:
        return format_html('<a href="{}">log</a>', reverse("admin:executions_execution_log", args=[execution.pk]))

    @admin.display
    def nodes(self, execution: Execution) -> str:
        rows = (
            (
                "" if node[key] is None else node[key]
                for key in ("display_name", "type", "phase", "exit_code", "message")
            )
            for node in services.nodes(execution)
        )
        titles = ("node", "type", "phase", "exit code", "message")
        head = format_html("<tr>{}</tr>", format_html_join("", "<th>{}</th>", ((title,) for title in titles)))
        body = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", rows)
        return format_html("<table>{}{}</table>", head, body)

    def get_urls(self) -> list[URLPattern]:
        log = path("<int:number>/log/", self.admin_site.admin_view(self.log), name="executions_execution_log")
        return [log, *super().get_urls()]

    def log(self, request: HttpRequest, number: int) -> HttpResponse:
        """The log as it is now; the page then asks the API for what comes."""
        execution = Execution.objects.filter(pk=number).select_related("version__module").first()
        if execution is None:
            raise Http404(f"There is no execution {number}.")
        if not self.has_view_permission(request, execution):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": f"Log of {execution}",
            "execution": execution,
            "opts": self.opts,
            "log_url": reverse("api:log", args=[number]),
        }
        return TemplateResponse(request, "admin/executions/execution/log.html", context)

    def offers(self, name: str, obj: Execution) -> bool:
        """Cancelling while it lives, resuming while something waits, and a retry where that is allowed."""
        match name:
            case "cancel":
                return not obj.final
            case "resume":
                return bool(services.waiting(obj))
        return obj.state in sources(State.QUEUED)

    @admin.action(description="Cancel", permissions=["operate"])
    def cancel(self, request: HttpRequest, executions: QuerySet[Execution]) -> None:
        self._each(request, executions, services.cancel, "asked to stop")

    @admin.action(description="Resume what waits for somebody", permissions=["operate"])
    def resume(self, request: HttpRequest, executions: QuerySet[Execution]) -> None:
        self._each(request, executions, services.resume, "goes on")

    @admin.action(description="Retry (a new attempt)", permissions=["operate"])
    def retry(self, request: HttpRequest, executions: QuerySet[Execution]) -> None:
        self._each(request, executions, services.retry, "queued again")

    def _each(
        self, request: HttpRequest, rows: Iterable[Execution], act: Callable[[Execution], Any], done: str
    ) -> None:
        tell_each(self, request, rows, act=act, done=done)


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    list_display = ("queue", "holder", "epoch", "expires_at")


admin.site.unregister(Module)


@admin.register(Module)
class OperatedModuleAdmin(ModuleAdmin):
    """Modules with the actions that start executions, which the app of modules knows nothing of."""

    actions = ("rebuild",)

    def offers(self, name: str, obj: Module) -> bool:
        """Nothing can be done with a module that was removed."""
        return obj.removed_at is None

    @admin.action(description="Rebuild from the recorded source", permissions=["operate"])
    def rebuild(self, request: HttpRequest, modules: QuerySet[Module]) -> None:
        tell_each(self, request, modules, act=services.rebuild, done="being built")


admin.site.unregister(Build)


@admin.register(Build)
class ExecutedBuildAdmin(BuildAdmin):
    """Builds with the executions that make them, which have their logs."""

    list_display = (*BuildAdmin.list_display, "making")
    list_select_related = (*BuildAdmin.list_select_related, "execution")
    list_deferred = (*BuildAdmin.list_deferred, "execution__arguments")

    @admin.display(description="execution")
    def making(self, build: Build) -> str:
        return link(getattr(build, "execution", None))


admin.site.unregister(Schema)


@admin.register(Schema)
class OperatedSchemaAdmin(SchemaAdmin):
    """Schemas with what needs to know their executions."""

    actions = ("remove",)

    def offers(self, name: str, obj: Schema) -> bool:
        """Removing what is there and does not ship with Orchestra."""
        return obj.removed_at is None and obj.origin != Origin.SHIPPED

    @admin.action(description="Remove (what was made from it stays)", permissions=["operate"])
    def remove(self, request: HttpRequest, schemas: QuerySet[Schema]) -> None:
        tell_each(self, request, schemas, act=services.remove_schema, done="removed")


admin.site.unregister(Catalog)


@admin.register(Catalog)
class ServedCatalogAdmin(CatalogAdmin):
    """Catalogs with the files that they were read from."""

    fields = (*CatalogAdmin.fields, "file")
    readonly_fields = (*CatalogAdmin.readonly_fields, "file")

    @admin.display
    def file(self, catalog: Catalog) -> str:
        found = getattr(catalog.artifact, "of_execution", None)
        return format_html("{} {}", found.name, downloads(found)) if found else "-"


def tell_each(
    admin_: admin.ModelAdmin, request: HttpRequest, rows: Iterable[Any], *, act: Callable[[Any], Any], done: str
) -> None:
    """Do something to each of the chosen rows, and tell the operator what became of each."""
    for row in rows:
        try:
            act(row)
        except (NotAllowed, NotChangeable, StillInUse, Faulty) as error:
            admin_.message_user(request, f"{row}: {error}", messages.ERROR)
        else:
            admin_.message_user(request, f"{row}: {done}", messages.SUCCESS)
