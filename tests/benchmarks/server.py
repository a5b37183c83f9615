"""What a server adds: request to first line of a module, cancel to a dead tree, a build with a known lock."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from orchestra.client import Client

from script.lib import postgres
from script.lib.server import Server
from tests.benchmarks.figures import Figure, above, now_ns

START, STOP = "2001-03-28T00:00:00", "2001-03-29T00:00:00"
POLL_SECONDS = 0.01  # a look costs the server some 5 ms of a processor, which what is measured needs too
RARELY_SECONDS = 0.25  # between two looks at an end that is not what is measured
PAUSE_SECONDS = 0.3  # between two measurements, so that the server is idle
LATENCY_TARGET_MS = {"SQLite": 100.0, "PostgreSQL": 60.0}
CANCEL_TARGET_MS, BUILD_TARGET_MS = 1000.0, 300.0

FIRST_LINE = """import time
print(time.clock_gettime_ns(time.CLOCK_MONOTONIC), flush=True)
import pathlib, sys
pathlib.Path(sys.argv[1], "events.txt").write_text("")
"""
WAITS = """import time
print("started", flush=True)
time.sleep(3600)
"""


class Bench:
    """One server with its measuring modules."""

    def __init__(self, server: Server, folder: Path, *, var: Path) -> None:
        self.client, self.folder, self.var = Client(server.url), folder, var

    def module(self, name: str, code: str) -> Path:
        """A module without requirements, registered and built; its folder."""
        place = self.folder / name
        place.mkdir(exist_ok=True)
        metadata = {
            "name": name,
            "args": [["marker", "str"]],
            "output": {"type": "TT", "filename": "events.txt"},
            "install": {"executable": name, "requirements": []},
        }
        (place / "metadata.json").write_text(json.dumps(metadata))
        (place / f"{name}.py").write_text(code)
        for one in self.client.register_folder(place):
            if one["build"]:
                self._ended(one["build"]["execution"])
        if self.client.module(name)["status"] != "installed":
            raise SystemExit(f"script/benchmark: the module {name} could not be built")
        return place

    def bare(self, count: int) -> list[float]:
        """`python module.py` with the interpreter of the module's own environment, as anybody would start it."""
        place = self.module("first_line", FIRST_LINE)
        digest = self.client.module("first_line")["default"]["environment"]
        python = self.var / "environments" / digest / "bin" / "python"
        found = []
        with tempfile.TemporaryDirectory() as output:
            argv = [str(python), "-u", "first_line.py", output, "--start", START, "--stop", STOP]
            env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
            for _ in range(count):
                began = now_ns()
                printed = subprocess.run(argv, cwd=place, env=env, capture_output=True, check=True).stdout
                found.append((int(printed) - began) / 1e6)
                time.sleep(PAUSE_SECONDS / 3)
        return found

    def first_line(self, count: int) -> list[float]:
        """From the request to the module's first line."""
        self.module("first_line", FIRST_LINE)
        found = []
        for _ in range(count):
            time.sleep(PAUSE_SECONDS)
            began = now_ns()
            number = self.client.run("first_line", start=START, stop=STOP)["id"]
            time.sleep(RARELY_SECONDS)
            self._ended(number, every=RARELY_SECONDS)
            log = b"".join(self.client.whole_log(number))
            found.append((int(log.split()[0]) - began) / 1e6)
        return found

    def cancel(self, count: int) -> tuple[list[float], list[float]]:
        """From the request to the death of the module's process, and to the state CANCELLED."""
        self.module("waits", WAITS)
        dead, told = [], []
        for _ in range(count):
            marker = f"benchmark-{uuid.uuid4().hex}"
            number = self.client.run("waits", start=START, stop=STOP, arguments={"marker": marker})["id"]
            waited(lambda number=number: b"started" in b"".join(self.client.whole_log(number)))  # type: ignore[misc]
            processes = with_marker(marker)
            time.sleep(PAUSE_SECONDS)
            began = now_ns()
            self.client.cancel(number)
            waited(lambda processes=processes: not any(path.exists() for path in processes))  # type: ignore[misc]
            dead.append((now_ns() - began) / 1e6)
            self._ended(number)
            told.append((now_ns() - began) / 1e6)
        return dead, told

    def known_build(self, count: int) -> list[float]:
        """From the end of the request that registers new code to the end of its build, with requirements as before."""
        self.module("known", FIRST_LINE)
        found = []
        for number in range(count):
            time.sleep(PAUSE_SECONDS)
            (self.folder / "known" / "known.py").write_text(f"# {number}\n{FIRST_LINE}")
            began = now_ns()
            (one,) = self.client.register_folder(self.folder / "known")
            self._ended(one["build"]["execution"])
            found.append((now_ns() - began) / 1e6)
        return found

    def _ended(self, execution: int, *, every: float = POLL_SECONDS) -> dict[str, Any]:
        waited(lambda: self.client.execution(execution)["finished_at"], every=every)
        return self.client.execution(execution)


def waited(look: Callable[[], object], *, every: float = POLL_SECONDS) -> None:
    until = time.monotonic() + 120
    while not look():
        if time.monotonic() > until:
            raise SystemExit("script/benchmark: something took more than two minutes")
        time.sleep(every)


def with_marker(marker: str) -> list[Path]:
    """The folders in /proc of the processes that have the marker in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and marker.encode() in (folder / "cmdline").read_bytes():
                found.append(folder)
    return found


@contextlib.contextmanager
def bench(database: str) -> Iterator[Bench]:
    """A server of its own on this database, in a temporary state."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orchestra-benchmark-")))
        var = folder / "var"
        url = stack.enter_context(postgres.server()) if database == "PostgreSQL" else f"sqlite:///{var / 'db.sqlite3'}"
        env = {"ORCHESTRA_VAR": str(var), "DATABASE_URL": url, "ORCHESTRA_LOG_LEVEL": "WARNING"}
        server = stack.enter_context(Server(port=0, env=env, log=folder / "log"))
        server.prepare(modules=False)
        server.start()
        yield Bench(server, folder, var=var)


def measure(*, quick: bool) -> Iterator[Figure]:
    """All figures of the server, on each database that this machine has."""
    yield from on_database("SQLite", count=6 if quick else 40)
    if quick:
        return
    try:
        postgres.programs()
    except postgres.Missing as missing:
        print(f"PostgreSQL is left out: {missing}", file=sys.stderr)
        return
    yield from on_database("PostgreSQL", count=40)


def on_database(database: str, *, count: int) -> Iterator[Figure]:
    """The figures of a server of its own."""
    with bench(database) as running:
        bare = running.bare(count)
        yield Figure(name="start of `python module.py` → its first line, bare", values=bare)
        first = running.first_line(count)
        yield Figure(name=f"POST → first line of the module, {database}", values=first)
        name = f"… of which Orchestra's, {database}"
        yield Figure(name=name, values=above(first, bare), target=LATENCY_TARGET_MS[database])
        dead, told = running.cancel(max(3, count // 3))
        yield Figure(name=f"cancel → tree dead, {database}", values=dead, target=CANCEL_TARGET_MS)
        yield Figure(name=f"cancel → CANCELLED, {database}", values=told)
        known = running.known_build(max(3, count // 3))
        name = f"POST → new version built, known lock, {database}"
        yield Figure(name=name, values=known, target=BUILD_TARGET_MS)
