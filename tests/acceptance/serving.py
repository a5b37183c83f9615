"""A whole Orchestra of its own for acceptance tests: real processes, a free port, its own state and database."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg2
from orchestra.client import Client

from script.lib.server import Server

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "tests" / "modules"
T = TypeVar("T")
PATIENCE = 120.0  # s that anything may take on a busy machine before a test gives up on it


def until(look: Callable[[], T], *, what: str, seconds: float = PATIENCE) -> T:
    """The first true answer; fails with what was waited for."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"{what}: not after {seconds:.0f} s"
        time.sleep(0.05)
    return found


class Orchestra:
    """A running server and its clients."""

    def __init__(self, server: Server, *, var: Path, env: Mapping[str, str], log: Path) -> None:
        self.server, self.var, self.env, self.log = server, var, dict(env), log
        self.url = server.url
        self.client = Client(self.url, timeout=60.0)
        self.http = httpx.Client(base_url=self.url, timeout=60.0, trust_env=False)

    # --- modules ---------------------------------------------------------------------------------------------------
    def module(self, name: str) -> dict[str, Any]:
        """A module of tests/modules, registered and built."""
        made = self.client.register_folder(MODULES / name)
        assert len(made) == 1
        return self.built(made[0]["module"]["id"])

    def built(self, module: int | str) -> dict[str, Any]:
        """The module once its newest build has ended, which must have passed."""

        def ended() -> bool:
            build = self.client.module(module)["build"]
            return not build or build["state"] != "PENDING"

        until(ended, what=f"the build of module {module}", seconds=600.0)
        found = self.client.module(module)  # again: an answer may have been put together while the build ended
        assert found["status"] == "installed", self.why(found["build"]["execution"])
        return found

    # --- executions ------------------------------------------------------------------------------------------------
    def run(self, name: str, **asked: Any) -> dict[str, Any]:
        """A prediction with a module of tests/modules, once it has ended."""
        return self.ended(self.start(name, **asked)["id"])

    def start(self, name: str, **asked: Any) -> dict[str, Any]:
        return self.client.run(self.module(name)["id"], **asked)

    def ended(self, execution: int) -> dict[str, Any]:
        """The execution in full once it has ended."""
        until(lambda: self.client.execution(execution)["finished_at"], what=f"the end of execution {execution}")
        return self.client.execution(execution)

    def until_log(self, execution: int, text: bytes) -> bytes:
        """The log once it holds this text."""

        def look() -> bytes | None:
            ended = self.client.execution(execution)["finished_at"]
            log = self.text_of(execution)
            assert text in log or not ended, f"{text!r} is not in the log: {self.why(execution)}"
            return log if text in log else None

        return until(look, what=f"{text!r} in the log of execution {execution}")

    def text_of(self, execution: int) -> bytes:
        return b"".join(self.client.whole_log(execution))

    def why(self, execution: int) -> str:
        """What there is to say about an execution, for a failing test's message."""
        found = self.client.execution(execution)
        return f"{found['state']} {found['message']}\n{found['failure']}\n" + self.text_of(execution)[-4000:].decode(
            errors="replace"
        )

    # --- processes -------------------------------------------------------------------------------------------------
    def kill_controller(self) -> None:
        """As a crash would: no chance to write anything."""
        controller = self.server.controller
        assert controller
        os.kill(controller.pid, signal.SIGKILL)
        controller.wait()

    def start_controller(self) -> None:
        """Start a controller (again) and come back when it holds the lease."""
        self.server.start_controller()
        until(self._controls, what="a controller with the lease")

    def _controls(self) -> bool:
        answer = self.http.get("/api/v1/ready").json()
        return bool(answer["checks"]["controller"]["ok"])

    def command(self, *words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """The `orchestra` command, against this server."""
        env = {**os.environ, "ORCHESTRA_SERVER": self.url, "COLUMNS": "200"}
        argv = [str(ROOT / ".venv" / "bin" / "orchestra"), *map(str, words)]
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False, **options)

    def close(self) -> None:
        self.client.close()
        self.http.close()


@contextlib.contextmanager
def serving(folder: Path, *, cache: Path, env: Mapping[str, str] | None = None) -> Iterator[Orchestra]:
    """A server with its state in `folder`. What it says goes to the file `server.log` there."""
    var, log = folder / "var", folder / "server.log"
    with _database(os.environ.get("DATABASE_URL", "")) as url:
        variables = {
            "ORCHESTRA_VAR": str(var),
            "ORCHESTRA_CACHE": str(cache),
            "ORCHESTRA_SANDBOX": os.environ.get("ORCHESTRA_SANDBOX", "auto"),
            "ORCHESTRA_CANCEL_GRACE": "1.0",
            "ORCHESTRA_LEASE": "3.0",
            "DATABASE_URL": url or f"sqlite:///{var / 'orchestra.sqlite3'}",
            **(env or {}),
        }
        with Server(port=0, env=variables, log=log) as server:
            server.prepare()
            server.start()
            orchestra = Orchestra(server, var=var, env=variables, log=log)
            try:
                yield orchestra
            finally:
                _cancel_all(orchestra)
                orchestra.close()


def _cancel_all(orchestra: Orchestra) -> None:
    """Leave no process of a test behind, even if the test failed."""
    with contextlib.suppress(Exception):
        live = [one["id"] for one in orchestra.client.executions(state="QUEUED,SUBMITTED,RUNNING")]
        for number in live:
            orchestra.client.cancel(number)
        for number in live:
            orchestra.ended(number)


@contextlib.contextmanager
def _database(server: str) -> Iterator[str]:
    """A new database on a PostgreSQL server, dropped at the end; nothing for SQLite."""
    if not server.startswith("postgres"):
        yield ""
        return
    name = f"acceptance_{uuid.uuid4().hex[:12]}"
    with _administering(server) as execute:
        execute(f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        with _administering(server) as execute:
            execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextlib.contextmanager
def _administering(server: str) -> Iterator[Callable[[str], None]]:
    connection = psycopg2.connect(server)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor.execute
    finally:
        connection.close()
