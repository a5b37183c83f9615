"""Builds with the real uv: the steps of `orchestra-build` as processes, and what the database makes of their ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from app.modules import interpreters, services, trees
from app.modules.faults import Faulty
from app.modules.images import PROGRAMS, location
from app.modules.interpreters import uv_program
from app.modules.models import Build, BuildState, Environment, Module
from app.modules.services import FolderSource, NoInterpreter, UnknownImage
from tests.integration.modules.conftest import MakeModule

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def shared_cache(settings: Settings, request: pytest.FixtureRequest) -> None:
    """uv's cache outlives the tests: packages come from the registry once."""
    settings.CACHE_DIR = request.config.cache.mkdir("builds")


@dataclass
class Ran:
    """What the nodes of a build did."""

    code: int
    log: str
    steps: list[str]
    report: dict[str, Any]


# The options of each step, which all name a file or folder of that name, and what its grant is called.
STEPS = {
    "lock": ("build", ("request", "locked", "report", "resolved", "known", "checked")),
    "resolve": ("build-apart", ("request", "locked")),
    "sync": ("build", ("report", "wheels", "missing", "complete")),
    "wheels": ("build-apart", ("report", "missing", "wheels")),
    "check": ("build-check", ("report",)),
}


def run(build: Build, folder: Path, *, until: str = "check") -> Ran:
    """The nodes of schemas/build.yaml one after the other, with what their grants give them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "request.json").write_text(json.dumps(services.build_request(build)))
    ran = Ran(0, "", [], {})
    grants = services.grants(build)
    path = os.pathsep.join(map(str, (PROGRAMS, Path(sys.base_prefix) / "bin", uv_program().parent, "/usr/bin", "/bin")))

    def step(name: str) -> None:
        if ran.code:
            return
        ran.steps.append(name)
        grant, options = STEPS[name]
        words = [word for option in options for word in (f"--{option}", str(file(option)))]
        environment = {"PATH": path, "HOME": str(folder), **(grants[grant].env or {})}
        command = [PROGRAMS / "orchestra-build", name, *words]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        ran.code, ran.log = done.returncode, ran.log + done.stdout + done.stderr

    def file(option: str) -> Path:
        return folder / {"request": "request.json", "report": "report.json"}.get(option, option)

    def said(option: str) -> bool:
        return not ran.code and json.loads(file(option).read_text()) is False

    step("lock")
    if said("resolved"):
        step("resolve")
        step("lock")
    if until != "lock" and said("known"):
        step("sync")
        if said("complete"):
            step("wheels")
            step("sync")
    if until == "check" and said("checked"):
        step("check")
    ran.report = json.loads(file("report").read_text()) if file("report").exists() else {}
    return ran


def passed(build: Build, folder: Path) -> tuple[Ran, Environment]:
    """A build that went well."""
    ran = run(build, folder)
    assert ran.code == 0, ran.log
    return ran, services.build_passed(build, report=ran.report, staging=services.staging(build))


def registered(folder: Path) -> Build:
    """The new build of a folder's module."""
    [registration] = services.register(FolderSource(folder))
    assert registration.build is not None
    return registration.build


def install(**values: Any) -> dict[str, Any]:
    return {"python_version": ">=3.11", "requirements": [], "executable": "run"} | values


def test_a_build_makes_an_environment_in_which_the_module_runs(make_module: MakeModule, tmp_path: Path) -> None:
    files = {
        "run.py": "import six\nfrom helper import twice\nprint(six.__version__, twice(2))\n",
        "helper.py": "def twice(x):\n    return 2 * x\n",
    }
    build = registered(make_module(files=files, install=install(requirements=["six==1.16.0"])))
    ran, environment = passed(build, tmp_path / "node")
    assert ran.steps == ["lock", "sync", "check"]
    assert "six==1.16.0" in environment.lock
    assert "--hash=sha256:" in environment.lock
    assert environment.imports == ["six"]
    version = build.version
    assert version.environment == environment
    assert version.module.default_id is None or Module.objects.get().default == version
    assert not services.staging(build).exists()
    image = services.resolve_image(services.image(version))
    said = subprocess.run(
        [image["path"][0] / "python", trees.location(version.tree_digest) / "run.py"],
        capture_output=True, text=True, check=True, env={"PATH": "/usr/bin", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert said.stdout == "1.16.0 4\n"
    assert list(location(environment.digest).rglob("__pycache__/six.*.pyc")) != []
    compiled = Path(image["env"]["ORCHESTRA_BYTECODE"])
    assert [path.name.split(".")[0] for path in compiled.rglob("*.pyc")] == ["helper"]


def test_a_known_lock_needs_one_node_and_a_new_import_two(make_module: MakeModule, tmp_path: Path) -> None:
    needs = install(requirements=["six==1.16.0"])
    folder = make_module(files={"run.py": "import six\n"}, install=needs)
    _, first = passed(registered(folder), tmp_path / "1")
    (folder / "run.py").write_text("import six, json\nprint(1)\n")
    ran, second = passed(registered(folder), tmp_path / "2")
    assert ran.steps == ["lock"]
    assert "that of an earlier build" in ran.log
    assert first == second
    (folder / "run.py").write_text("from six.moves import urllib\n")
    ran, third = passed(registered(folder), tmp_path / "3")
    assert ran.steps == ["lock", "check"]
    assert third.imports == ["six", "six.moves:urllib"]
    assert Environment.objects.count() == 1


def test_a_rebuild_resolves_anew_and_finds_the_same_environment(make_module: MakeModule, tmp_path: Path) -> None:
    build = registered(make_module(files={"run.py": "import six\n"}, install=install(requirements=["six==1.16.0"])))
    _, first = passed(build, tmp_path / "1")
    inode = location(first.digest).stat().st_ino
    again = services.rebuild(build.version.module)
    assert again.build is not None
    assert not again.created
    ran, second = passed(again.build, tmp_path / "2")
    assert "resolving" in ran.log
    assert ran.steps == ["lock"]
    assert first == second
    assert location(second.digest).stat().st_ino == inode


def test_modules_without_requirements_share_one_environment(make_module: MakeModule, tmp_path: Path) -> None:
    _, first = passed(registered(make_module("a", name="a")), tmp_path / "1")
    ran, second = passed(registered(make_module("b", name="b")), tmp_path / "2")
    assert ran.steps == ["lock"]
    assert first == second


def test_two_builds_of_one_lock_at_once_make_one_environment(make_module: MakeModule, tmp_path: Path) -> None:
    builds = [registered(make_module(name, name=name)) for name in "ab"]
    ran = [run(build, tmp_path / "node" / str(build.pk)) for build in builds]
    assert [one.steps for one in ran] == [["lock", "sync"]] * 2
    made = {
        services.build_passed(build, report=one.report, staging=services.staging(build)).pk
        for build, one in zip(builds, ran, strict=True)
    }
    assert len(made) == 1
    assert [path.name for path in location("x").parent.iterdir()] == [Environment.objects.get().digest]


WHEEL = "sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"  # of six 1.16.0


def test_the_authors_own_hashes_are_the_only_ones(make_module: MakeModule, tmp_path: Path) -> None:
    older = f"six==1.15.0 ; python_version < '3' --hash=sha256:{'1' * 64}"
    needs = [f"Six==1.16.0 --hash={WHEEL} --hash=sha256:{'0' * 64}", older, "docopt==0.6.2"]
    build = registered(make_module(files={"run.py": "import six\n"}, install=install(requirements=needs)))
    _, environment = passed(build, tmp_path / "node")
    assert environment.lock.startswith("docopt==0.6.2 \\\n    --hash=")
    assert environment.lock.endswith(f"six==1.16.0 \\\n    --hash={WHEEL}\n")


def test_a_package_with_another_hash_than_the_authors_fails_the_build(make_module: MakeModule, tmp_path: Path) -> None:
    needs = [f"six==1.16.0 --hash=sha256:{'0' * 64}"]
    ran = run(registered(make_module(install=install(requirements=needs))), tmp_path / "node")
    assert ran.code == 1
    assert "six==1.16.0 has none of the hashes that the requirements name" in ran.log


def test_a_package_with_its_own_set_up_code_is_built_in_the_node(make_module: MakeModule, tmp_path: Path) -> None:
    build = registered(
        make_module(files={"run.py": "import docopt\n"}, install=install(requirements=["docopt==0.6.2"]))
    )
    _, environment = passed(build, tmp_path / "node")
    assert environment.imports == ["docopt"]


@pytest.mark.parametrize(
    ("requirements", "source", "words"),
    [
        (["no-such-package-of-orchestra==1"], "", "uv cannot resolve"),
        (["six<1", "six>1"], "", "uv cannot resolve the requirements: No solution found when resolving"),
        ([], "import six\n", "ModuleNotFoundError: No module named 'six'"),
        ([], "import six\n", "is it missing in install.requirements?"),
        (["six==1.16.0"], "from six import nothing\n", "No module named 'six.nothing'"),
        ([], "def f(:\n", "run.py, line 1"),
        ([], "a\0b", "run.py"),
    ],
)
def test_a_build_that_cannot_work_fails_and_says_why(
    make_module: MakeModule, tmp_path: Path, requirements: list[str], source: str, words: str
) -> None:
    build = registered(make_module(files={"run.py": source}, install=install(requirements=requirements)))
    ran = run(build, tmp_path / "node")
    assert ran.code != 0
    assert words in ran.log
    services.build_failed(build, "exit code 1")
    assert build.state == BuildState.FAILED
    assert build.version.environment is None
    assert Module.objects.get().default is None
    with pytest.raises(UnknownImage):
        services.image(build.version)


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import absent_package\nexcept ImportError:\n    pass\n",
        "def f():\n    import absent_package\n",
        "import typing\nif typing.TYPE_CHECKING:\n    from absent_package import x\n",
        "from __future__ import annotations\nimport os.path, __main__\n",
        "import package\n",
    ],
)
def test_what_a_module_may_do_without_does_not_fail_its_build(
    make_module: MakeModule, tmp_path: Path, source: str
) -> None:
    files = {
        "run.py": source,
        "package/__init__.py": "",
        "package/part.py": "import absent_package\n",
        "broken.py": "def f(:\n",
    }
    passed(registered(make_module(files=files)), tmp_path / "node")


def test_the_module_itself_is_never_run(make_module: MakeModule, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    source = f"import argparse\nopen({str(mark)!r}, 'w')\nargparse.ArgumentParser().parse_args(['--unknown'])\n"
    passed(registered(make_module(files={"run.py": source, "helper.py": source})), tmp_path / "node")
    assert not mark.exists()


def test_a_failed_build_keeps_the_version_in_use(make_module: MakeModule, tmp_path: Path) -> None:
    folder = make_module()
    first = registered(folder)
    passed(first, tmp_path / "1")
    (folder / "run.py").write_text("import absent_package\n")
    registration = services.rebuild(first.version.module)
    assert registration.build is not None
    assert registration.created
    assert Module.objects.get().default == first.version
    assert run(registration.build, tmp_path / "2").code == 1
    services.build_failed(registration.build, "exit code 1")
    module = Module.objects.get()
    assert module.default == first.version
    assert module.default.environment is not None
    assert services.image(module.default)


def test_a_later_build_wins_whichever_ends_first(make_module: MakeModule, tmp_path: Path) -> None:
    folder = make_module()
    first = registered(folder)
    (folder / "run.py").write_text("print(2)\n")
    second = registered(folder)
    passed(second, tmp_path / "2")
    passed(first, tmp_path / "1")
    assert Module.objects.get().default == second.version
    assert first.version.environment is not None


def test_an_end_told_twice_changes_nothing(make_module: MakeModule, tmp_path: Path) -> None:
    build = registered(make_module())
    ran, environment = passed(build, tmp_path / "node")
    finished = build.finished_at
    assert services.build_passed(build, report=ran.report, staging=services.staging(build)) == environment
    services.build_failed(build, "late")
    services.build_cancelled(build)
    build.refresh_from_db()
    assert (build.state, build.message, build.finished_at) == (BuildState.PASSED, "", finished)


def test_another_attempt_makes_a_failed_build_pending(make_module: MakeModule, tmp_path: Path) -> None:
    build = registered(make_module())
    run(build, tmp_path / "1", until="sync")
    services.build_failed(build, "killed")
    assert not services.staging(build).exists()
    services.build_retried(build)
    assert (build.state, build.message, build.finished_at) == (BuildState.PENDING, "", None)
    passed(build, tmp_path / "2")
    assert build.state == BuildState.PASSED


@pytest.mark.parametrize(
    "change", [{"lock": "six==1"}, {"digest": "0" * 64}, {"lock": None}, {"imports": [1]}, {"imports": "six"}]
)
def test_a_report_is_not_believed(make_module: MakeModule, tmp_path: Path, change: Mapping[str, Any]) -> None:
    build = registered(make_module())
    ran = run(build, tmp_path / "node")
    with pytest.raises(Faulty, match="report"):
        services.build_passed(build, report=ran.report | change, staging=services.staging(build))
    with pytest.raises(Faulty, match="report"):
        services.build_passed(build, report=[], staging=services.staging(build))  # type: ignore[arg-type]
    assert Build.objects.get().state == BuildState.PENDING
    assert not Environment.objects.exists()


def test_an_environment_that_is_missing_is_not_taken(make_module: MakeModule, tmp_path: Path) -> None:
    build = registered(make_module())
    ran = run(build, tmp_path / "node", until="lock")
    with pytest.raises(Faulty, match="left no environment"):
        services.build_passed(build, report=ran.report, staging=services.staging(build))


def test_an_environment_that_was_deleted_is_made_again(make_module: MakeModule, tmp_path: Path) -> None:
    build = registered(make_module())
    _, environment = passed(build, tmp_path / "1")
    trees.discard(location(environment.digest))
    with pytest.raises(UnknownImage, match="is gone; rebuild"):
        services.resolve_image(services.image(build.version))
    again = services.rebuild(build.version.module).build
    assert again is not None
    ran, _ = passed(again, tmp_path / "2")
    assert ran.steps == ["lock", "sync"]
    assert services.resolve_image(services.image(build.version))


def test_no_interpreter_that_fits_fails_the_build_with_those_there_are(make_module: MakeModule) -> None:
    build = registered(make_module(install=install(python_version="2.7")))
    with pytest.raises(NoInterpreter) as caught:
        services.build_request(build)
    assert "no Python on this machine is 2.7; there is " in str(caught.value)
    assert sys.version.split()[0] in str(caught.value)


def test_a_python_that_could_be_installed_is_named_and_one_that_is_no_release_is_not(
    make_module: MakeModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreters, "_installed", list)
    wanted = f">=3.8,!={sys.version_info.major}.{sys.version_info.minor}.*"
    with pytest.raises(
        NoInterpreter, match=r"Install one that fits \(uv python install 3\.\d+\), or change python_ver"
    ):
        interpreters.find(wanted)
    for version in ("3.99", "2.7", "==3.11.999"):
        with pytest.raises(NoInterpreter, match=r"No release of Python that Orchestra can use .* is that: change pyth"):
            interpreters.find(version)


@pytest.mark.parametrize(
    "asked", [">=3.11", f"{sys.version_info.major}.{sys.version_info.minor}", sys.version.split()[0]]
)
def test_orchestras_own_interpreter_is_taken_where_it_fits(asked: str) -> None:
    found = interpreters.find(asked)
    assert found.version == sys.version.split()[0]
    assert found.base_prefix == sys.base_prefix


def test_another_minor_is_found_and_used(make_module: MakeModule, tmp_path: Path) -> None:
    try:
        other = interpreters.find(f">=3.8,!={sys.version_info.major}.{sys.version_info.minor}.*")
    except NoInterpreter:
        pytest.skip("this machine has no other Python")
    minor = other.version.rpartition(".")[0]
    needs = install(python_version=minor, requirements=["six==1.16.0"])
    build = registered(make_module(files={"run.py": "import six, helper\n", "helper.py": ""}, install=needs))
    _, environment = passed(build, tmp_path / "node")
    assert environment.python_version == other.version
    image = services.resolve_image(services.image(build.version))
    assert Path(other.base_prefix) in image["readonly"]
    python = image["path"][0] / "python"
    assert python.readlink() == Path(other.path)
    command = [python, "-c", "import platform, six; print(platform.python_version())"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin"})
    assert said.stdout.strip() == other.version
    assert list(Path(image["env"]["ORCHESTRA_BYTECODE"]).rglob(f"helper.{other.cache_tag}.pyc")) != []


def test_only_the_named_variables_reach_a_build(
    make_module: MakeModule, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("UV_INDEX_URL", "https://packages.example.org/simple")
    settings.BUILD_ENVIRONMENT = ["UV_INDEX_URL", "ABSENT"]
    grant = services.grants(registered(make_module()))["build"]
    assert grant.env == {"UV_INDEX_URL": "https://packages.example.org/simple"}


def test_hard_links_join_the_cache_and_the_environment(make_module: MakeModule, tmp_path: Path) -> None:
    build = registered(make_module(files={"run.py": "import six\n"}, install=install(requirements=["six==1.16.0"])))
    run(build, tmp_path / "node")
    [installed] = services.staging(build).rglob("site-packages/six.py")
    assert installed.stat().st_nlink > 1
    grant = services.grants(build)["build"]
    [shared] = grant.writable
    assert services.staging(build).is_relative_to(shared)
