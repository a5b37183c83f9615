"""script/server and script/demo, as a user starts them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.serving import ROOT, until

SERVER = [sys.executable, "-m", "script.lib.server"]
DEMO = [sys.executable, "-m", "script.lib.demo"]


@pytest.fixture
def env(tmp_path: Path, cache: Path) -> dict[str, str]:
    """Variables of a state of its own."""
    variables = {**os.environ, "ORCHESTRA_VAR": str(tmp_path / "var"), "ORCHESTRA_CACHE": str(cache / "downloads")}
    for name in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE"):
        variables.pop(name, None)
    return variables


@contextmanager
def server(env: dict[str, str], ready: Path, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """A server that is ready, and what it says of itself."""
    argv = [*SERVER, "--port", "0", "--ready-file", str(ready), *words]
    process = subprocess.Popen(argv, cwd=ROOT, env=env, stderr=subprocess.PIPE)
    try:
        until(lambda: ready.exists() or process.poll() is not None, what="the server")
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        yield process, json.loads(ready.read_text())
    finally:
        process.terminate()
        process.wait(timeout=60)
        assert process.stderr
        process.stderr.close()


def alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_second_server_of_the_same_state_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    with server(env, tmp_path / "ready") as (process, _):
        second = subprocess.run(
            [*SERVER, "--port", "0"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )
        assert second.returncode == 1
        assert f"process {process.pid}" in second.stderr
        assert "ORCHESTRA_VAR" in second.stderr


def test_a_port_in_use_is_said(env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        argv = [*SERVER, "--port", str(port)]
        result = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert f"Port {port} of 127.0.0.1 is in use" in result.stderr


@pytest.mark.parametrize("victim", ["web", "controller"])
def test_the_death_of_one_process_stops_the_other(env: dict[str, str], tmp_path: Path, victim: str) -> None:
    with server(env, tmp_path / "ready") as (process, told):
        os.kill(told[victim], signal.SIGKILL)
        assert process.wait(timeout=60) == 1
        assert process.stderr
        assert "SIGKILL" in process.stderr.read().decode()
        assert not alive(told["web"])
        assert not alive(told["controller"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_both(env: dict[str, str], tmp_path: Path, number: signal.Signals) -> None:
    with server(env, tmp_path / "ready") as (process, told):
        assert httpx.get(f"{told['url']}/api/v1/ready", trust_env=False).status_code == 200
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
        assert not alive(told["web"])
        assert not alive(told["controller"])


def test_nothing_outlives_a_server_that_is_killed(env: dict[str, str], tmp_path: Path) -> None:
    with server(env, tmp_path / "ready") as (process, told):
        process.kill()
        process.wait()
        until(lambda: not alive(told["web"]) and not alive(told["controller"]), what="the end of both")


def test_the_demonstration_prints_a_catalog_and_ends(env: dict[str, str]) -> None:
    argv = [*DEMO, "--exit", "--port", "0"]
    result = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600, check=False)
    log = Path(env["ORCHESTRA_VAR"], "demo.log")
    assert result.returncode == 0, result.stderr + (log.read_text()[-4000:] if log.exists() else "")
    assert "probability" in result.stdout
    assert "dst_min (nT)" in result.stdout
    assert "2001-03-3" in result.stdout
    assert result.stdout.count("password") == 1
    assert "/tasks/" in result.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_leaves_nothing_running(env: dict[str, str], number: int) -> None:
    nodes = Path(env["ORCHESTRA_VAR"], "workflows")
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([*DEMO, "--port", "0"], cwd=ROOT, env=env, stdout=said, stderr=said)
        try:
            until(lambda: any(nodes.glob("build-*/nodes/*/started")), what="a build's node")
        finally:
            process.send_signal(number)
            code = process.wait(timeout=60)
    started = {path.parent for path in nodes.glob("build-*/nodes/*/started")}
    assert code == 130
    assert started
    assert started == {path.parent for path in nodes.glob("build-*/nodes/*/exit.json")}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ORCHESTRA_VAR", "/proc/none"),
        ("ORCHESTRA_PORT", "abc"),
        ("ORCHESTRA_PORT", "99999"),
        ("ORCHESTRA_WEB_WORKERS", "x"),
        ("ORCHESTRA_CACHE", "/proc/none"),
        ("ORCHESTRA_ENV_FILE", "/proc/none"),
        ("ORCHESTRA_ENGINE", "none.Engine"),
        ("ORCHESTRA_SANDBOX", "none"),
        ("DATABASE_URL", "postgres://user:secret@127.0.0.1:1/name"),
    ],
)
def test_a_setting_that_cannot_be_is_named(env: dict[str, str], variable: str, value: str) -> None:
    argv = SERVER if variable == "ORCHESTRA_PORT" else [*SERVER, "--port", "0"]
    given = env | {variable: value}
    result = subprocess.run(argv, cwd=ROOT, env=given, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode in {1, 2}
    assert variable.removeprefix("ORCHESTRA_").lower() in result.stderr.lower()
    assert "Traceback" not in result.stderr
    assert "secret" not in result.stderr
