"""Which interpreter a build takes, and what is said if there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.modules import interpreters, services
from app.modules.services import NoInterpreter
from tests.integration.modules.building import install, passed, registered
from tests.integration.modules.conftest import MakeModule

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shared_cache")]


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
