"""What waits for somebody goes on when it is asked to: once, with the values that it takes, and after a crash too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from app.executions import services
from app.executions.errors import NotAllowed
from app.executions.models import Execution, Resumption
from app.executions.requests import workflow_name
from app.modules.faults import Faulty
from app.schemas import services as schemas
from tests.integration.executions.fake_engine import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("static_files")]

Work = Callable[[], None]
TEXT = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: asks-}
spec:
  entrypoint: main
  templates:
    - name: main
      steps: [[{name: approve, template: approve}, {name: look, template: look}]]
    - name: look
      suspend: {}
    - name: approve
      suspend: {}
      outputs:
        parameters:
          - {name: verdict, enum: ["yes", "no"], valueFrom: {supplied: {}}}
          - {name: note, valueFrom: {supplied: {}, default: none}}
"""
PARAMETERS = [
    {"name": "verdict", "enum": ["yes", "no"], "valueFrom": {"supplied": {}}},
    {"name": "note", "valueFrom": {"supplied": {}, "default": "none"}},
]


def suspended(text: str = TEXT) -> Execution:
    return services.request_schema(schemas.save(text).version).execution


def wait(world: World, execution: Execution, *names: str) -> None:
    """Let nodes of those names wait, as Argo shows it."""
    workflow = workflow_name(execution)
    for name in names:
        outputs = {"outputs": {"parameters": PARAMETERS}} if name == "approve" else {}
        world.node(workflow, template=name, type="Suspend", phase="Running", **outputs)
    world.workflows[workflow]["status"]["phase"] = "Running"


@pytest.fixture
def waits(world: World, work: Work) -> Execution:
    """An execution with the waiting nodes `approve` and `look`."""
    execution = suspended()
    work()
    wait(world, execution, "approve", "look")
    work()
    return execution


def ident(execution: Execution, node: str) -> str:
    return f"{workflow_name(execution)}-{node}"


def test_one_node_goes_on_with_the_values_that_it_takes(waits: Execution, world: World, work: Work) -> None:
    services.resume(waits, node="approve", parameters={"verdict": "yes", "note": 7})
    work()
    assert world.resumed == [(workflow_name(waits), ident(waits, "approve"), {"verdict": "yes", "note": "7"})]
    assert [one["displayName"] for one in services.waiting(Execution.objects.get(pk=waits.pk))] == ["look"]


def test_it_is_passed_on_once_and_asking_again_finds_nothing(waits: Execution, world: World, work: Work) -> None:
    services.resume(waits, node="look")
    work()
    with pytest.raises(Faulty, match="no node 'look' waits"):
        services.resume(waits, node="look")
    services.resume(waits, node="approve", parameters={"verdict": "yes"})
    work()
    assert [node for _, node, _ in world.resumed] == [ident(waits, "look"), ident(waits, "approve")]


def test_all_that_waits_goes_on_together_if_it_needs_no_values(world: World, work: Work) -> None:
    execution = suspended()
    work()
    wait(world, execution, "look")
    work()
    services.resume(execution)
    work()
    assert [node for _, node, _ in world.resumed] == [ident(execution, "look")]


def test_every_fault_of_the_values_is_told_and_nothing_goes_on(waits: Execution, world: World, work: Work) -> None:
    with pytest.raises(Faulty) as raised:
        services.resume(waits, node="approve", parameters={"verdict": "perhaps", "notes": "x", "note": "\0"})
    assert {one.path for one in raised.value.faults} == {
        "parameters.verdict",
        "parameters.notes",
        "parameters.note",
    }
    with pytest.raises(Faulty, match="waits for this value"):
        services.resume(waits)
    with pytest.raises(Faulty, match="say which one takes these parameters"):
        services.resume(waits, parameters={"verdict": "yes"})
    work()
    assert world.resumed == []
    assert not Resumption.objects.exists()


def test_nothing_that_does_not_wait_is_resumed(world: World, work: Work) -> None:
    execution = suspended()
    with pytest.raises(NotAllowed, match="is QUEUED, and nothing of it waits"):
        services.resume(execution)
    work()
    wait(world, execution, "look")
    work()
    world.end(workflow_name(execution))
    work()
    with pytest.raises(NotAllowed, match="nothing of it waits"):
        services.resume(execution)


def test_a_workflow_that_begins_suspended_is_let_begin_once(world: World, work: Work) -> None:
    execution = suspended(TEXT.replace("spec:\n", "spec:\n  suspend: true\n", 1))
    work()
    services.resume(execution)
    work()
    assert world.resumed == [(workflow_name(execution), "", {})]
    with pytest.raises(NotAllowed):
        services.resume(execution)


def test_what_was_asked_of_an_earlier_attempt_is_not_passed_on(waits: Execution, world: World, work: Work) -> None:
    services.resume(waits, node="look")
    Execution.objects.filter(pk=waits.pk).update(attempt=2)
    work()
    assert world.resumed == []


def test_the_api_resumes_and_says_what_is_wrong(waits: Execution, client: Client, world: World, work: Work) -> None:
    address = f"/api/v1/executions/{waits.pk}/resume"

    def post(body: Any) -> tuple[int, Any]:
        answer = client.post(address, body, content_type="application/json")
        return answer.status_code, answer.json()

    assert post({"node": 3})[0] == 422
    status, body = post({"node": "aprove"})
    assert (status, "did you mean approve?" in str(body)) == (422, True)
    assert post({"node": "approve", "parameters": {"verdict": "no"}})[0] == 200
    assert client.post(address, {"node": "look"}, content_type="application/json").status_code == 200
    assert client.generic("POST", address).status_code == 409
    work()
    assert len(world.resumed) == 2


def test_the_admin_offers_it_while_something_waits(waits: Execution, admin_client: Client, world: World) -> None:
    page = reverse("admin:executions_execution_change", args=[waits.pk])
    act = reverse("admin:executions_execution_act", args=[waits.pk])
    assert "resume" in [name for name, _ in admin_client.get(page).context["offered"]]
    services.resume(waits, node="approve", parameters={"verdict": "yes"})
    admin_client.post(act, {"action": "resume"})
    assert Resumption.objects.count() == 2
    assert "resume" not in [name for name, _ in admin_client.get(page).context["offered"]]
