"""What the database makes of the ends of builds with the real uv, whichever comes first or is told twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.modules import services, trees
from app.modules.faults import Faulty
from app.modules.images import location
from app.modules.models import Build, BuildState, Environment, Module
from app.modules.services import UnknownImage
from tests.integration.modules.building import passed, registered, run
from tests.integration.modules.conftest import MakeModule

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shared_cache")]


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
