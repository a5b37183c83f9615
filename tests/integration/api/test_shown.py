"""What is shown of a module is one state of it, also while a build passes."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import Client

from app.executions import services as executions
from app.modules.models import Build, BuildState, Module, Version
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def passing_meanwhile(monkeypatch: pytest.MonkeyPatch) -> Module:
    """A module whose first build passes after the module was read, and before its build is."""
    module = factories.module(built=False)
    build = Build.objects.get()
    read = executions.builds

    def builds() -> QuerySet[Build]:
        Version.objects.filter(pk=build.version_id).update(environment=factories.environment())
        Build.objects.filter(pk=build.pk).update(state=BuildState.PASSED)
        Module.objects.filter(pk=module.pk).update(default=build.version_id)
        return read()

    monkeypatch.setattr(executions, "builds", builds)
    return module


@pytest.mark.parametrize("path", ["/modules", "/modules/{}", "/api/v1/modules", "/api/v1/modules/{}"])
def test_a_build_that_passes_while_its_module_is_read_is_not_shown_as_pending(
    passing_meanwhile: Module, path: str
) -> None:
    answer: Any = Client().get(path.format(passing_meanwhile.pk)).json()
    rows = answer if isinstance(answer, list) else answer.get("results") or answer.get("items") or [answer]
    [row] = rows
    assert row["status"] == "installed"


def test_a_default_that_an_operator_has_chosen_stays_the_one_that_is_shown() -> None:
    module = factories.module()
    first = module.default
    factories.build(factories.version(module))
    Module.objects.filter(pk=module.pk).update(default=first)
    shown = Client().get(f"/api/v1/modules/{module.pk}").json()
    assert (shown["default"]["number"], shown["latest"]["number"]) == (1, 2)
