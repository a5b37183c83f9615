"""Packages that come as source only: what a build resolves them to, and what it takes from where they are built."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from app.modules import services
from app.modules.images import PROGRAMS, location
from tests import packages
from tests.integration.modules.building import install, passed, registered, run
from tests.integration.modules.conftest import MakeModule

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Path]:
    """The folder of a package index, which is the only one there is."""
    folder = tmp_path / "links"
    folder.mkdir()
    settings.CACHE_DIR = tmp_path / "a cache"
    with packages.index(folder) as index:
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
        yield folder


def test_the_newest_release_is_taken_even_if_only_an_older_one_has_a_wheel(
    make_module: MakeModule, links: Path, tmp_path: Path
) -> None:
    packages.wheel(links, "orchestra-mixed", "1.0", {"orchestra_mixed.py": ""})
    packages.sdist(links, "orchestra-mixed", "1.1")
    packages.sdist(links, "orchestra-second", "2.0")
    files = {"run.py": "import orchestra_mixed, orchestra_second\n"}
    needs = install(requirements=["orchestra-mixed", "orchestra-second"])
    ran, environment = passed(registered(make_module(files=files, install=needs)), tmp_path / "node")
    assert ran.steps == ["lock", "resolve", "lock", "sync", "wheels", "sync", "check"]
    assert "orchestra-mixed==1.1" in environment.lock
    assert [path.name for path in location(environment.digest).rglob("orchestra_mixed*.dist-info")] == [
        "orchestra_mixed-1.1.dist-info"
    ]
    assert list(location(environment.digest).rglob("direct_url.json")) == []


def test_what_was_built_once_is_found_again_by_its_lock(make_module: MakeModule, links: Path, tmp_path: Path) -> None:
    packages.sdist(links, "orchestra-source", "1.0")
    needs = install(requirements=["orchestra-source"])
    _, first = passed(registered(make_module(install=needs)), tmp_path / "1")
    again = registered(make_module(install=needs, files={"run.py": "print(2)\n"}))
    ran, second = passed(again, tmp_path / "2")
    assert (ran.steps, second) == (["lock"], first)


def test_a_source_package_may_be_asked_for_where_there_is_a_wheel(
    make_module: MakeModule, links: Path, tmp_path: Path
) -> None:
    packages.wheel(links, "orchestra-both", "1.0", {"orchestra_both.py": "WHEEL = True\n"})
    packages.sdist(links, "orchestra-both", "1.0")
    packages.wheel(links, "orchestra-other", "1.0", {"orchestra_other.py": ""})
    files = {"needs.txt": "--no-binary orchestra-both\norchestra-both\norchestra-other\n"}
    build = registered(make_module(files=files, install=install(requirements="needs.txt")))
    _, environment = passed(build, tmp_path / "node")
    [module] = location(environment.digest).rglob("orchestra_both.py")
    assert "WHEEL" not in module.read_text()


def test_a_package_that_cannot_be_built_fails_the_build_with_its_reason(
    make_module: MakeModule, links: Path, tmp_path: Path
) -> None:
    packages.sdist(links, "orchestra-broken", "1.0", at_wheel="raise OSError('no compiler today')")
    build = registered(make_module(install=install(requirements=["orchestra-broken"])))
    ran = run(build, tmp_path / "node")
    assert (ran.code, ran.steps[-1]) == (1, "wheels")
    assert "no compiler today" in ran.log
    assert "orchestra-build: uv cannot build the packages" in ran.log.splitlines()[-1]


@pytest.mark.parametrize(
    "locked",
    [
        "--index-url https://evil.example/simple\norchestra-source==1.0 \\\n    --hash=sha256:00\n",
        "-e /\n",
        "orchestra-source @ file:///etc \\\n    --hash=sha256:00\n",
        "orchestra-source==1.0\n",
        "orchestra-source==1.0 \\\n    --hash=sha256:00 --config-settings=a\n",
        "",
    ],
)
def test_what_was_resolved_apart_is_taken_only_if_it_is_a_lock(
    make_module: MakeModule, links: Path, tmp_path: Path, locked: str
) -> None:
    packages.sdist(links, "orchestra-source", "1.0")
    build = registered(make_module(install=install(requirements=["orchestra-source"])))
    (tmp_path / "request.json").write_text(json.dumps(services.build_request(build)))
    (tmp_path / "locked").write_text(locked)
    options = ("request.json", "locked", "report", "resolved", "known", "checked")
    words = [word for name in options for word in (f"--{name.partition('.')[0]}", str(tmp_path / name))]
    run = subprocess.run([PROGRAMS / "orchestra-build", "lock", *words], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "is not a lock" in run.stderr


def test_wheels_that_were_made_apart_have_to_be_what_the_lock_names(
    make_module: MakeModule, links: Path, tmp_path: Path
) -> None:
    packages.sdist(links, "orchestra-source", "1.0")
    build = registered(make_module(install=install(requirements=["orchestra-source"])))
    ran = run(build, tmp_path, until="lock")
    assert ran.code == 0, ran.log
    given = tmp_path / "wheels"
    given.mkdir()
    packages.wheel(given, "orchestra-source", "2.0", {"orchestra_source.py": ""})
    (given / "orchestra_source-1.0-py3-none-any.whl").symlink_to("/etc/passwd")
    options = ("wheels", "missing", "complete")
    words = [word for name in options for word in (f"--{name}", str(tmp_path / name))]
    argv = [PROGRAMS / "orchestra-build", "sync", "--report", tmp_path / "report.json", *words]
    path = f"{services.resolve_image('orchestra/builder')['path'][-1]}:{os.environ['PATH']}"
    sync = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path})
    assert sync.returncode == 1
    assert "orchestra-build: uv cannot install" in sync.stderr


def test_a_confined_program_starts_no_other() -> None:
    words = ["/bin/sh", "-c", "echo alive; /bin/true; echo $?"]
    run = subprocess.run([PROGRAMS / "orchestra-confined", *words], capture_output=True, text=True, check=False)
    if "cannot be confined here" in run.stderr:
        pytest.skip(run.stderr)
    assert run.stdout.splitlines()[0] == "alive"
    assert run.stdout.splitlines()[1] != "0"
