from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from app.executions.controller import Controller
from app.modules.models import Module
from app.schemas import services as schemas
from tests import factories
from tests.integration.executions.fake_engine import World


@pytest.fixture
def static_files(settings: Settings, tmp_path: Path) -> None:
    """A folder without the controller's sockets, which are no files to serve."""
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def shipped(db: None) -> None:
    """The schemas that ship with Orchestra."""
    schemas.load_shipped()


@pytest.fixture
def module(shipped: None) -> Module:
    """A built module that writes a time table."""
    return factories.module("storms")


@pytest.fixture
def controller(world: World, transactional_db: None) -> Iterator[Controller]:
    """A controller that holds the lease; `work` makes its turns."""
    made = Controller(open_engine=world.engine)
    assert made.acquire()
    yield made
    made.close()


@pytest.fixture
def work(controller: Controller) -> Callable[[], None]:
    """Let the controller do all that there is to do now."""
    return lambda: settle(controller)


def settle(controller: Controller) -> None:
    """Turns until everything that has ended is concluded."""
    controller.turn(timeout=0)
    controller.turn(timeout=0)
    for _ in range(200):
        if not controller.endings:
            return
        controller.turn(timeout=0.05)
    raise AssertionError("the controller does not come to an end")
