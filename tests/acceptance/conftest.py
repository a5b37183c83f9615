"""Fixtures of the acceptance tests: a whole Orchestra for the session, and the sample AMDA that it fetches from."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.amda.sample import server as sample
from tests.acceptance.serving import Orchestra, serving

# Whoever starts the tests in the background has these ignored, which every command under test would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "main_job: a module in, two dates, a catalog; runs in each sandbox and database")


@pytest.fixture(scope="session")
def cache(request: pytest.FixtureRequest) -> Path:
    """Where uv keeps what it has downloaded, from one run of the tests to the next."""
    assert request.config.cache
    return Path(request.config.cache.mkdir("orchestra"))


@pytest.fixture(scope="session")
def amda() -> Iterator[str]:
    """The sample AMDA's address."""
    with sample.running() as url:
        yield url


@pytest.fixture(scope="session")
def whole_orchestra(amda: str, cache: Path) -> Iterator[Orchestra]:
    # Beside uv's cache, so that environments are hard links into it; short, because sockets have their place in it.
    with (
        tempfile.TemporaryDirectory(prefix="o-", dir=cache, ignore_cleanup_errors=True) as folder,
        serving(Path(folder), cache=cache / "downloads", env={"ORCHESTRA_AMDA_URL": amda}) as orchestra,
    ):
        yield orchestra


@pytest.fixture
def orchestra(whole_orchestra: Orchestra, request: pytest.FixtureRequest) -> Iterator[Orchestra]:
    """The session's server; what it said during a test that fails is shown with it."""
    began = whole_orchestra.log.stat().st_size
    yield whole_orchestra
    with whole_orchestra.log.open("rb") as log:
        log.seek(began)
        print(log.read()[-8000:].decode(errors="replace"))
