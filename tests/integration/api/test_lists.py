"""Lists cost a constant number of queries, come in pages that fit together, and can be filtered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from app.executions.models import Execution, Kind
from app.executions.states import State
from app.modules.models import BuildState
from tests import factories

pytestmark = pytest.mark.django_db


def many_modules(count: int) -> None:
    for _ in range(count):
        module = factories.module(built=count % 2 == 0)
        factories.version(module, built=False)


def many_executions(count: int) -> None:
    module = factories.module()
    for _ in range(count):
        execution = factories.execution(module, of=factories.version(module), state=State.SUCCEEDED)
        for name in ("events.txt", "plot.png"):
            factories.file(execution, name)


def many_versions(count: int) -> None:
    module = factories.module("many")
    for _ in range(count):
        factories.build(factories.version(module))


def many_files(count: int) -> None:
    execution = factories.execution(factories.module(), state=State.SUCCEEDED, pk=7000)
    for number in range(count):
        factories.file(execution, f"{number}.txt")


def many_attempts(count: int) -> None:
    from app.executions.models import Attempt

    execution = factories.execution(factories.module(), state=State.FAILED, pk=7000, attempt=count)
    for number in range(1, count):
        Attempt.objects.create(execution=execution, number=number, workflow_name=f"prediction-7000-a{number}")


def many_schemas(count: int) -> None:
    for number in range(count):
        factories.schema(f"schema{number}", versions=2)


def many_schema_versions(count: int) -> None:
    factories.schema("many", versions=count)


LISTS: list[tuple[str, Callable[[int], None]]] = [
    ("/modules", many_modules),
    ("/module", many_modules),
    ("/tasks", many_executions),
    ("/task", many_executions),
    ("/api/v1/modules", many_modules),
    ("/api/v1/executions", many_executions),
    ("/api/v1/modules/many/versions", many_versions),
    ("/api/v1/modules/many", many_versions),
    ("/api/v1/executions/7000/artifacts", many_files),
    ("/api/v1/schemas", many_schemas),
    ("/api/v1/schemas/many", many_schema_versions),
    ("/api/v1/schemas/many/versions", many_schema_versions),
    ("/api/v1/executions/7000", many_files),
    ("/api/v1/executions/7000", many_attempts),
]


def queries(path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as context:
        assert Client().get(path).status_code == 200
    return len(context)


@pytest.mark.parametrize(("path", "make"), LISTS)
def test_a_longer_list_costs_no_more_queries(path: str, make: Callable[[int], None], django_db_blocker: Any) -> None:
    from django.db import transaction

    counts = []
    for size in (2, 9):
        with transaction.atomic():
            make(size)
            counts.append(queries(path))
            transaction.set_rollback(True)
    assert counts[0] == counts[1]


@pytest.mark.parametrize("path", ["/tasks", "/task", "/api/v1/executions"])
def test_pages_fit_together(path: str) -> None:
    module = factories.module(built=False)
    Execution.objects.all().delete()
    made = [factories.execution(module).pk for _ in range(7)]
    seen: list[int] = []
    address: str | None = f"{path}?limit=3"
    while address:
        response = Client().get(address)
        page = response.json()
        rows = page["items"] if isinstance(page, dict) else page
        seen += [row if isinstance(row, int) else row["id"] for row in rows]
        if isinstance(page, dict):
            assert page["total"] == 7
            address = page["next"]
        else:
            assert response["Orchestra-Total"] == "7"
            links = dict(reversed(link.split("; ")) for link in response.get("Link", "").split(", ") if link)
            address = links.get('rel="next"', "").strip("<>") or None
    assert sorted(seen) == made
    assert seen in (made, made[::-1])


def test_executions_are_found_by_module_state_and_kind() -> None:
    storms, waves = factories.module("storms"), factories.module("waves")
    queued = factories.execution(storms)
    done = factories.execution(storms, state=State.SUCCEEDED)
    other = factories.execution(waves, state=State.FAILED)

    def found(query: str) -> set[int]:
        items = Client().get(f"/api/v1/executions?kind=prediction&{query}").json()["items"]
        return {item["id"] for item in items}

    assert found("") == {queued.pk, done.pk, other.pk}
    assert found("module=storms") == found(f"module={storms.pk}") == {queued.pk, done.pk}
    assert found("state=FAILED") == {other.pk}
    assert found("state=FAILED,SUCCEEDED") == found("state=FAILED&state=SUCCEEDED") == {done.pk, other.pk}
    assert found("module=storms&state=QUEUED") == {queued.pk}
    builds = Client().get("/api/v1/executions?kind=build").json()["items"]
    assert {build["kind"] for build in builds} == {Kind.BUILD}


@pytest.mark.parametrize(
    ("built", "state", "status"),
    [
        (True, BuildState.PASSED, "installed"),
        (True, BuildState.FAILED, "installed"),
        (True, BuildState.PENDING, "installed"),
        (False, BuildState.PENDING, "pending"),
        (False, BuildState.FAILED, "error"),
        (False, BuildState.CANCELLED, "error"),
    ],
)
def test_a_module_is_usable_as_long_as_one_version_is(built: bool, state: str, status: str) -> None:
    module = factories.module(built=built)
    factories.build(factories.version(module, built=False) if built else module.versions.get(), state=state)
    assert Client().get(f"/api/v1/modules/{module.pk}").json()["status"] == status
    assert Client().get(f"/modules/{module.pk}").json()["status"] == status
    assert (Client().get("/module").json() == [{"id": module.pk, "name": module.name}]) is built


def test_a_module_that_was_removed_is_in_no_list() -> None:
    module = factories.module()
    assert Client().delete(f"/api/v1/modules/{module.pk}").status_code == 204
    assert Client().get("/modules").json() == []
    assert Client().get("/api/v1/modules").json()["total"] == 0
    assert Client().get(f"/modules/{module.pk}").status_code == 404
