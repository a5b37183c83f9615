from __future__ import annotations

from collections.abc import Iterator

import pytest
from orchestra.client import Client

from tests.unit.client.stub import Stub, stub_server


@pytest.fixture
def stub() -> Iterator[Stub]:
    with stub_server() as running:
        yield running


@pytest.fixture
def client(stub: Stub) -> Iterator[Client]:
    with Client(stub.url) as session:
        yield session
