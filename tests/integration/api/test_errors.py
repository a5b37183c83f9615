"""Bad input is a 4xx with one sentence in `error`, on every route; never a 200, never a 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from app.api.urls import urlpatterns
from app.executions.models import Execution
from app.modules.models import Module
from tests import factories
from tests.integration.routes import Route, routes

pytestmark = pytest.mark.django_db

ROUTES = routes()
BAD_NAMES = ["0", "999999", "-1", "1.5", "abc", "0 OR 1=1", "1;DROP TABLE x", "'", '"', "%00", "%ff", "%ED%A0%80", "١",
             "9" * 30, str(2**63), "x" * 5000, "..", "%2e%2e%2f", "{{7*7}}", "%0a", "1%0a", "é"]  # fmt: skip
UNREADABLE: list[tuple[str, Any]] = [
    ("application/json", b"{"),
    ("application/json", b"\xff\xfe"),
    ("application/json", b"[1, 2]"),
    ("application/json", b'"text"'),
    ("application/json", b'{"a": NaN}'),
    ("application/json", b'{"start": "\\u0000"}'),
    ("application/json", b'{"start": "\\ud800"}'),
    ("application/json", b"[" * 100_000),
    ("application/json", b"1" * 20_000),
    ("application/json; charset=utf-16", '{"a": 1}'.encode("utf-16")),
    ("application/x-www-form-urlencoded", b"start=%00"),
    ("application/x-www-form-urlencoded; charset=latin-1", b"a=%e9"),
    ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % number for number in range(3000))),
    ("multipart/form-data; boundary=\xff", b"--x--"),
    ("text/csv", b"a,b"),
    ("nonsense", b"\x00\x01"),
]
SENSELESS: list[tuple[str, Any]] = [
    ("application/json", b'{"arguments": {"threshold": 1e999}, "threshold": 1e999}'),
    ("application/json", b'{"start": 5, "stop": {"a": []}}'),
    ("application/json", b'{"' + b"a" * 100_000 + b'": 1}'),
    ("application/x-www-form-urlencoded", b"%ff=%ff&&&==="),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n'),
]


def assert_told(response: HttpResponse, *codes: int) -> dict[str, Any]:
    """A 4xx in the shape of errors."""
    assert 400 <= response.status_code < 500, response.content
    assert not codes or response.status_code in codes
    told = json.loads(response.content)
    assert isinstance(told["error"], str)
    assert told["error"]
    assert set(told) <= {"error", "faults", "state", "status", "executions"}
    for fault in told.get("faults", []):
        assert set(fault) in ({"path", "message"}, {"path", "message", "line", "column"})
    return told


NAMED = [pytest.param(route, method, id=f"{method} {route.path}") for route in ROUTES if "{}" in route.path
         for method in route.methods]  # fmt: skip


@pytest.mark.parametrize(("route", "method"), NAMED)
def test_a_name_of_nothing_is_a_404(route: Route, method: str) -> None:
    execution = factories.execution(factories.module())
    before = Module.objects.count(), Execution.objects.count()
    for name in BAD_NAMES:
        response = Client().generic(method, route.of(name))
        assert_told(response, 400 if name == "%00" else 404)
        if route.path.count("{}") > 1:
            assert_told(Client().generic(method, route.of(execution.pk, name)), 400 if name == "%00" else 404)
    assert (Module.objects.count(), Execution.objects.count()) == before


# Routes whose body nobody reads: what they act on is all in the path.
BODILESS = ("kill", "cancel", "retry", "resubmit", "rebuild/{}", "builds")
BODIES = [pytest.param(route, method, id=f"{method} {route.path}") for route in ROUTES for method in route.methods
          if method in {"POST", "PUT"} and not route.path.endswith(BODILESS)]  # fmt: skip


@pytest.mark.parametrize(("route", "method"), BODIES)
def test_an_unreadable_body_is_told(route: Route, method: str) -> None:
    execution = factories.execution(factories.module(pk=7000), pk=7000)  # no sequence comes so far
    factories.schema("7000")
    before = Execution.objects.count()
    for content_type, body in UNREADABLE:
        response = Client().generic(method, route.of(execution.pk), body, content_type=content_type)
        assert_told(response, 400, 415, 422)
    assert Execution.objects.count() == before


@pytest.mark.parametrize(
    ("route", "method"), [param for param in BODIES if not param.values[0].path.startswith(("/task", "/module"))
                          or param.values[0].path.endswith("run")]
)  # fmt: skip
def test_a_body_without_sense_is_told(route: Route, method: str) -> None:
    module = factories.module()
    factories.schema(str(module.pk))
    before = Execution.objects.count()
    for content_type, body in SENSELESS:
        assert_told(Client().generic(method, route.of(module.pk), body, content_type=content_type), 400, 415, 422)
    assert Execution.objects.count() == before


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_another_method_is_a_405_that_names_those_that_there_are(route: Route) -> None:
    module = factories.module()
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - set(route.methods):
        response = Client().generic(method, route.of(module.pk))
        assert_told(response, 405)
        assert set(route.methods) <= set(response["Allow"].split(", "))


@pytest.mark.parametrize("path", ["/nowhere", "/modules/1/nowhere", "/api/v1/nowhere", "/api", "/tasks/1/output/x",
                                  "/modules//run", "/%00", "/%ff", "/modules/1/run/run", "/" + "x" * 7000])  # fmt: skip
def test_a_path_that_leads_nowhere_is_told(path: str) -> None:
    assert_told(Client().get(path), 404, 400)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_a_slash_at_the_end_is_tolerated_without_a_redirect(route: Route) -> None:
    execution = factories.execution(factories.module())
    if "GET" in route.methods and not route.changes("GET") and route.path != "/":
        path = route.of(execution.pk)
        assert Client().get(f"{path}/").status_code == Client().get(path).status_code


LISTS = ["/tasks", "/task", "/api/v1/modules", "/api/v1/executions", "/api/v1/modules/{}/versions",
         "/api/v1/executions/{}/artifacts", "/api/v1/executions/{}/catalog", "/api/v1/schemas"]  # fmt: skip


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=1001", "limit=ten", "limit=", "offset=-1", "offset=x",
                                   f"offset={10**30}", "limit=1%00", "limit=١"])  # fmt: skip
def test_a_page_that_cannot_be_is_told(path: str, query: str) -> None:
    module = factories.module()
    execution = factories.execution(module, state="SUCCEEDED")
    factories.catalog(factories.file(execution, "events.txt", type="TT"), [])
    name = module.pk if "modules/{}" in path else execution.pk
    assert (
        "limit" in assert_told(Client().get(f"{path.format(name)}?{query}"), 400)["error"]
        or "offset" in query
        or "%00" in query
    )


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/tasks", "status=finished"),
        ("/tasks", "status=%27"),
        ("/tasks", "module=nowhere"),
        ("/api/v1/executions", "state=done"),
        ("/api/v1/executions", "kind=task"),
        ("/api/v1/executions", "module=nowhere"),
        ("/api/v1/executions", "schema=nowhere"),
        ("/api/v1/schemas/predict", "version=x"),
        ("/api/v1/executions/{}/log", "offset=-1"),
        ("/api/v1/executions/{}/log", "wait=31"),
        ("/api/v1/executions/{}/log", "limit=0"),
        ("/api/v1/executions/{}/log", f"offset={10**25}"),
        ("/api/v1/executions/{}/log", "attempt=2"),
        ("/api/v1/executions/{}/log", "attempt=0"),
        ("/api/v1/executions/{}/log", "node=../../secret_key"),
        ("/api/v1/executions/{}/artifacts", "attempt=x"),
        ("/modules/{}", "version=9"),
    ],
)
def test_a_filter_that_cannot_be_is_told(path: str, query: str) -> None:
    module = factories.module()
    name = module.pk if "modules" in path else factories.execution(module).pk
    assert_told(Client().get(f"{path.format(name)}?{query}"), 400, 404)


def test_a_body_that_is_too_large_is_a_413(settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    module = factories.module()
    body = json.dumps({"start": "x" * 2000})
    for path in (f"/modules/{module.pk}/run", f"/api/v1/modules/{module.pk}/executions", "/build", "/api/v1/modules"):
        assert_told(Client().post(path, body, content_type="application/json"), 413)
    form = "start=" + "x" * 2000
    response = Client().post(f"/modules/{module.pk}/run", form, content_type="application/x-www-form-urlencoded")
    assert_told(response, 413)


def test_a_body_of_unknown_length_is_not_taken_for_an_empty_one() -> None:
    module = factories.module()
    before = Execution.objects.count()
    for path in (f"/modules/{module.pk}/run", f"/api/v1/modules/{module.pk}/executions"):
        chunked = Client(headers={"Transfer-Encoding": "chunked"}).generic("POST", path)
        assert "Content-Length" in assert_told(chunked, 411)["error"]
    assert Execution.objects.count() == before


def test_an_upload_that_is_too_large_is_a_413(settings: Settings) -> None:
    settings.SOURCE_MAX_BYTES = -(2**20) + 100
    from django.core.files.uploadedfile import SimpleUploadedFile

    response = Client().post("/api/v1/modules", {"file": SimpleUploadedFile("m.zip", b"x" * 2000)})
    assert_told(response, 413)


def test_a_database_that_cannot_answer_is_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("database is locked")

    monkeypatch.setattr("app.wire.lookups.Module.objects.present", locked)
    for path in ("/modules/1/run", "/api/v1/modules/1/versions"):
        response = Client().get(path)
        assert response.status_code == 503
        assert response["Retry-After"] == "1"
        assert "try again" in response.json()["error"]


def test_a_mistake_of_orchestra_is_a_500_in_the_same_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("app.wire.lookups.Module.objects.present", broken)
    client = Client(raise_request_exception=False)
    for path in ("/modules/1/run", "/api/v1/modules/1/versions"):
        response = client.get(path)
        assert response.status_code == 500
        assert "log" in response.json()["error"]
        assert b"secret detail" not in response.content


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "text/csv"},
        {"Accept": "image/png;q=x"},
        {"Accept-Language": "\xff"},
        {"Range": "bytes=9-1"},
        {"If-None-Match": "nonsense"},
        {"If-Modified-Since": "yesterday"},
        {"Cookie": "sessionid=\x7f; csrftoken"},
        {"Authorization": "Basic !!!"},
        {"Content-Type": "\xff"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_odd_headers_change_nothing(headers: dict[str, str]) -> None:
    factories.module()
    for path in ("/modules", "/tasks", "/api/v1/modules", "/api/v1/health", "/"):
        assert Client(headers=headers).get(path).status_code == 200


def test_every_fault_of_a_request_is_told_at_once() -> None:
    module = factories.module()
    body = {"start": "yesterday", "stop": "tomorrow", "arguments": {"treshold": 1, "depth": "deep"}}
    told = assert_told(Client().post(f"/api/v1/modules/{module.pk}/executions", body, "application/json"), 422)
    paths = {fault["path"] for fault in told["faults"]}
    assert {"start", "stop", "treshold", "depth"} == paths
    assert "did you mean threshold?" in told["error"]


def test_a_member_that_is_not_known_is_told() -> None:
    module = factories.module()
    body = {"begin": "2001-03-28T00:00:00"}
    told = assert_told(Client().post(f"/api/v1/modules/{module.pk}/executions", body, "application/json"), 422)
    assert "begin" in told["error"]


def test_stop_before_start_is_a_fault_of_stop() -> None:
    module = factories.module()
    for response in (
        Client().get(f"/modules/{module.pk}/run?start=2001-03-29T00:00:00&stop=2001-03-28T00:00:00"),
        Client().post(
            f"/api/v1/modules/{module.pk}/executions",
            {"start": "2001-03-29T00:00:00", "stop": "2001-03-29T00:00:00"},
            "application/json",
        ),
    ):
        assert [fault["path"] for fault in assert_told(response, 422)["faults"]] == ["stop"]


def test_a_name_that_is_nearly_right_is_told() -> None:
    module = factories.module("storms")
    said = Client().get(f"/api/v1/modules/{module.name}x").json()["error"]
    assert said == f"There is no module '{module.name}x', did you mean {module.name}?"
    assert Client().get("/api/v1/modules/nothing-like-it").json()["error"] == "There is no module 'nothing-like-it'."


def test_the_api_says_what_it_has() -> None:
    found = Client().get("/api/v1/").json()
    assert set(found) == {route.name for route in urlpatterns if "(?P<" not in str(route.pattern)}
    assert found["modules"].endswith("/api/v1/modules")
    assert {Client().get(address).status_code for name, address in found.items() if name != "ready"} == {200}
