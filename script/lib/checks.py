"""Runs the checks and the tests, tier by tier, and sums them up."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from script.lib import ROOT, postgres

BIN = Path(sys.executable).parent
PYTHON_CODE = ("app", "engine", "client", "modules", "script", "tests", "usage_scripts", "manage.py")
TYPED_CODE = ("engine", "client", "app", "script/lib")
USAGE = """usage: script/test [TIER …] [argument of pytest …]

Runs the checks and tests: {tiers}; all if none is named. Example: script/test unit -k log"""
NOTHING_COLLECTED = 5  # pytest's exit code


@dataclass(kw_only=True)
class Result:
    """What one step came to."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line asks of every tier."""

    pytest: Sequence[str]
    ci: bool


def main() -> int:
    """Run the tiers that are asked for; 0 if nothing failed."""
    words = sys.argv[1:]
    if "-h" in words or "--help" in words:
        print(USAGE.format(tiers=", ".join(TIERS)))
        return 0
    count = next((index for index, word in enumerate(words) if word not in TIERS), len(words))
    asked, rest = words[:count], words[count:]
    ci = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
    options = Options(pytest=[word for word in rest if word != "--"], ci=ci)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    results: list[Result] = []
    for tier in asked or TIERS:
        for result in TIERS[tier](options):
            results.append(result)
    return _sum_up(results)


# --- tiers ---------------------------------------------------------------------------------------------------------
def static(options: Options) -> Iterator[Result]:
    """What needs no test: style, types, layers, and that generated files agree with their sources."""
    manage = [sys.executable, "manage.py"]
    scripts = _scripts("python")
    checks: dict[str, Sequence[str]] = {
        "ruff check": [str(BIN / "ruff"), "check", *PYTHON_CODE, *scripts],
        "ruff format": [str(BIN / "ruff"), "format", "--check", *PYTHON_CODE, *scripts],
        "mypy": [str(BIN / "mypy"), *TYPED_CODE],
        "import-linter": [str(BIN / "lint-imports")],
        "makemigrations": [*manage, "makemigrations", "--check", "--dry-run"],
        "check --deploy": [*manage, "check", "--deploy", "--fail-level", "WARNING"],
        "write_schemas": [*manage, "write_schemas", "--check"],
        "write-argo-types": [sys.executable, "script/write-argo-types", "--check"],
        "write-language-docs": [sys.executable, "script/write-language-docs", "--check"],
    }
    if shutil.which("shellcheck"):
        checks["shellcheck"] = ["shellcheck", ".ci/run", *_scripts("bash"), *_shell_files()]
    with tempfile.TemporaryDirectory(prefix="orchestra-check-") as var:
        for name, argv in checks.items():
            yield _step(name, partial(_check, argv, var=var))


def unit(options: Options) -> Iterator[Result]:
    """Pure code, no database."""
    yield _pytest("unit", ["tests/unit", "-n", "2"], options)


def conformance(options: Options) -> Iterator[Result]:
    """The statuses that were recorded from the real Argo."""
    # By file: the cases run together in one engine, which each worker would start anew.
    result = _pytest("conformance", ["tests/conformance", "-n", "2", "--dist", "loadfile"], options)
    if result.skipped and _has_user_namespaces():
        result.failed += result.skipped
        result.notes.append(f"{result.skipped} recorded cases were skipped though this machine has user namespaces")
        result.skipped = 0
    yield result


def integration(options: Options) -> Iterator[Result]:
    """What touches the database, on SQLite and on PostgreSQL."""
    tests = ["tests/integration", "-n", "2"]
    yield _pytest("integration, SQLite", tests, options, env={"DATABASE_URL": ""})
    with _postgres("integration, PostgreSQL", options) as (url, refused):
        yield refused or _pytest("integration, PostgreSQL", tests, options, env={"DATABASE_URL": url})


def acceptance(options: Options) -> Iterator[Result]:
    """Real processes and HTTP; the main job also in the plain sandbox and on PostgreSQL.

    Where there are user namespaces a private root is asked for by name, so that none of it runs in plain unnoticed.
    """
    tests, main_job = ["tests/acceptance"], ["tests/acceptance", "-m", "main_job"]
    sandbox = "private" if _has_user_namespaces() else "auto"
    name = "acceptance, private root" if sandbox == "private" else "acceptance, no user namespaces here"
    yield _pytest(name, tests, options, env={"DATABASE_URL": "", "ORCHESTRA_SANDBOX": sandbox})
    plain = {"DATABASE_URL": "", "ORCHESTRA_SANDBOX": "plain"}
    yield _pytest("acceptance of the main job, plain sandbox", main_job, options, env=plain)
    name = "acceptance of the main job, PostgreSQL"
    with _postgres(name, options) as (url, refused):
        yield refused or _pytest(name, main_job, options, env={"DATABASE_URL": url, "ORCHESTRA_SANDBOX": sandbox})


TIERS: dict[str, Callable[[Options], Iterator[Result]]] = {
    "static": static,
    "unit": unit,
    "conformance": conformance,
    "integration": integration,
    "acceptance": acceptance,
}


# --- within --------------------------------------------------------------------------------------------------------
def _step(name: str, work: Callable[[], Result]) -> Result:
    print(f"\n=== {name} " + "=" * max(1, 100 - len(name)), flush=True)
    began = time.monotonic()
    result = work()
    result.name, result.seconds = name, time.monotonic() - began
    return result


def _check(argv: Sequence[str], *, var: str) -> Result:
    env = {**os.environ, "ORCHESTRA_VAR": var}
    env.pop("DATABASE_URL", None)
    code = subprocess.call(argv, cwd=ROOT, env=env)
    return Result(name="", passed=int(code == 0), failed=int(code != 0))


def _pytest(name: str, arguments: Sequence[str], options: Options, *, env: dict[str, str] | None = None) -> Result:
    return _step(name, lambda: _run_pytest(arguments, options, env=env or {}))


def _run_pytest(arguments: Sequence[str], options: Options, *, env: dict[str, str]) -> Result:
    """Run pytest and read its counts from the report that it writes for programs."""
    with tempfile.TemporaryDirectory(prefix="orchestra-test-") as folder:
        report = Path(folder) / "report.xml"
        variables = {**os.environ, "ORCHESTRA_VAR": str(Path(folder) / "var"), **env}
        variables = {key: value for key, value in variables.items() if value or key not in env}
        argv = [sys.executable, "-m", "pytest", *arguments, "-q", f"--junitxml={report}", *options.pytest]
        code = subprocess.call(argv, cwd=ROOT, env=variables)
        result = _counts(report)
    if code == NOTHING_COLLECTED and options.pytest:
        result.notes.append("no test matches")
    elif code != 0 and not result.failed:
        result.failed += 1
        result.notes.append(f"pytest ended with code {code}")
    return result


def _counts(report: Path) -> Result:
    result = Result(name="")
    if not report.exists():
        return result
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):  # noqa: S314  (pytest wrote it just now)
        count = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
        result.failed += count["failures"] + count["errors"]
        result.skipped += count["skipped"]
        result.passed += count["tests"] - count["failures"] - count["errors"] - count["skipped"]
    return result


@contextlib.contextmanager
def _postgres(name: str, options: Options) -> Iterator[tuple[str, Result | None]]:
    """A database's URL; or, where there is no PostgreSQL, the result that says so: a failure in CI."""
    try:
        postgres.programs()
    except postgres.Missing as missing:
        failed = int(options.ci)
        yield "", Result(name=name, failed=failed, skipped=1 - failed, notes=[str(missing)])
        return
    with postgres.server() as url:
        yield url, None


def _has_user_namespaces() -> bool:
    unshare = shutil.which("unshare")
    argv = [unshare or "unshare", "--user", "--map-root-user", "true"]
    return unshare is not None and subprocess.call(argv, stderr=subprocess.DEVNULL) == 0


def _scripts(language: str) -> list[str]:
    """The programs in script/ that are written in this language."""
    files = sorted(path for path in (ROOT / "script").iterdir() if path.is_file() and not path.suffix)
    return [str(path.relative_to(ROOT)) for path in files if language in path.read_text().split("\n", 1)[0]]


def _shell_files() -> list[str]:
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / "usage_scripts").glob("*.sh"))]


def _sum_up(results: Sequence[Result]) -> int:
    print("\n=== summary " + "=" * 93)
    for result in results:
        verdict = "FAILED" if result.failed else "passed"
        counts = f"{result.passed:>5} passed {result.failed:>4} failed {result.skipped:>4} skipped"
        print(f"{verdict}  {result.name:<45} {counts}  {result.seconds:7.1f} s")
        for note in result.notes:
            print(f"        {note}")
    failed = sum(result.failed for result in results)
    skipped = sum(result.skipped for result in results)
    print(f"\n{sum(result.passed for result in results)} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
