"""Only callers of this machine are served, and none that came through a proxy; everyone else is told why."""

from __future__ import annotations

import pytest
from django.test import Client

from app.executions.models import Execution
from tests import factories
from tests.integration.routes import Route, routes

pytestmark = pytest.mark.django_db

ROUTES = [pytest.param(route, method, id=f"{method} {route.path}") for route in routes() for method in route.methods]
LOOPBACK = ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"]
ELSEWHERE = [
    "192.0.2.1",
    "10.0.0.1",
    "::ffff:192.0.2.1",
    "2001:db8::1",
    "fe80::1%eth0",
    "0.0.0.0",
    "::",
    "localhost",
    "",
]
PROXIED = {
    "Forwarded": "for=127.0.0.1",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Host": "localhost",
    "X-Forwarded-Proto": "https",
    "X-Forwarded": "for=127.0.0.1",
    "X-Real-IP": "127.0.0.1",
    "Via": "1.1 proxy",
}


@pytest.mark.parametrize("address", LOOPBACK)
def test_a_caller_of_this_machine_is_served(address: str) -> None:
    assert Client(REMOTE_ADDR=address).get("/").status_code == 200


@pytest.mark.parametrize("address", ELSEWHERE)
def test_anyone_else_is_refused_with_a_reason(address: str) -> None:
    response = Client(REMOTE_ADDR=address).get("/modules")
    assert response.status_code == 403
    assert "Only callers on this machine" in response.json()["error"]


@pytest.mark.parametrize("header", PROXIED)
def test_a_request_through_a_proxy_is_refused_with_a_reason(header: str) -> None:
    response = Client(headers={header: PROXIED[header]}).get("/modules")
    assert response.status_code == 403
    assert "proxy" in response.json()["error"]


@pytest.mark.parametrize(("route", "method"), ROUTES)
def test_no_route_is_open_to_others(route: Route, method: str) -> None:
    execution = factories.execution(factories.module())
    path = route.of(execution.pk)
    for client in (Client(REMOTE_ADDR="192.0.2.1"), Client(headers={"X-Forwarded-For": "127.0.0.1"})):
        response = client.generic(method, path)
        assert response.status_code == 403
        assert response.json()["error"]
    assert Execution.objects.get(pk=execution.pk).state == "QUEUED"


def test_pages_and_files_are_not_open_to_others_either() -> None:
    for path in ("/admin/", "/admin/login/", "/static/admin/css/base.css", "/nowhere"):
        assert Client(REMOTE_ADDR="192.0.2.1").get(path).status_code == 403
