"""What operators see and do in the admin: lists of constant cost, logs, files, and actions; nothing that is edited."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from app.catalogs.models import Catalog, Event
from app.executions.models import Execution, Lease
from app.executions.states import State
from app.modules.models import Module
from tests import factories

pytestmark = pytest.mark.django_db

OURS = ("accounts", "artifacts", "catalogs", "executions", "modules", "schemas")
MODELS = [model for model in admin.site._registry if model._meta.app_label in OURS]
WRITTEN_BY_ORCHESTRA = [model for model in MODELS if model._meta.app_label != "accounts"]


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("operator", "o@example.org", "a long password"))
    return client


def rows(count: int) -> None:
    for number in range(count):
        Lease.objects.get_or_create(queue=f"queue{number}")
        module = factories.module()
        execution = factories.execution(module, of=factories.version(module), state=State.SUCCEEDED)
        file = factories.file(execution, "events.txt", b"x", type="TT")
        factories.file(execution, "other.txt", b"x")
        hours = [factories.START + timedelta(hours=hour) for hour in range(count)]
        factories.catalog(file, [(hour, hour) for hour in hours])


def address(model: Any, page: str, *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def test_the_nouns_are_all_there() -> None:
    names = {model.__name__ for model in MODELS}
    assert {"Module", "Version", "Build", "Execution", "Catalog", "Event", "Schema", "Artifact", "User"} <= names


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_list_costs_the_same_however_long_it_is(operator: Client, model: Any) -> None:
    counts = []
    for size in (2, 7):
        with transaction.atomic():
            rows(size)
            with CaptureQueriesContext(connection) as context:
                assert operator.get(address(model, "changelist")).status_code == 200
            counts.append(len(context))
            transaction.set_rollback(True)
    assert counts[0] == counts[1]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("word", ["storms", "1", "9" * 30, "'", "%00", "\x00", "0 OR 1=1", "é"])
def test_a_search_finds_or_not_and_never_breaks(operator: Client, model: Any, word: str) -> None:
    rows(1)
    assert operator.get(address(model, "changelist"), {"q": word}).status_code in {200, 302, 400}


@pytest.mark.parametrize("model", WRITTEN_BY_ORCHESTRA, ids=lambda model: model.__name__)
def test_every_row_has_a_page_to_look_at_and_not_to_edit(operator: Client, model: Any) -> None:
    rows(1)
    row = model._default_manager.first()
    assert row is not None
    page = operator.get(address(model, "change", row.pk))
    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    assert operator.post(address(model, "change", row.pk), {}).status_code == 403
    assert operator.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert operator.get(address(model, "add")).status_code == (200 if model.__name__ == "Schema" else 403)


def test_executions_are_filtered_and_searched(operator: Client) -> None:
    module = factories.module("storms")
    failed = factories.execution(module, state=State.FAILED, message="no such parameter imf")
    factories.execution(module, state=State.SUCCEEDED)
    path = address(Execution, "changelist")

    def found(**query: str) -> list[int]:
        return [row.pk for row in operator.get(path, query).context["cl"].result_list]

    assert found(state__exact="FAILED") == [failed.pk]
    assert found(q="imf") == [failed.pk]
    assert found(q=str(failed.pk)) == [failed.pk]
    assert len(found(q="storms", kind__exact="prediction")) == 2


def test_an_execution_s_page_leads_to_its_log_and_files(operator: Client) -> None:
    rows(1)
    execution = Execution.objects.get(kind="prediction")
    page = operator.get(address(Execution, "change", execution.pk)).content.decode()
    log = address(Execution, "log", execution.pk)
    assert log in page
    assert "events.txt" in page
    assert reverse("api:artifact", args=[execution.pk, execution.artifacts.first().pk]) in page  # type: ignore[union-attr]
    shown = operator.get(log)
    assert shown.status_code == 200
    assert reverse("api:log", args=[execution.pk]) in shown.content.decode()
    assert "executions/log.js" in shown.content.decode()


def test_a_log_is_for_operators(operator: Client) -> None:
    execution = factories.execution(factories.module())
    log = address(Execution, "log", execution.pk)
    assert Client().get(log).status_code == 302
    clerk = Client()
    clerk.force_login(get_user_model().objects.create_user("clerk", is_staff=True))
    assert clerk.get(log).status_code == 403
    assert operator.get(address(Execution, "log", 10**6)).status_code == 404


def act(client: Client, model: Any, action: str, *rows: Any) -> list[str]:
    response = client.post(
        address(model, "changelist"), {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True
    )
    assert response.status_code == 200
    return [str(message) for message in response.context["messages"]]


def test_executions_are_cancelled_and_retried(operator: Client) -> None:
    module = factories.module()
    one, two = factories.execution(module), factories.execution(module, state=State.SUCCEEDED)
    act(operator, Execution, "cancel", one)
    assert Execution.objects.get(pk=one.pk).state == State.CANCELLED
    told = act(operator, Execution, "retry", one, two)
    assert Execution.objects.get(pk=one.pk).state == State.QUEUED
    assert Execution.objects.get(pk=two.pk).state == State.SUCCEEDED
    assert any("queued again" in message for message in told)
    assert any("SUCCEEDED" in message for message in told)


def test_a_module_that_cannot_be_rebuilt_is_told(operator: Client) -> None:
    module = factories.module()
    module.versions.update(environment=None)
    module.removed_at = factories.START
    module.save()
    assert any("was removed" in message for message in act(operator, Module, "rebuild", module))


def test_a_schema_is_saved_or_every_fault_is_told_with_its_line(operator: Client) -> None:
    from app.schemas.models import Schema, SchemaVersion

    add = address(Schema, "add")
    text = factories.MANIFEST.replace("NAME", "mine")
    for number in (1, 2):
        given = {"manifest": text + "# again" * number, "schema_name": "", "inputs": ""}
        assert operator.post(add, given).status_code == 302
    assert SchemaVersion.objects.filter(schema__name="mine").count() == 2
    page = operator.post(add, {"manifest": text.replace("entrypoint", "entrypont")})
    assert b"line 7, column" in page.content
    page = operator.post(add, {"manifest": text, "inputs": "[1]"})
    assert page.status_code == 200
    assert SchemaVersion.objects.filter(schema__name="mine").count() == 2


def test_a_schema_is_removed_unless_it_ships_or_is_in_use(operator: Client) -> None:
    from app.executions import services
    from app.schemas.models import Schema

    free, used = factories.schema("free").schema, factories.schema("used")
    services.request_schema(used)
    shipped = factories.schema_version("predict").schema
    told = act(operator, Schema, "remove", free, used.schema, shipped)
    assert [row.removed_at is None for row in Schema.objects.filter(name__in=["free", "used"]).order_by("name")] == [
        False,
        True,
    ]
    assert any("ships with Orchestra" in message for message in told)
    assert any("is in use" in message for message in told)


def test_who_may_only_look_may_not_act() -> None:
    from django.contrib.auth.models import Permission

    viewer = get_user_model().objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_execution"))
    client = Client()
    client.force_login(viewer)
    execution = factories.execution(factories.module())
    act(client, Execution, "cancel", execution)
    assert Execution.objects.get(pk=execution.pk).state == State.QUEUED


def test_what_modules_write_is_shown_as_text(operator: Client) -> None:
    module = factories.module("storms")
    factories.execution(module, state=State.FAILED, message="<script>alert(1)</script>")
    for path in (address(Execution, "changelist"), address(Execution, "change", Execution.objects.latest("id").pk)):
        assert b"<script>alert(1)" not in operator.get(path).content


def test_the_way_in_asks_for_a_password() -> None:
    assert Client().get("/admin/").status_code == 302
    assert b"csrfmiddlewaretoken" in Client().get("/admin/login/").content


def test_its_pages_are_not_json_where_something_is_wrong(operator: Client) -> None:
    assert operator.get("/admin/nowhere/")["Content-Type"].startswith("text/html")


def test_times_are_shown_as_everywhere_else(operator: Client) -> None:
    execution = factories.execution(factories.module(), start=factories.START, stop=factories.START)
    shown = factories.START.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert shown in operator.get(address(Execution, "changelist")).text
    assert shown in operator.get(address(Execution, "change", execution.pk)).text


def test_an_event_is_listed_with_its_catalog(operator: Client) -> None:
    rows(1)
    page = operator.get(address(Event, "changelist")).text
    assert str(Catalog.objects.get()) in page


def test_the_page_of_an_execution_shows_the_first_of_very_many_files(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.executions.admin.FIRST_FILES", 2)
    execution = factories.execution(factories.module())
    for index in range(4):
        factories.file(execution, f"part{index}.bin", b"")
    page = operator.get(address(Execution, "change", execution.pk)).content.decode()
    assert [f"part{index}.bin" in page for index in range(4)] == [True, True, False, False]
