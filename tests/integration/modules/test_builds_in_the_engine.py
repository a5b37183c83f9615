"""schemas/build.yaml as the local engine runs it, in each sandbox that this machine has."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from orchestra_engine.sandbox import choose
from pytest_django.fixtures import Settings

from app.engines.local import LocalEngine
from app.modules import services
from app.modules.images import location
from app.modules.models import Build, Module
from app.modules.services import FolderSource
from app.schemas import services as schemas
from tests.integration.modules.conftest import MakeModule

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["private", "plain"])
def sandbox(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> str:
    """The name of a sandbox that works here; uv's cache is shared by all tests."""
    name = str(request.param)
    try:
        choose(name, tmp_path)
    except RuntimeError as error:
        pytest.skip(str(error))
    settings.SANDBOX = name
    settings.CACHE_DIR = request.config.cache.mkdir("builds")
    return name


def run(build: Build, settings: Settings) -> dict[str, Any]:
    """Run a build to its end and return its Workflow's status, with the log of each node under `logs`."""
    schemas.load_shipped()
    key = f"executions/{build.pk}/1"
    request = Path(settings.REPOSITORY_DIR, key, "request.json")
    request.parent.mkdir(parents=True)
    request.write_text(json.dumps(services.build_request(build)))
    manifest = json.loads(json.dumps(schemas.current("build").manifest))
    name = f"build-{build.pk}-1"
    manifest["metadata"]["name"] = name
    parameters = {one["name"]: one for one in manifest["spec"]["arguments"]["parameters"]}
    parameters["key"]["value"] = key
    engine = LocalEngine(claim=1, images=services.resolve_image)
    try:
        engine.submit(manifest, grants=services.grants(build))
        deadline = time.monotonic() + 120
        while True:
            status = engine.get(name=name).status
            assert status is not None
            if status.get("finishedAt"):
                break
            assert time.monotonic() < deadline, status
            engine.poll(timeout=5)
        logs = {
            node["displayName"]: (engine.read_log(name=name, node_id=node["id"]) or b"").decode()
            for node in status["nodes"].values()
            if node["type"] == "Pod"
        }
    finally:
        engine.close()
    return {**status, "logs": logs}


def report(build: Build, settings: Settings) -> dict[str, Any]:
    path = Path(settings.REPOSITORY_DIR, "executions", str(build.pk), "1", "output", "report.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def phases(status: dict[str, Any]) -> dict[str, str]:
    return {node["displayName"]: node["phase"] for node in status["nodes"].values() if node["displayName"] != "[0]"}


def test_a_build_passes_and_a_second_one_finds_its_environment(
    make_module: MakeModule, settings: Settings, sandbox: str
) -> None:
    install = {"python_version": ">=3.11", "requirements": ["six==1.16.0", "docopt==0.6.2"], "executable": "run"}
    folder = make_module(files={"run.py": "import six, docopt\n"}, install=install)
    [registration] = services.register(FolderSource(folder))
    build = registration.build
    assert build is not None
    status = run(build, settings)
    assert status["phase"] == "Succeeded", status["logs"]
    environment = services.build_passed(build, report=report(build, settings), staging=services.staging(build))
    assert list(location(environment.digest).rglob("__pycache__/six.*.pyc")) != []
    [installed] = location(environment.digest).rglob("site-packages/six.py")
    assert installed.stat().st_nlink > 1

    (folder / "run.py").write_text("import docopt, six\nprint(2)\n")
    [registration] = services.register(FolderSource(folder))
    assert registration.build is not None
    status = run(registration.build, settings)
    assert status["phase"] == "Succeeded", status["logs"]
    assert {name: phase for name, phase in phases(status).items() if name in {"lock", "make", "check"}} == {
        "lock": "Succeeded", "make": "Skipped", "check": "Skipped",
    }  # fmt: skip
    built = registration.build
    same = services.build_passed(built, report=report(built, settings), staging=services.staging(built))
    assert same == environment
    assert Module.objects.get().default == built.version


def test_a_build_that_cannot_resolve_fails_with_uvs_reason(
    make_module: MakeModule, settings: Settings, sandbox: str
) -> None:
    install = {"python_version": ">=3.11", "requirements": ["no-such-package-of-orchestra"], "executable": "run"}
    [registration] = services.register(FolderSource(make_module(install=install)))
    assert registration.build is not None
    status = run(registration.build, settings)
    assert status["phase"] == "Failed"
    assert "no-such-package-of-orchestra" in status["logs"]["lock"]
    assert set(status["logs"]) == {"lock"}
