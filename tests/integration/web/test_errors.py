"""What goes wrong: a page for people, one sentence for programs, and on the server's terminal only its own mistakes."""

from __future__ import annotations

import json
import logging
import re

import pytest
from django.conf import settings as configured
from django.db import OperationalError
from django.test import Client
from pytest_django.fixtures import Settings

from app.accounts.readonly import ReadOnlyAdmin
from app.web.logs import Worthwhile
from app.wire import lookups

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What a server's terminal shows at the default level."""
    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(Worthwhile())
    return caplog


@pytest.mark.parametrize("path", ["/admin/nowhere/", "/admin/modules/nothing/"])
def test_a_page_that_is_not_there_is_a_page_that_leads_on(admin_client: Client, path: str) -> None:
    response = admin_client.get(path)
    assert response.status_code == 404
    page = response.content.decode()
    assert f"There is no page {path}" in page
    assert 'href="/admin/"' in page
    assert "Log out" in page


def test_an_unknown_execution_has_a_page_in_its_own_words(admin_client: Client) -> None:
    response = admin_client.get("/admin/executions/execution/999/log/")
    assert response.status_code == 404
    assert "There is no execution 999." in response.content.decode()


def test_that_a_server_is_not_ready_yet_is_no_error_of_its_log(client: Client, told: pytest.LogCaptureFixture) -> None:
    response = client.get("/api/v1/ready")
    assert response.status_code == 503
    assert "controller" in response.json()["error"]
    assert told.records == []


def test_what_an_address_holds_is_no_markup(admin_client: Client) -> None:
    page = admin_client.get("/admin/<script>alert(1)</script>/").content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_what_a_person_may_not_do_is_a_page(client: Client, django_user_model: type) -> None:
    person = django_user_model.objects.create_user("looker", password="x" * 20, is_staff=True)
    client.force_login(person)
    response = client.get("/admin/modules/module/")
    assert response.status_code == 403
    assert "This is not allowed" in response.content.decode()
    assert "text/html" in response["Content-Type"]


def test_programs_get_a_sentence(client: Client) -> None:
    assert json.loads(client.get("/nowhere").content) == {
        "error": "There is nothing at /nowhere; / lists what there is."
    }


def test_there_is_an_icon(client: Client) -> None:
    response = client.get("/favicon.ico")
    assert response.status_code == 302
    name = response["Location"].removeprefix(f"/{configured.STATIC_URL.strip('/')}/")
    assert (configured.BASE_DIR / "app/web/static" / name).read_text().startswith("<svg")


@pytest.mark.parametrize("path", ["/nowhere", "/modules/999", "/api/v1/executions/999", "/api/v1/modules/7/builds"])
def test_mistakes_of_callers_are_not_on_the_servers_terminal(
    client: Client, told: pytest.LogCaptureFixture, path: str
) -> None:
    assert 400 <= client.get(path).status_code < 500
    assert client.get(path, headers={"host": "evil.example"}).status_code == 400
    assert told.messages == []


def test_who_wants_to_see_everything_sees_them(client: Client, told: pytest.LogCaptureFixture) -> None:
    told.set_level(logging.DEBUG)
    client.get("/nowhere")
    assert any("/nowhere" in message for message in told.messages)


@pytest.mark.parametrize("path", ["/tasks/1", "/api/v1/modules/1", "/admin/modules/module/"])
def test_a_mistake_of_the_servers_own_is_found_in_the_log_by_its_number(
    admin_client: Client, told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret of the server's")

    for name in ("module", "execution", "task"):
        monkeypatch.setattr(lookups, name, fail, raising=False)
    monkeypatch.setattr(ReadOnlyAdmin, "get_queryset", fail)
    admin_client.raise_request_exception = False
    response = admin_client.get(path)
    assert response.status_code == 500
    body = response.content.decode()
    assert "secret" not in body
    [number] = re.findall(r"under request (?:<code>)?([0-9a-f]{8})", body)
    [record] = [one for one in told.records if one.levelno == logging.ERROR]
    assert f"(request {number})" in record.getMessage()
    assert record.exc_info is not None


def test_a_database_that_cannot_answer_is_told_to_both(
    client: Client, told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(lookups, "module", locked)
    assert client.get("/api/v1/modules/1").status_code == 503
    assert any("Service Unavailable: /api/v1/modules/1" in message for message in told.messages)
