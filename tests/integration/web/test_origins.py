"""A web page that the user happens to open cannot act: what changes something is refused to other origins."""

from __future__ import annotations

import pytest
from django.test import Client

from app.executions.models import Execution
from tests import factories
from tests.integration.routes import Route, routes

pytestmark = pytest.mark.django_db

ROUTES = [pytest.param(route, method, id=f"{method} {route.path}") for route in routes() for method in route.methods]
CHANGING = [param for param in ROUTES if param.values[0].changes(param.values[1])]
READING = [param for param in ROUTES if not param.values[0].changes(param.values[1])]
FOREIGN = {
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "another port of this machine": {"Sec-Fetch-Site": "same-site"},
    "a word that no browser says": {"Sec-Fetch-Site": "mine"},
    "an origin": {"Origin": "https://evil.example"},
    "a hidden origin": {"Origin": "null"},
    "an empty origin": {"Origin": ""},
    "another port as origin": {"Origin": "http://testserver:8001"},
    "another scheme as origin": {"Origin": "https://testserver"},
    "a longer host": {"Origin": "http://testserver.evil.example"},
    "a referrer": {"Referer": "https://evil.example/page"},
    "a referrer that quotes us": {"Referer": "https://evil.example/?http://testserver/"},
    "a referrer with our name as user": {"Referer": "http://testserver@evil.example/"},
    "an origin that the referrer hides": {"Origin": "https://evil.example", "Referer": "http://testserver/"},
    "nonsense": {"Origin": "http://[::1"},
    "fetching ahead": {"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch;prerender"},
}
OWN = {
    "a program": {},
    "our page": {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"},
    "our page, an older browser": {"Referer": "http://testserver/ui/"},
    "a typed address": {"Sec-Fetch-Site": "none"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_foreign_page_starts_nothing(headers: dict[str, str]) -> None:
    module = factories.module()
    before = Execution.objects.count()
    response = Client(headers=headers).get(f"/modules/{module.pk}/run")
    assert response.status_code == 403
    assert "it was not done" in response.json()["error"]
    assert Execution.objects.count() == before


@pytest.mark.parametrize("headers", OWN.values(), ids=OWN.keys())
def test_programs_and_our_own_pages_may_act(headers: dict[str, str]) -> None:
    module = factories.module()
    assert Client(headers=headers).get(f"/modules/{module.pk}/run").status_code == 200


@pytest.mark.parametrize(("route", "method"), CHANGING)
def test_no_changing_route_is_open_to_a_foreign_page(route: Route, method: str) -> None:
    execution = factories.execution(factories.module())
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Referer": "http://evil/"}):
        response = Client(headers=headers).generic(method, route.of(execution.pk))
        assert response.status_code == 403
        assert "of another" in response.json()["error"]
    assert Execution.objects.get(pk=execution.pk).state == "QUEUED"


@pytest.mark.parametrize(("route", "method"), READING)
def test_reading_is_not_refused_for_where_a_link_was(route: Route, method: str) -> None:
    """A browser keeps a foreign page from the answer; a link from elsewhere is no attack."""
    assert Client(headers={"Sec-Fetch-Site": "cross-site"}).generic(method, route.of(10**9)).status_code != 403


def test_the_admin_takes_no_form_of_a_foreign_page() -> None:
    response = Client(headers={"Origin": "https://evil.example"}).post("/admin/login/", {"username": "a"})
    assert response.status_code == 403


@pytest.mark.parametrize(
    "path", ["/", "/modules", "/nowhere", "/admin/", "/api/v1/health", "/static/admin/css/base.css"]
)
def test_a_name_that_is_not_ours_is_refused(path: str) -> None:
    """Else a name of the attacker's that points here (DNS rebinding) would be an origin of ours."""
    assert Client(headers={"Host": "evil.example"}).get(path).status_code == 400


def test_a_refused_name_is_told_why() -> None:
    assert "ORCHESTRA_ALLOWED_HOSTS" in Client(headers={"Host": "evil.example"}).get("/modules").json()["error"]


def test_head_of_a_changing_get_changes_nothing() -> None:
    module = factories.module()
    before = Execution.objects.count()
    assert Client().head(f"/modules/{module.pk}/run").status_code == 405
    assert Execution.objects.count() == before
