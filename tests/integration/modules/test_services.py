"""Registering: immutable versions, numbered one by one; nothing stored unless all is right; nothing lost."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from app.modules import services, trees
from app.modules.faults import Faulty
from app.modules.models import Build, BuildState, Immutable, Module, Version
from app.modules.services import FolderSource, GitSource, Registration, Source, UploadSource
from tests import factories
from tests.integration.modules.conftest import METADATA, MakeModule, Repository

pytestmark = pytest.mark.django_db(transaction=True)


def register(source: Source) -> Registration:
    [registration] = services.register(source)
    return registration


def archive(*modules: dict[str, Any]) -> UploadSource:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        for index, metadata in enumerate(modules):
            made.writestr(f"m{index}/metadata.json", json.dumps(METADATA | metadata))
            made.writestr(f"m{index}/run.py", "print('ran')\n")
    data.seek(0)
    return UploadSource(data, "modules.zip")


def test_a_module_from_git_is_a_version_with_a_pending_build(repository: Repository) -> None:
    made = register(GitSource(repository.url, ref="main"))
    assert made.created
    assert made.module.name == "tiny"
    assert made.module.default is None
    version = made.version
    assert (version.number, version.label, version.source_kind) == (1, "1.0.0", "git")
    assert (version.source_url, version.source_ref) == (repository.url, "main")
    assert version.commit == repository.git("rev-parse", "HEAD")
    assert trees.digest(trees.location(version.tree_digest)) == version.tree_digest
    assert made.build is not None
    assert (made.build.version, made.build.state) == (version, BuildState.PENDING)


def test_the_same_content_again_is_the_version_that_is_there(repository: Repository) -> None:
    first = register(GitSource(repository.url))
    second = register(GitSource(repository.url))
    assert not second.created
    assert second.version == first.version
    assert second.build is None
    assert Build.objects.count() == 1


def test_new_content_is_a_new_version_of_the_same_module(repository: Repository) -> None:
    first = register(GitSource(repository.url))
    (repository.path / "run.py").write_text("print('new')\n")
    repository.commit()
    second = register(GitSource(repository.url))
    assert second.created
    assert second.module == first.module
    assert [version.number for version in first.module.versions.all()] == [1, 2]
    first.version.refresh_from_db()
    assert (trees.location(first.version.tree_digest) / "run.py").read_text() == "print('ran')\n"


def test_an_earlier_state_that_comes_again_is_what_runs_again(make_module: MakeModule) -> None:
    folder = make_module()
    first = register(FolderSource(folder))
    (folder / "run.py").write_text("print('new')\n")
    second = register(FolderSource(folder))
    for one in (first, second):
        Version.objects.filter(pk=one.version.pk).update(environment=factories.environment())
    services.set_default(second.version)
    (folder / "run.py").write_text("print('ran')\n")
    again = register(FolderSource(folder))
    assert (again.version, again.created, again.build) == (first.version, False, None)
    assert again.module.default == Module.objects.get().default == first.version


def test_content_whose_build_failed_gets_another_build(make_module: MakeModule) -> None:
    folder = make_module()
    first = register(FolderSource(folder))
    assert first.build is not None
    services.build_failed(first.build, "no network")
    again = register(FolderSource(folder))
    assert not again.created
    assert again.version == first.version
    assert again.build is not None
    assert again.build != first.build


def test_an_archive_registers_all_its_modules_or_none() -> None:
    registrations = services.register(archive({"name": "a"}, {"name": "b"}))
    assert [one.module.name for one in registrations] == ["a", "b"]
    with pytest.raises(Faulty) as caught:
        services.register(archive({"name": "c"}, {"output": {}}, {"name": "c"}))
    assert [fault.path for fault in caught.value.faults] == [
        "m1/output.filename", "m1/output.type", "m2/name",
    ]  # fmt: skip
    assert [module.name for module in Module.objects.all()] == ["a", "b"]


def test_nothing_is_stored_of_a_faulty_module(make_module: MakeModule, settings: Settings) -> None:
    with pytest.raises(Faulty):
        services.register(FolderSource(make_module(install={})))
    assert not Module.objects.exists()
    assert list(settings.TREES_DIR.iterdir()) == []


def test_what_cannot_be_started_is_not_registered(make_module: MakeModule) -> None:
    def fail(build: Build) -> None:
        raise RuntimeError("no queue")

    with pytest.raises(RuntimeError):
        services.register(FolderSource(make_module()), then=fail)
    assert not Module.objects.exists()


def test_odd_names_are_only_names(make_module: MakeModule) -> None:
    name = 'l\'été "2001"; DROP TABLE modules --'
    made = register(FolderSource(make_module(name=name, description="it's <b>bold</b>\n'")))
    assert Module.objects.get(name=name) == made.module
    assert made.version.metadata["description"] == "it's <b>bold</b>\n'"


def test_a_version_never_changes(make_module: MakeModule) -> None:
    version = register(FolderSource(make_module())).version
    for changed in (version, Version.objects.get()):
        changed.metadata["description"] = "other"
        with pytest.raises(Immutable, match="metadata"):
            changed.save()
    version.refresh_from_db()
    version.commit = "0" * 40
    with pytest.raises(Immutable, match="commit"):
        version.save(update_fields=["commit"])
    with pytest.raises(Immutable, match="label"):
        Version.objects.update(label="2")
    version.refresh_from_db()
    version.environment = factories.environment()
    version.save()


def test_versions_registered_at_once_are_numbered_one_by_one(make_module: MakeModule) -> None:
    folders = [make_module(f"f{number}", {"run.py": f"print({number})\n"}) for number in range(6)]
    failures = at_once(*[lambda folder=folder: services.register(FolderSource(folder)) for folder in folders])
    assert failures == []
    assert sorted(Version.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]
    assert Module.objects.count() == 1


def test_the_same_content_registered_at_once_is_one_version(make_module: MakeModule) -> None:
    folder = make_module()
    assert at_once(*[lambda: services.register(FolderSource(folder))] * 4) == []
    assert Version.objects.count() == Build.objects.count() == 1


def at_once(*calls: Callable[[], object]) -> list[Exception]:
    """What went wrong when these were called at the same time."""
    failures: list[Exception] = []
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        try:
            barrier.wait()
            call()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_a_rebuild_fetches_the_recorded_ref_again(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "-b", "stable")
    first = register(GitSource(repository.url, ref="stable"))
    assert first.build is not None
    same = services.rebuild(first.module)
    assert not same.created
    assert same.version == first.version
    assert same.build is not None
    assert same.build.resolve_anew
    (repository.path / "run.py").write_text("print('new')\n")
    repository.commit()
    new = services.rebuild(first.module)
    assert new.created
    assert (new.version.number, new.version.source_ref) == (2, "stable")
    assert new.build is not None
    assert new.build.resolve_anew


def test_a_rebuild_of_an_upload_builds_the_same_version_again() -> None:
    [first] = services.register(archive({}))
    again = services.rebuild(first.module)
    assert again.version == first.version
    assert again.build is not None
    assert again.build != first.build


def test_a_rebuild_whose_source_is_gone_loses_nothing(make_module: MakeModule) -> None:
    folder = make_module()
    first = register(FolderSource(folder))
    (folder / "metadata.json").unlink()
    with pytest.raises(Faulty, match=r"no metadata\.json"):
        services.rebuild(first.module)
    (folder / "metadata.json").write_text(json.dumps(METADATA | {"name": "renamed"}))
    with pytest.raises(Faulty, match="now called 'renamed'"):
        services.rebuild(first.module)
    assert Module.objects.get() == first.module
    assert Build.objects.count() == 1


def test_a_removed_module_keeps_its_versions_and_frees_its_name(make_module: MakeModule) -> None:
    folder = make_module()
    first = register(FolderSource(folder))
    services.remove(first.module)
    assert first.module.removed_at is not None
    assert list(Module.objects.present()) == []
    assert Version.objects.count() == 1
    with pytest.raises(Faulty, match="removed"):
        services.rebuild(first.module)
    second = register(FolderSource(folder))
    assert second.module != first.module
    assert second.created


def test_only_a_built_version_becomes_the_default() -> None:
    module = factories.module()
    unbuilt = factories.version(module, built=False)
    with pytest.raises(Faulty, match="no environment"):
        services.set_default(unbuilt)
    assert Module.objects.get().default == module.default
    built = factories.version(module)
    services.set_default(built)
    assert Module.objects.get().default == built


def test_arguments_are_checked_with_the_versions_schema(make_module: MakeModule) -> None:
    args = [{"name": "threshold", "type": "float", "maximum": 1}]
    made = register(FolderSource(make_module(args=args, hyperparameters=[["depth", "int"]], defaults={"depth": 3})))
    assert services.arguments(made.version, {"threshold": "0.5"}) == {"threshold": 0.5, "depth": 3}
    with pytest.raises(Faulty, match="did you mean threshold"):
        services.arguments(made.version, {"treshold": "0.5"})


def test_an_unknown_image_is_told(tmp_path: Path) -> None:
    for name in ("orchestra/other", "orchestra/module:x", f"orchestra/module:{'0' * 16}-{'0' * 16}", "../x"):
        with pytest.raises(services.UnknownImage):
            services.resolve_image(name)


def test_nobody_takes_the_name_of_a_module_that_runs_with_more_rights(
    make_module: MakeModule, repository: Repository, settings: Settings
) -> None:
    (repository.path / "metadata.json").write_text(json.dumps(METADATA | {"name": "fetch"}))
    repository.commit()
    for source in (
        GitSource(repository.url),
        FolderSource(str(make_module("other", name="fetch"))),
        archive({"name": "fetch"}),
    ):
        with pytest.raises(Faulty, match="ships with Orchestra"):
            services.register(source)
    assert not Module.objects.exists()
    shipped = register(FolderSource(str(settings.BASE_DIR / "modules" / "fetch")))
    assert shipped.module.name == "fetch"
