"""Reading the log of a node whose program does what it can to prevent that."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from app.artifacts import repository
from app.engines.local import LocalEngine, LocalReader


@pytest.fixture
def log(settings: Settings) -> Path:
    """The log of node n of workflow w, with a line in it."""
    path = Path(settings.WORKFLOWS_DIR, "w", "nodes", "n", "log")
    path.parent.mkdir(parents=True)
    path.write_text("line\n")
    return path


def test_a_log_is_read_though_its_program_took_the_right_away(log: Path) -> None:
    log.chmod(0)
    assert LocalReader().read_log(name="w", node_id="n") == b"line\n"


def test_a_lease_on_a_log_holds_no_reader_up(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError:
        pytest.skip("this file system has no leases")
    else:
        # the kernel tells the holder by SIGIO, which would end this process
        before = signal.signal(signal.SIGIO, signal.SIG_IGN)
        assert LocalReader().read_log(name="w", node_id="n") == b""
        signal.signal(signal.SIGIO, before)
    finally:
        os.close(descriptor)


def test_a_log_that_became_a_pipe_or_a_link_is_not_followed(log: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    log.unlink()
    log.symlink_to(tmp_path / "secret")
    assert LocalReader().read_log(name="w", node_id="n") is None
    log.unlink()
    os.mkfifo(log)
    assert LocalReader().read_log(name="w", node_id="n") is None


def test_there_is_nothing_behind_the_end_of_a_log_however_far(log: Path) -> None:
    assert LocalReader().read_log(name="w", node_id="n", offset=10**18) == b""
    repository.write("logs/1", b"line\n")
    assert repository.read("logs/1", offset=10**18) == b""


def test_a_node_cannot_fill_the_disk_with_a_file_or_a_log_without_end(settings: Settings, tmp_path: Path) -> None:
    settings.OUTPUT_MAX_BYTES = 10 * 2**20
    settings.SANDBOX = "plain"
    engine = LocalEngine.open(claim=1, images=dict[str, dict[str, object]]().__getitem__)
    script = "set -e; yes no end"
    template = {"name": "main", "container": {"image": "busybox", "command": ["sh", "-c", script]}}
    engine.submit(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": "w"},
            "spec": {"entrypoint": "main", "templates": [template]},
        }
    )
    try:
        while (status := engine.get(name="w").status or {}).get("phase") not in ("Succeeded", "Failed", "Error"):
            engine.poll(timeout=1)
    finally:
        engine.close()
    assert status["phase"] == "Failed"
    assert "limit of 10 MiB for a file exceeded" in status["message"]
    assert Path(settings.WORKFLOWS_DIR, "w", "nodes", "w", "log").stat().st_size == 10 * 2**20
