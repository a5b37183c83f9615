"""`manage.py cancel`: what an operator's shell and the demonstration end runs with."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from app.executions.models import Execution
from app.executions.states import CancelRequest, State
from tests import factories

pytestmark = pytest.mark.django_db


def test_all_cancels_what_has_not_ended_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    made = factories.module()
    queued, running, done = (
        factories.execution(made, state=state) for state in (State.QUEUED, State.RUNNING, State.SUCCEEDED)
    )
    call_command("cancel", "--all")
    now = {row.pk: (row.state, row.cancel_request) for row in Execution.objects.all()}
    assert now[queued.pk][0] == State.CANCELLED
    assert now[running.pk] == (State.RUNNING, CancelRequest.STOP)
    assert now[done.pk] == (State.SUCCEEDED, CancelRequest.NONE)
    assert "Cancelling 2" in capsys.readouterr().out


def test_that_nothing_runs_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    factories.execution(factories.module(), state=State.SUCCEEDED)
    call_command("cancel", "--all", "--wait", "5")
    assert capsys.readouterr().out == "There is nothing to cancel.\n"


def test_waiting_in_vain_is_an_error_that_names_the_controller() -> None:
    factories.execution(factories.module(), state=State.RUNNING)
    with pytest.raises(CommandError, match="controller"):
        call_command("cancel", "--all", "--wait", "0.2")


def test_an_unknown_number_cancels_nothing() -> None:
    known = factories.execution(factories.module(), state=State.RUNNING)
    with pytest.raises(CommandError, match="no execution 999"):
        call_command("cancel", str(known.pk), "999")
    known.refresh_from_db()
    assert known.cancel_request == CancelRequest.NONE


def test_nothing_named_is_an_error() -> None:
    with pytest.raises(CommandError, match="--all"):
        call_command("cancel")
