"""Where everything is."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.templatetags.static import static
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from app.api.views.server import Index
from app.wire.endpoints import endpoint

handler400 = "app.web.errors.handler400"
handler403 = "app.web.errors.handler403"
handler404 = "app.web.errors.handler404"
handler500 = "app.web.errors.handler500"


@endpoint("GET")
def index(request: HttpRequest) -> HttpResponseBase:
    """What there is, for people and programs that come to the root."""
    addresses = {"modules": "/modules", "tasks": "/tasks", "api": "/api/v1/", "ready": "/api/v1/ready"}
    links = {name: request.build_absolute_uri(address) for name, address in (addresses | {"admin": "/admin/"}).items()}
    return JsonResponse({"name": "Orchestra", **links})


admin.site.site_header = admin.site.site_title = "Orchestra"
admin.site.index_title = "What Orchestra runs and holds"

urlpatterns = [
    path("", index),
    path("favicon.ico", RedirectView.as_view(url=static("web/icon.svg"))),
    path("", include("app.interfaces.orchestra.urls")),
    re_path(r"^api/v1/?$", Index.as_view()),
    path("api/v1/", include("app.api.urls")),
    path("admin/", admin.site.urls),
]
