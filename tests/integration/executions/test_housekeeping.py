"""Housekeeping: what nothing needs leaves the disk; what a run or a build may need stays, whenever that starts."""

from __future__ import annotations

import os
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from app.executions import housekeeping
from app.executions.controller import Controller
from app.executions.models import Attempt, Kind, Lease
from app.executions.states import State
from app.modules import leftovers, trees
from app.modules.builds import build_request, staging, uv_cache
from app.modules.images import image, location
from app.modules.models import Environment, Module, Version
from tests import factories
from tests.integration.executions.fake_engine import World

pytestmark = pytest.mark.django_db(transaction=True)

OLD = 30 * 24 * 3600.0  # s
WEEK = 7 * 24 * 3600.0  # s


def aged(folder: Path, *, text: str = "x" * 5000, age: float = OLD) -> Path:
    """A folder with a file, last touched so many seconds ago."""
    folder.mkdir(parents=True)
    (folder / "file").write_text(text)
    os.utime(folder, (time.time() - age,) * 2)
    return folder


def environment_folder(environment: Environment | None, *, age: float = OLD) -> Path:
    assert environment is not None
    return aged(location(environment.digest), age=age)


def tree_folder(version: Version, *, age: float = OLD) -> Path:
    return aged(trees.location(version.tree_digest), age=age)


def removed(module: Module) -> Module:
    module.removed_at = timezone.now() - timedelta(seconds=OLD)
    module.save()
    return module


def default(module: Module) -> Version:
    assert module.default is not None
    return module.default


def collected() -> set[Path]:
    """The folders that a collection removes, each of which is gone."""
    paths = {one.leftover.path for one in housekeeping.collect(older_than=WEEK)}
    assert not [path for path in paths if path.exists()]
    return paths


def test_what_a_module_has_stays_and_what_is_left_of_removed_ones_goes() -> None:
    kept, gone = factories.module(), removed(factories.module())
    stays = {tree_folder(default(kept)), environment_folder(default(kept).environment)}
    goes = {tree_folder(default(gone)), environment_folder(default(gone).environment)}
    goes.add(aged(trees.bytecode_location(default(gone).tree_digest, "cpython-311")))
    stays.add(aged(trees.bytecode_location(default(kept).tree_digest, "cpython-311")))
    assert collected() == goes
    assert all(path.is_dir() for path in stays)


def test_an_older_version_that_can_still_be_run_stays() -> None:
    module = factories.module()
    first = default(module)
    factories.version(module)
    stays = {tree_folder(first), environment_folder(first.environment)}
    assert collected() == set()
    assert all(path.is_dir() for path in stays)


def test_an_environment_that_a_rebuild_has_replaced_goes() -> None:
    replaced = environment_folder(factories.environment())
    environment_folder(default(factories.module()).environment)
    assert collected() == {replaced}


def test_what_was_touched_lately_stays(settings: Settings) -> None:
    young = environment_folder(factories.environment(), age=WEEK - 60)
    assert collected() == set()
    assert young.is_dir()
    assert {one.leftover.path for one in housekeeping.look(older_than=0)} == {young}


def test_nothing_is_removed_within_the_hour_whatever_is_asked_for() -> None:
    environment_folder(factories.environment(), age=leftovers.LEAST_AGE - 60)
    assert housekeeping.collect(older_than=0) == []


def test_a_module_that_was_removed_lately_keeps_its_folders() -> None:
    module = factories.module()
    module.removed_at = timezone.now() - timedelta(seconds=WEEK - 60)
    module.save()
    tree_folder(default(module))
    assert collected() == set()


def test_a_run_keeps_the_environment_that_it_was_submitted_with(shipped: None) -> None:
    """A rebuild gives the version another environment while the run is still in the old one."""
    module = factories.module()
    version = default(module)
    running = factories.execution(module, state=State.RUNNING)
    parameters = {"parameters": [{"name": "image", "value": image(version)}]}
    Attempt.objects.filter(execution=running).update(workflow={"spec": {"arguments": parameters}})
    used = environment_folder(version.environment)
    version.environment = factories.environment()
    version.save()
    assert collected() == set()
    running.state = State.SUCCEEDED
    running.save()
    Attempt.objects.filter(execution=running).update(state=State.SUCCEEDED)
    assert collected() == {used}


def test_a_queued_run_keeps_what_it_waits_for_although_the_module_was_removed() -> None:
    fetch = factories.module("fetch")
    queued = factories.execution(factories.module(), fetch_version=default(fetch))
    removed(fetch)
    stays = [tree_folder(default(fetch)), environment_folder(default(fetch).environment)]
    assert collected() == set()
    queued.state = State.CANCELLED
    queued.save()
    assert collected() == set(stays)


def test_a_schema_keeps_the_environment_that_its_manifest_names(shipped: None) -> None:
    version = default(removed(factories.module()))
    folder = environment_folder(version.environment)
    row = factories.schema()
    type(row).objects.filter(pk=row.pk).update(text=f"image: {image(version)}\n")
    assert collected() == set()
    row.schema.removed_at = timezone.now()
    row.schema.save()
    assert collected() == {folder}


def test_no_environment_goes_while_a_build_runs_that_may_have_found_it() -> None:
    module = factories.module()
    folder = environment_folder(factories.environment())
    building = factories.execution(module, kind=Kind.BUILD, state=State.RUNNING)
    assert collected() == set()
    building.state = State.FAILED
    building.save()
    assert collected() == {folder}


def test_staging_folders_go_once_their_builds_have_ended(shipped: None) -> None:
    module = factories.module(built=False)
    pending = module.versions.get().builds.get()
    ended = factories.build(default(factories.module()))
    stays, goes, others = aged(staging(pending)), aged(staging(ended)), aged(staging(ended).with_name("0123abcd-7"))
    assert collected() == {goes}
    assert stays.is_dir() and others.is_dir()


def test_what_a_crash_left_goes() -> None:
    half = aged(Path(configured.TREES_DIR) / f"{trees.INCOMING}abc")
    aside = aged(Path(configured.ENVIRONMENTS_DIR) / ".removing-abc", age=10)
    recent = aged(Path(configured.TREES_DIR) / f"{trees.INCOMING}def", age=trees.STALE - 60)
    assert {one.leftover.path for one in housekeeping.collect(older_than=0)} == {half, aside}
    assert recent.is_dir()


def test_folders_of_other_names_are_nobodys_business() -> None:
    mine = aged(Path(configured.ENVIRONMENTS_DIR) / "my-own")
    outside = aged(Path(configured.VAR) / "elsewhere")
    (Path(configured.ENVIRONMENTS_DIR) / ("a" * 64)).symlink_to(outside)
    assert collected() == set()
    assert mine.is_dir() and (outside / "file").is_file()


def test_a_tree_that_is_registered_again_at_that_moment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registration has found the tree, and stores its version only later."""
    folder = tree_folder(default(removed(factories.module())))
    rename = Path.rename

    def touched_first(path: Path, target: Path) -> Path:
        if path == folder:
            assert trees.touch(folder)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", touched_first)
    assert collected() == set()
    assert (folder / "file").is_file()


def test_a_tree_that_was_removed_is_stored_anew(tmp_path: Path) -> None:
    source = aged(tmp_path / "source" / "tree")
    digest = trees.digest(source)
    aged(trees.location(digest))
    assert collected() == {trees.location(digest)}
    assert trees.store(source) == digest
    assert (trees.location(digest) / "file").is_file()


def test_files_that_uvs_cache_has_too_free_nothing() -> None:
    folder = environment_folder(factories.environment())
    os.link(folder / "file", Path(configured.CACHE_DIR) / "package")
    [found] = housekeeping.look(older_than=WEEK)
    assert found.size.freed == 0
    assert found.size.shared >= 5000


def test_read_only_environments_are_removed_whole() -> None:
    folder = environment_folder(factories.environment())
    (folder / "lib").mkdir()
    (folder / "lib" / "module.py").write_text("")
    for path in (folder / "lib", folder):
        path.chmod(0o555)
    os.utime(folder, (time.time() - OLD,) * 2)
    assert collected() == {folder}
    assert list(Path(configured.ENVIRONMENTS_DIR).iterdir()) == []


def test_nothing_is_taken_from_the_queue_while_folders_are_chosen(
    controller: Controller, world: World, module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very moment: a run is asked for and a controller turns while a collection has decided and not yet renamed."""
    execution = factories.execution(module)
    chosen, may_go = threading.Event(), threading.Event()
    choose = housekeeping._leftovers

    def chosen_slowly(older_than: float) -> list[leftovers.Leftover]:
        found = choose(older_than)
        chosen.set()
        assert may_go.wait(10)
        return found

    def collect() -> None:
        housekeeping.collect(older_than=WEEK)
        connection.close()

    monkeypatch.setattr(housekeeping, "_leftovers", chosen_slowly)
    thread = threading.Thread(target=collect)
    thread.start()
    assert chosen.wait(10)
    threading.Timer(0.3, may_go.set).start()
    while not world.submitted:
        controller.turn(timeout=0.05)
    assert may_go.is_set()
    assert world.submitted == [f"prediction-{execution.pk}-1"]
    thread.join()


def test_the_controller_collects_from_time_to_time(settings: Settings) -> None:
    settings.COLLECT_EVERY, settings.COLLECT_AFTER = 1000.0, WEEK
    keeper = housekeeping.Housekeeper()
    folder = environment_folder(factories.environment())
    keeper.tick(0.0)
    keeper.tick(500.0)
    assert keeper._thread is None
    keeper.tick(601.0)
    assert keeper._thread is not None
    keeper._thread.join()
    assert not folder.exists()
    first = keeper._thread
    keeper.tick(1600.0)
    assert keeper._thread is first
    keeper.tick(1602.0)
    assert keeper._thread is not first
    keeper._thread.join()


def test_a_controller_that_is_told_so_never_collects(settings: Settings) -> None:
    settings.COLLECT_EVERY = 0.0
    keeper = housekeeping.Housekeeper()
    keeper.tick(0.0)
    keeper.tick(1e9)
    assert keeper._thread is None


def test_the_command_only_looks_unless_told_to_delete(capsys: pytest.CaptureFixture[str]) -> None:
    folder = environment_folder(factories.environment())
    call_command("collect")
    told = capsys.readouterr().out
    assert str(folder) in told
    assert "Nothing was removed. Not needed: 1 folder," in told
    assert folder.is_dir()
    call_command("collect", "--delete")
    assert "Removed 1 folder," in capsys.readouterr().out
    assert not folder.exists()


def test_uv_prunes_what_it_will_never_use_again() -> None:
    assert leftovers.prune_cache() == "there is no cache yet"
    dangling = aged(uv_cache() / "archive-v0" / "4fzYlqs5b4MHnHZL")
    assert "Removed" in leftovers.prune_cache()
    assert not dangling.exists()


@pytest.mark.parametrize("text", ["-1", "a week", "inf", "nan"])
def test_an_age_is_a_number_of_seconds(text: str) -> None:
    with pytest.raises(CommandError, match="older-than"):
        call_command("collect", f"--older-than={text}")


def test_leases_are_left_as_they_are(controller: Controller) -> None:
    before = Lease.objects.values().get()
    housekeeping.collect(older_than=WEEK)
    assert Lease.objects.values().get() | {"expires_at": None} == before | {"expires_at": None}


def test_a_replaced_environment_is_touched_so_that_a_run_may_still_start_in_it(shipped: None, tmp_path: Path) -> None:
    from app.modules import services
    from app.modules.builds import environment_digest
    from app.modules.interpreters import find

    module = factories.module()
    version = default(module)
    folder = environment_folder(version.environment)
    build = factories.build(version, state="PENDING")
    tree_folder(version)
    build_request(build)
    python = find(">=3.11")
    made = staging(build) / "environment"
    made.mkdir()
    (made / "pyvenv.cfg").write_text("home = /usr/bin\n")
    digest = environment_digest(python_version=python.version, platform=python.platform, lock="")
    services.build_passed(build, report={"lock": "", "imports": [], "digest": digest}, staging=staging(build))
    assert collected() == set()
    assert folder.is_dir()
