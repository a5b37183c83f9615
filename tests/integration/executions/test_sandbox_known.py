"""Where the sandbox is chosen by itself, a request is checked against the one that the engine here has taken."""

from __future__ import annotations

import pytest
from django.conf import settings as configured
from orchestra_engine.sandbox import why_no_private_root
from pytest_django.fixtures import Settings

from app.engines.local import LocalEngine
from app.executions import services
from app.executions.models import Execution
from app.modules.faults import Faulty
from app.schemas import services as schemas
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

LITERAL = (
    factories.MANIFEST.replace("NAME", "literal")
    .replace("      container:", "      outputs: {artifacts: [{name: a, path: /work/a}]}\n      container:")
    .replace("[echo,", "[touch, /work/a,")
)


def engine_works(settings: Settings, sandbox: str) -> None:
    """Let an engine take the folder with a sandbox; then requests are made by processes that choose by themselves."""
    settings.SANDBOX = sandbox
    LocalEngine.open(claim=1, images=dict[str, dict[str, object]]().__getitem__).close()
    settings.SANDBOX = "auto"


def test_what_the_plain_sandbox_cannot_do_is_refused_when_it_is_asked_for(settings: Settings) -> None:
    engine_works(settings, "plain")
    with pytest.raises(Faulty) as raised:
        services.request_schema(schemas.save(LITERAL).version)
    assert any("/work/a" in one.path + one.message for one in raised.value.faults), raised.value.faults
    assert not Execution.objects.exists()


def test_the_sandbox_that_an_engine_takes_by_itself_is_the_one_that_counts(settings: Settings) -> None:
    engine_works(settings, "auto")
    version = schemas.save(LITERAL).version
    if why_no_private_root():
        with pytest.raises(Faulty):
            services.request_schema(version)
    else:
        assert services.request_schema(version).created


def test_before_any_engine_has_worked_nothing_is_refused_for_its_sandbox(settings: Settings) -> None:
    settings.SANDBOX = "auto"
    assert not any(configured.WORKFLOWS_DIR.iterdir())
    assert services.request_schema(schemas.save(LITERAL).version).created


def test_a_sandbox_that_is_set_is_the_one_that_counts_whatever_was_noted(settings: Settings) -> None:
    engine_works(settings, "auto")
    settings.SANDBOX = "plain"
    with pytest.raises(Faulty):
        services.request_schema(schemas.save(LITERAL).version)
