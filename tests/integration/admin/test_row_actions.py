"""What operators do on a row's own page: the actions that make sense for it now, and no others."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from app.executions.models import Execution
from app.executions.states import State
from app.modules.models import Module
from app.schemas.models import Schema
from tests import factories

pytestmark = pytest.mark.django_db


def address(row: Any, page: str) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=[row.pk])


def offered(client: Client, row: Any) -> list[str]:
    page = client.get(address(row, "change"))
    assert page.status_code == 200
    return [name for name, _ in page.context["offered"]]


def act(client: Client, row: Any, action: str) -> tuple[int, list[str]]:
    response = client.post(address(row, "act"), {"action": action}, follow=True)
    return response.status_code, [str(one) for one in response.context["messages"] if response.status_code == 200]


@pytest.mark.parametrize(
    ("state", "actions"),
    [
        (State.QUEUED, ["cancel"]),
        (State.SUBMITTED, ["cancel"]),
        (State.RUNNING, ["cancel"]),
        (State.SUCCEEDED, []),
        (State.FAILED, ["retry"]),
        (State.CANCELLED, ["retry"]),
        (State.LOST, ["retry"]),
    ],
)
def test_an_execution_offers_what_its_state_allows(admin_client: Client, state: str, actions: list[str]) -> None:
    assert offered(admin_client, factories.execution(factories.module(), state=state)) == actions


def test_an_execution_is_cancelled_and_retried_on_its_own_page(admin_client: Client) -> None:
    execution = factories.execution(factories.module())
    assert act(admin_client, execution, "cancel") == (200, [f"{execution}: asked to stop"])
    assert Execution.objects.get(pk=execution.pk).state == State.CANCELLED
    assert act(admin_client, execution, "retry") == (200, [f"{execution}: queued again"])
    assert Execution.objects.get(pk=execution.pk).state == State.QUEUED


def test_what_cannot_be_done_any_more_is_told(admin_client: Client) -> None:
    """The page was open while the execution ended."""
    execution = factories.execution(factories.module(), state=State.SUCCEEDED)
    status, [told] = act(admin_client, execution, "retry")
    assert status == 200
    assert "is SUCCEEDED" in told


def test_a_module_is_rebuilt_on_its_own_page_until_it_is_removed(admin_client: Client) -> None:
    module = factories.module()
    assert offered(admin_client, module) == ["rebuild"]
    Module.objects.update(removed_at=factories.START)
    assert offered(admin_client, module) == []
    assert "was removed" in act(admin_client, module, "rebuild")[1][0]


def test_a_schema_is_removed_on_its_own_page_unless_it_ships(admin_client: Client) -> None:
    mine, shipped = factories.schema("mine").schema, factories.schema_version("predict").schema
    assert offered(admin_client, mine) == ["remove"]
    assert offered(admin_client, shipped) == []
    act(admin_client, mine, "remove")
    assert Schema.objects.get(pk=mine.pk).removed_at is not None
    assert offered(admin_client, mine) == []


def test_who_may_only_look_is_offered_nothing_and_may_not_act() -> None:
    viewer = get_user_model().objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_execution"))
    client = Client()
    client.force_login(viewer)
    execution = factories.execution(factories.module())
    assert offered(client, execution) == []
    assert client.post(address(execution, "act"), {"action": "cancel"}).status_code == 403
    assert Execution.objects.get(pk=execution.pk).state == State.QUEUED


def test_looking_at_the_address_of_an_action_does_nothing(admin_client: Client) -> None:
    execution = factories.execution(factories.module())
    assert admin_client.get(address(execution, "act") + "?action=cancel").status_code == 302
    assert Execution.objects.get(pk=execution.pk).state == State.QUEUED


@pytest.mark.parametrize("action", ["", "delete_selected", "save_model", "nonsense"])
def test_only_actions_of_the_list_are_actions(admin_client: Client, action: str) -> None:
    execution = factories.execution(factories.module())
    assert act(admin_client, execution, action)[0] == 403
    assert Execution.objects.filter(pk=execution.pk).exists()


def test_a_foreign_page_or_one_without_the_token_cannot_act(admin_client: Client) -> None:
    execution = factories.execution(factories.module())
    there = address(execution, "act")
    foreign = admin_client.post(there, {"action": "cancel"}, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    checking = Client(enforce_csrf_checks=True)
    checking.cookies = admin_client.cookies
    assert checking.post(there, {"action": "cancel"}).status_code == 403
    assert Execution.objects.get(pk=execution.pk).state == State.QUEUED


def test_an_unknown_row_is_not_found(admin_client: Client) -> None:
    assert (
        admin_client.post(reverse("admin:executions_execution_act", args=[999]), {"action": "cancel"}).status_code
        == 404
    )
