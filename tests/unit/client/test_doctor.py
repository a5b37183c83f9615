"""`orchestra doctor`: each finding with what to do, and an exit code for programs."""

from __future__ import annotations

import errno
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from orchestra import doctor
from orchestra.command import app
from orchestra.doctor import State
from typer.testing import CliRunner

from tests.unit.client.stub import Answer, Stub, as_json

NOW = datetime(2001, 3, 28, 12, 0, 0, 500000, tzinfo=UTC)


def http_date(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


def program(folder: Path, name: str, body: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH; a kubeconfig is there."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "config").write_text("")
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    return tmp_path / "tools"


def test_json_lists_every_check_and_whether_all_is_fine() -> None:
    result = CliRunner().invoke(app, ["doctor", "--json"], env={"ORCHESTRA_SERVER": ""})
    answer = json.loads(result.stdout)
    names = [check["name"] for check in answer["checks"]]
    for name in ("Python", "uv", "git", "interpreters", "sandbox", "limits", "disk", "database", "clock", "Argo"):
        assert names.count(name) == 1
    assert answer["ok"] == all(check["state"] != "fail" for check in answer["checks"])
    assert result.exit_code == (0 if answer["ok"] else 1)
    assert all(check["advice"] for check in answer["checks"] if check["state"] != "ok")


def test_a_server_that_does_not_answer_fails_the_whole() -> None:
    result = CliRunner().invoke(app, ["doctor", "--server", "http://127.0.0.1:9"])
    assert result.exit_code == 1
    assert "http://127.0.0.1:9 does not answer" in result.stdout
    assert "script/server" in result.stdout


def test_a_server_tells_of_its_database(stub: Stub) -> None:
    stub.answer = lambda _: as_json(
        {"error": "x", "ready": False, "checks": {"database": {"ok": False, "message": "it is away"}}}, status=503
    )
    found = {check.name: check for check in doctor.of_server(stub.url)}
    assert found["server"].state is State.OK
    assert (found["database"].state, found["database"].found) == (State.FAIL, "it is away")
    assert stub.asked[0].path == "/api/v1/ready"


def test_something_else_at_the_address_is_no_orchestra(stub: Stub) -> None:
    stub.answer = lambda _: Answer(body=b"<html>", headers={"Content-Type": "text/html"})
    assert next(iter(doctor.of_server(stub.url))).state is State.FAIL


@pytest.mark.parametrize(
    ("apart", "state"), [(0, State.OK), (1, State.OK), (-1, State.OK), (60, State.WARN), (-3600, State.WARN)]
)
def test_the_clocks_may_differ_by_what_a_header_can_tell(apart: int, state: State) -> None:
    assert doctor.clock(http_date(NOW + timedelta(seconds=apart)), NOW).state is state


def test_a_server_without_a_usable_date_is_no_crash() -> None:
    assert doctor.clock(None, NOW).state is State.WARN
    assert doctor.clock("yesterday", NOW).state is State.WARN


def test_a_program_that_is_missing_or_broken_is_a_warning_with_advice(tools: Path) -> None:
    assert (doctor.git().state, doctor.git().found) == (State.WARN, "not found on PATH")
    program(tools, "git", "exit 3")
    assert "does not run" in doctor.git().found
    program(tools, "git", "echo git version 9.9")
    assert doctor.git().state is State.OK
    assert doctor.git().found.startswith("git version 9.9")


def test_argo_is_looked_for_with_kubectl(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no kubectl" in doctor.argo().found
    program(tools, "kubectl", "echo customresourcedefinition.apiextensions.k8s.io/workflows.argoproj.io")
    assert doctor.argo().state is State.OK
    program(tools, "kubectl", 'echo "Error from server (NotFound): no such thing" >&2; exit 1')
    assert "has no Argo Workflows" in doctor.argo().found
    program(tools, "kubectl", "echo connection refused >&2; exit 1")
    assert (doctor.argo().state, doctor.argo().found.endswith("connection refused")) == (State.WARN, True)
    monkeypatch.setenv("KUBECONFIG", str(tools / "none"))
    if not os.path.exists("/var/run/secrets/kubernetes.io/serviceaccount/token"):
        assert doctor.argo().found == "no kubeconfig"


def test_the_sandbox_says_what_it_cannot_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestra_engine.sandbox.why_no_private_root", lambda folder: "the kernel forbids it")
    check = doctor.sandbox(tmp_path)
    assert check.state is State.WARN
    assert "the kernel forbids it" in check.found
    assert "absolute paths" in check.advice
    monkeypatch.setattr("orchestra_engine.sandbox.why_no_private_root", lambda folder: "")
    assert doctor.sandbox(tmp_path).state is State.OK


def test_a_disk_without_room_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def usage(free: int) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": free})())

    usage(100 * 2**30)
    assert doctor.disk(tmp_path).state is State.OK
    usage(2**30)
    assert doctor.disk(tmp_path).state is State.WARN
    usage(2**20)
    assert doctor.disk(tmp_path).state is State.FAIL


def test_without_the_engine_the_rest_is_still_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = {check.name: check for check in doctor.examine(None)}
    assert found["local engine"].state is State.WARN
    assert "sandbox" not in found
    assert "disk" in found


@pytest.mark.parametrize(
    "server", ["http://[", "ftp://x", "http://a:99999999", "http://a b", "http://a\x1bb", "http://"]
)
def test_what_is_no_address_is_a_finding_and_no_exception(server: str) -> None:
    (check,) = doctor.of_server(server)
    assert (check.state, check.name) == (State.FAIL, "server")
    assert "is not a server's address" in check.found
    assert check.advice


def test_a_working_folder_that_is_gone_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    monkeypatch.setenv("PWD", str(tmp_path / "gone"))
    (tmp_path / "gone").rmdir()
    result = CliRunner().invoke(app, ["doctor", "--json"], env={"ORCHESTRA_SERVER": ""})
    (disk,) = (check for check in json.loads(result.stdout)["checks"] if check["name"] == "disk")
    assert (result.exit_code, disk["state"], disk["advice"]) == (1, "fail", "Go to another folder.")
    assert "gone" in disk["found"]


def test_a_sandbox_that_cannot_be_tried_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: str = "") -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("orchestra_engine.sandbox.why_no_private_root", full)
    check = doctor.sandbox(tmp_path)
    assert (check.state, check.found) == (State.FAIL, "it cannot be tried: No space left on device")
    assert "TMPDIR" in check.advice


@pytest.mark.parametrize("path", ["", "/nowhere", "\0"])
def test_without_programs_each_lack_says_what_to_do(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere:::")
    if "\0" not in path:
        monkeypatch.setenv("PATH", path)
    for check in doctor.examine(None):
        assert check.advice or check.state is State.OK
