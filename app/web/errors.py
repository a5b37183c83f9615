"""Django's hooks for what goes wrong: a page for people below /admin and /ui, one sentence in JSON for programs."""

from __future__ import annotations

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template import loader

from app.web.logs import request_number
from app.wire.errors import Refusal, refusal, respond

PAGES = ("/admin", "/ui")
_TITLES = {
    400: "This request cannot be read",
    403: "This is not allowed",
    404: "There is nothing here",
    413: "Too much at once",
    503: "Not just now",
}


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Requests that cannot be read; also a body that is too large (413)."""
    return _answer(request, refusal(exception) or Refusal(400, "The request cannot be read."))


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What is not allowed."""
    return _answer(request, refusal(exception) or Refusal(403, "This is not allowed."))


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Paths that lead nowhere, and pages' own words about rows that are not there."""
    path = request.path[:200]
    if request.path.startswith(PAGES):
        own = exception.args[0] if isinstance(exception, Http404) and exception.args else None
        return _answer(request, Refusal(404, own if isinstance(own, str) and own else f"There is no page {path}."))
    return respond(Refusal(404, f"There is nothing at {path}; / lists what there is."))


def handler500(request: HttpRequest) -> HttpResponse:
    """A fault of Orchestra's own: the log has it under the number that the answer tells."""
    number = request_number(request)
    answer = Refusal(500, f"Orchestra made a mistake; the server's log tells more, under request {number}.")
    if not request.path.startswith(PAGES):
        return respond(answer)
    # What makes other pages, the session and the database among it, may be what failed.
    return HttpResponse(loader.render_to_string("web/mistake.html", {"number": number}), status=500)


def _answer(request: HttpRequest, answer: Refusal) -> HttpResponse:
    if not request.path.startswith(PAGES):
        return respond(answer)
    around = admin.site.each_context(request) if hasattr(request, "user") else {}
    context = {**around, "title": _TITLES.get(answer.status, "This did not work"), "message": answer.message}
    page = loader.render_to_string("web/refusal.html", context, request)
    return HttpResponse(page, status=answer.status, headers=answer.headers)
