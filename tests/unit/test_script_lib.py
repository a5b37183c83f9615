"""The parts of the programs in script/ that can be held to something without starting anything."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

from script.lib import ROOT, checks, demo, server

LOCKS = [path.with_suffix(".txt") for path in (*ROOT.glob("requirements*.in"), *ROOT.glob("modules/*/requirements.in"))]


def test_counts_are_those_of_the_report(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="9" failures="2" errors="1" skipped="3"/></testsuites>')
    result = checks._counts(report)
    assert (result.passed, result.failed, result.skipped) == (3, 3, 3)


def test_no_report_is_no_success(tmp_path: Path) -> None:
    result = checks._counts(tmp_path / "none.xml")
    assert (result.passed, result.failed) == (0, 0)


@pytest.mark.parametrize(("failed", "code"), [(0, 0), (1, 1)])
def test_the_last_line_sums_up_and_the_code_tells_failure(
    capsys: pytest.CaptureFixture[str], failed: int, code: int
) -> None:
    results = [checks.Result(name="a", passed=3), checks.Result(name="b", passed=1, failed=failed, skipped=2)]
    assert checks._sum_up(results) == code
    assert capsys.readouterr().out.splitlines()[-1] == f"4 passed, {failed} failed, 2 skipped"


def test_a_run_of_pytest_that_breaks_is_a_failure(tmp_path: Path) -> None:
    options = checks.Options(pytest=["--no-such-option-of-pytest"], ci=False)
    assert checks._run_pytest(["tests/unit/test_script_lib.py"], options, env={}).failed == 1


def test_missing_postgresql_fails_in_ci_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise checks.postgres.Missing("not here")

    monkeypatch.setattr(checks.postgres, "programs", missing)
    for ci in (True, False):
        with checks._postgres("x", checks.Options(pytest=[], ci=ci)) as (_, result):
            assert result is not None
            assert (result.failed, result.skipped) == (int(ci), int(not ci))


@pytest.mark.parametrize("namespaces", [True, False])
def test_the_main_job_runs_in_both_sandboxes_where_there_are_two(
    monkeypatch: pytest.MonkeyPatch, namespaces: bool
) -> None:
    asked: list[tuple[bool, str]] = []

    def record(name: str, arguments: list[str], options: checks.Options, *, env: dict[str, str]) -> checks.Result:
        asked.append(("main_job" in arguments, env["ORCHESTRA_SANDBOX"]))
        return checks.Result(name=name)

    def missing() -> Path:
        raise checks.postgres.Missing("not here")

    monkeypatch.setattr(checks, "_pytest", record)
    monkeypatch.setattr(checks, "_has_user_namespaces", lambda: namespaces)
    monkeypatch.setattr(checks.postgres, "programs", missing)
    list(checks.acceptance(checks.Options(pytest=[], ci=False)))
    assert asked == [(False, "private" if namespaces else "auto"), (True, "plain")]


@pytest.mark.parametrize(("skipped", "namespaces", "failed"), [(2, True, 2), (2, False, 0), (0, True, 0)])
def test_a_recorded_case_that_is_skipped_for_no_reason_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, skipped: int, namespaces: bool, failed: int
) -> None:
    monkeypatch.setattr(checks, "_pytest", lambda *_: checks.Result(name="conformance", passed=9, skipped=skipped))
    monkeypatch.setattr(checks, "_has_user_namespaces", lambda: namespaces)
    (result,) = checks.conformance(checks.Options(pytest=[], ci=False))
    assert result.failed == failed


def test_one_state_has_one_server(tmp_path: Path) -> None:
    held = server.lock(tmp_path)
    with pytest.raises(server.Refusal, match="ORCHESTRA_VAR"):
        server.lock(tmp_path)
    held.close()
    server.lock(tmp_path).close()


def test_a_port_in_use_is_refused_and_a_free_one_is_found() -> None:
    with server.listen(0) as taken, pytest.raises(server.Refusal, match="is in use"):
        server.listen(taken.getsockname()[1])


class Modules:
    """A server with modules of these statuses, whose builds have all ended badly unless they are installed."""

    def __init__(self, **statuses: str) -> None:
        self._statuses = statuses

    def check(self) -> None:
        pass

    def modules(self) -> list[dict[str, Any]]:
        build = {"state": "FAILED", "execution": 1}
        return [{"name": name, "status": status, "build": build} for name, status in self._statuses.items()]

    def execution(self, number: int) -> dict[str, Any]:
        return {"id": number, "state": "FAILED", "message": "", "nodes": [], "outputs": []}


def test_the_demonstration_does_not_wait_for_modules_of_the_users_own() -> None:
    there: Any = Modules(fetch="installed", storms="installed", mine="error")
    said: list[str] = []
    demo.wait_for_builds(there, there, said.append)
    assert said == ["fetch installed, storms installed"]


@pytest.mark.parametrize(
    ("url", "command"),
    [
        ("http://127.0.0.1:8000", " .venv/bin/orchestra show storms"),
        ("http://127.0.0.1:4711", " ORCHESTRA_SERVER=http://127.0.0.1:4711 .venv/bin/orchestra show storms"),
    ],
)
def test_the_demonstration_names_the_server_that_the_command_has_to_ask(
    capsys: pytest.CaptureFixture[str], url: str, command: str
) -> None:
    demo._where_to_look("Where to look", url, 3, "user operator")
    told = capsys.readouterr().out
    assert f"{url}/tasks/3/output" in told
    assert told.rstrip().endswith(command)


def test_an_old_python_can_read_what_script_environment_says_to_it() -> None:
    source = (ROOT / "script" / "environment").read_text()
    compile(source, "script/environment", "exec", flags=0, dont_inherit=True)
    assert not re.search(r":=|\bmatch \w+:|^from __future__ import annotations|-> ", source, re.MULTILINE)


def test_what_another_caller_installs_for_development_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = SourceFileLoader("environment", str(ROOT / "script" / "environment"))
    environment: Any = module_from_spec(spec_from_loader("environment", script) or pytest.fail("no script"))
    script.exec_module(environment)
    installed: list[list[str]] = []

    @contextlib.contextmanager
    def after_another() -> Iterator[None]:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "python").symlink_to(sys.executable)
        (tmp_path / "bin" / "pytest").touch()
        yield

    monkeypatch.setattr(sys, "argv", ["script/environment", "--no-dev"])
    monkeypatch.setattr(environment, "VENV", tmp_path)
    monkeypatch.setattr(environment, "PYTHON", tmp_path / "bin" / "python")
    monkeypatch.setattr(environment, "alone", after_another)
    monkeypatch.setattr(environment, "install", lambda locks: installed.append([path.name for path in locks]))
    environment.main()
    assert installed == [["requirements.txt", "requirements-dev.txt"]]


def test_the_locks_name_no_host_and_pin_everything_with_hashes() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert not re.search(r"(https?|file)://|^--", text, re.MULTILINE)
        for requirement in re.split(r"\n(?=[a-zA-Z0-9])", re.sub(r"(?m)^\s*#.*\n?", "", text)):
            assert re.match(r"[A-Za-z0-9._-]+==\S+", requirement), requirement
            assert "--hash=sha256:" in requirement, requirement


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_direct_requirement_is_locked(lock: Path) -> None:
    locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(), re.MULTILINE))
    for line in lock.with_suffix(".in").read_text().splitlines():
        if line and not line.startswith(("#", "-")):
            name = re.split(r"[<>=\[; ]", line)[0].lower().replace("_", "-")
            assert name in locked, f"{name} is not in {lock}; run script/lock"


@pytest.mark.parametrize("module", ["fetch", "storms"])
def test_what_a_shipped_module_installs_does_not_float(module: str) -> None:
    metadata = json.loads((ROOT / "modules" / module / "metadata.json").read_text())
    assert metadata["install"]["requirements"] == "requirements.txt"
    lines = (ROOT / "modules" / module / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not re.match(r"\s*#|[a-z0-9-]+==[\w.]+( ; .*)?$", line)] == []


def test_help_needs_no_server() -> None:
    for name in ("script.lib.server", "script.lib.demo", "script.lib.checks", "tests.benchmarks"):
        argv = [sys.executable, "-m", name, "--help"]
        result = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
        assert "usage: script/" in result.stdout
