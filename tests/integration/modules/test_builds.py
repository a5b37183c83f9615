"""Builds with the real uv: the steps of `orchestra-build` as processes, and what comes out of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from app.modules import services, trees
from app.modules.images import location
from app.modules.models import BuildState, Environment, Module
from app.modules.services import UnknownImage
from tests.integration.modules.building import install, passed, registered, run
from tests.integration.modules.conftest import MakeModule

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shared_cache")]


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
