"""Executions: their states, logs, files, and what can be asked of them."""

from __future__ import annotations

import time

from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from app.api import answers, representations
from app.api.base import View
from app.catalogs.models import Catalog
from app.executions import services
from app.executions.models import Execution, ExecutionArtifact, Kind
from app.executions.states import FINAL, State
from app.wire import bodies, lookups, results
from app.wire.errors import Refusal
from app.wire.reading import NUMBER, identifier, whole
from app.wire.times import iso

LOG_CHUNK = 2**20  # bytes, if no limit is given
LOG_MOST = 8 * 2**20  # bytes
LONGEST_WAIT = 30  # s
LOOK_EVERY = 0.1  # s, while waiting for more of a log
SENT_BODY = bodies.schema(
    required=("manifest",),
    manifest={"type": "string"},
    arguments={"type": "object"},
    priority={"type": "integer"},
)
RESUME_BODY = bodies.schema(node={"type": "string", "minLength": 1}, parameters={"type": "object"})


class Executions(View):
    """All executions, newest first; `module`, `schema`, `state`, `kind` choose. POST runs a manifest that is sent."""

    def get(self, request: Request) -> Response:
        found = Execution.objects.listed()
        query = request.query_params
        if name := query.get("module"):
            found = found.filter(version__module=lookups.module(name))
        if states := [state for value in query.getlist("state") for state in value.split(",") if state]:
            found = found.filter(state__in=[_one_of(state, State.values, "state") for state in states])
        if kind := query.get("kind"):
            found = found.filter(kind=_one_of(kind, Kind.values, "kind"))
        if schema := query.get("schema"):
            found = found.filter(schema_version__schema=lookups.schema(schema))
        return self.page(found, shown=lambda rows: [representations.execution(row) for row in rows])

    def post(self, request: Request) -> Response:
        body = bodies.checked(request.data, SENT_BODY)
        asked = services.send(
            body["manifest"],
            arguments=body.get("arguments", {}),
            idempotency_key=answers.idempotency_key(request),
            priority=body.get("priority", 0),
        )
        return answers.requested(request, asked)


class OneExecution(View):
    """One execution with its attempts, nodes, files, and why it failed."""

    def get(self, request: Request, number: str) -> Response:
        return Response(representations.execution_in_full(lookups.execution(number)))


class Cancel(View):
    """Stop it; asked a second time, without its exit handlers."""

    def post(self, request: Request, number: str) -> Response:
        return _fresh(services.cancel(lookups.execution(number)))


class Retry(View):
    """Another attempt of the same execution."""

    def post(self, request: Request, number: str) -> Response:
        return _fresh(services.retry(lookups.execution(number)))


class Resume(View):
    """Let go on what waits for somebody, perhaps with values that it takes."""

    def post(self, request: Request, number: str) -> Response:
        body = bodies.checked(request.data or {}, RESUME_BODY)
        asked = services.resume(lookups.execution(number), node=body.get("node"), parameters=body.get("parameters", {}))
        return _fresh(asked)


class Resubmit(View):
    """A new execution that asks for the same."""

    def post(self, request: Request, number: str) -> Response:
        made = services.resubmit(lookups.execution(number))
        response = _fresh(made)
        response.status_code = 201
        response["Location"] = request.build_absolute_uri(reverse("api:execution", args=[made.pk]))
        return response


class Log(View):
    """The log from a byte offset on; with `wait` the answer comes when there is more of it, or after those seconds."""

    def get(self, request: Request, number: str) -> HttpResponseBase:
        execution = lookups.execution(number)
        query = request.query_params
        offset = whole(query.get("offset", "0"), path="offset")
        limit = whole(query.get("limit", str(LOG_CHUNK)), path="limit", least=1, most=LOG_MOST)
        wait = whole(query.get("wait", "0"), path="wait", most=LONGEST_WAIT)
        attempt = _attempt(execution, query.get("attempt"))
        node = _node(execution, query.get("node"), attempt=attempt)
        until = time.monotonic() + wait
        while True:
            # The state is read before the log: what a final state's log lacks will never come.
            final = _ended(execution, attempt)
            text = services.log(execution, node_id=node, attempt=attempt, offset=offset, limit=limit)
            if text or final or time.monotonic() >= until:
                break
            time.sleep(LOOK_EVERY)
        headers = {
            "Orchestra-Log-Offset": str(offset + len(text)),
            "Orchestra-Final": "true" if final and len(text) < limit else "false",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)


class Artifacts(View):
    """The files that an execution gave out, of its current attempt or of `attempt`."""

    def get(self, request: Request, number: str) -> Response:
        execution = lookups.execution(number)
        attempt = _attempt(execution, request.query_params.get("attempt")) or execution.attempt
        found = execution.artifacts.filter(attempt=attempt).select_related("artifact").order_by("id")
        return self.page(found, shown=lambda rows: [representations.artifact(row) for row in rows])


class OneArtifact(View):
    """One file as it is served to AMDA, or with `original=1` as the module wrote it."""

    def get(self, request: Request, number: str, artifact: str) -> HttpResponseBase:
        execution = lookups.execution(number)
        key = identifier(artifact, what="artifact")
        found = execution.artifacts.select_related("artifact").filter(pk=key).first()
        if found is None:
            raise Refusal(404, f"Execution {execution.pk} has no artifact {key}.")
        original = request.query_params.get("original", "") not in {"", "0", "false"}
        return results.artifact(request._request, found, original=original)


class Output(View):
    """The declared output; `name` picks another file, `all=1` makes a zip of all."""

    def get(self, request: Request, number: str) -> HttpResponseBase:
        execution = lookups.execution(number)
        everything = request.query_params.get("all", "") not in {"", "0", "false"}
        return results.output(request._request, execution, everything=everything, what="execution")


class CatalogOf(View):
    """The intervals of an execution's time table or catalog, a page at a time; `name` picks one of several."""

    def get(self, request: Request, number: str) -> Response:
        execution = lookups.execution(number)
        catalog = _catalog(execution, request.query_params.get("name"))
        described = {
            "id": catalog.pk,
            "name": catalog.name,
            "type": catalog.type,
            "description": catalog.description,
            "columns": catalog.columns,
            "start": iso(catalog.start),
            "stop": iso(catalog.stop),
        }
        found = catalog.events.order_by("position")
        return self.page(found, shown=lambda rows: [representations.event(row) for row in rows], more=described)


def _catalog(execution: Execution, name: str | None) -> Catalog:
    files = services.outputs(execution).filter(artifact__catalog__isnull=False).select_related("artifact__catalog")
    found: ExecutionArtifact | None = (files.filter(name=name) if name else files.order_by("id")).first()
    if found is not None:
        return found.artifact.catalog
    if not execution.final:
        raise results.unfinished(execution, what="execution")
    raise Refusal(404, f"Execution {execution.pk} gave out no {'catalog of that name' if name else 'catalog'}.")


def _fresh(execution: Execution) -> Response:
    return Response(representations.execution(lookups.execution(str(execution.pk))))


def _one_of(value: str, values: list[str], path: str) -> str:
    if value in values:
        return value
    raise Refusal(400, f"{path} is one of {', '.join(values)}, not {value[:80]!r}.")


def _attempt(execution: Execution, text: str | None) -> int | None:
    if not text:
        return None
    if NUMBER.fullmatch(text) and 1 <= int(text) <= execution.attempt:
        return int(text)
    raise Refusal(404, f"Execution {execution.pk} has the attempts 1 to {execution.attempt}, not {text[:80]!r}.")


def _node(execution: Execution, node: str | None, *, attempt: int | None) -> str | None:
    if not node:
        return None
    if any(each["id"] == node for each in services.nodes(execution, attempt=attempt)):
        return node
    raise Refusal(404, f"Execution {execution.pk} has no node {node[:80]!r}.")


def _ended(execution: Execution, attempt: int | None) -> bool:
    state, current = Execution.objects.values_list("state", "attempt").get(pk=execution.pk)
    return state in FINAL or (attempt is not None and attempt < current)
