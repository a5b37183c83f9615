"""Packing and unpacking, and the repository's keys."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from orchestra_engine.artifacts import (
    ArtifactError,
    Budget,
    Repository,
    TooLarge,
    human,
    pack_tar,
    pack_zip,
    unpack_tar,
    unpack_zip,
)
from orchestra_engine.pod import OutputArtifact
from orchestra_engine.sandbox.files import Outputs, View, remove_tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "d"
    (top / "sub" / "empty").mkdir(parents=True)
    (top / "a").write_text("a\n")
    (top / "a").chmod(0o755)
    (top / "sub" / "b").write_text("b\n")
    (top / "sub" / "to-a").symlink_to("../a")
    return top


def budget() -> Budget:
    return Budget(size=1 << 20)


def test_a_tar_keeps_folders_modes_and_links(tree: Path, tmp_path: Path) -> None:
    packed = io.BytesIO()
    pack_tar(str(tree), "d", packed, budget())
    packed.seek(0)
    with tarfile.open(fileobj=packed) as archive:
        assert archive.getnames() == ["d", "d/a", "d/sub", "d/sub/b", "d/sub/empty", "d/sub/to-a"]
    packed.seek(0)
    (tmp_path / "x").mkdir()
    unpack_tar(packed, str(tmp_path / "x"), budget())
    assert os.access(tmp_path / "x/d/a", os.X_OK)
    assert (tmp_path / "x/d/sub/empty").is_dir()
    assert (tmp_path / "x/d/sub/to-a").read_text() == "a\n"


def test_the_same_tree_packs_to_the_same_bytes(tree: Path) -> None:
    one, two = io.BytesIO(), io.BytesIO()
    pack_tar(str(tree), "d", one, budget())
    pack_tar(str(tree), "d", two, budget())
    assert one.getvalue() == two.getvalue()


def test_a_zip_has_the_artifacts_name_and_no_empty_folders(tree: Path, tmp_path: Path) -> None:
    (tree / "sub" / "to-a").unlink()
    packed = io.BytesIO()
    pack_zip(str(tree), "out", packed, budget())
    with zipfile.ZipFile(packed) as archive:
        assert archive.namelist() == ["out/a", "out/sub/b"]
    (tmp_path / "x").mkdir()
    unpack_zip(packed, str(tmp_path / "x"), budget())
    assert (tmp_path / "x/out/sub/b").read_text() == "b\n"


def test_a_zip_cannot_leave_its_folder(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../escaped", "x")
    (tmp_path / "x").mkdir()
    with pytest.raises(ArtifactError, match="leaves its folder"):
        unpack_zip(packed, str(tmp_path / "x"), budget())
    assert not (tmp_path / "escaped").exists()


def test_what_unpacks_to_too_much_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "zeros").write_bytes(bytes(4 << 20))
    packed = io.BytesIO()
    pack_tar(str(tmp_path / "zeros"), "zeros", packed, Budget(size=1 << 30))
    packed.seek(0)
    (tmp_path / "x").mkdir()
    with pytest.raises(TooLarge, match="1 MiB"):
        unpack_tar(packed, str(tmp_path / "x"), budget())


@pytest.mark.parametrize("key", ["../x", "/x", "a//b", "a/./b", "", "a/\0", ".tmp/x", "a/../../b"])
def test_keys_stay_in_the_repository(tmp_path: Path, key: str) -> None:
    with pytest.raises(ArtifactError, match="not allowed"):
        Repository(tmp_path).path(key)


def test_an_object_is_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.put("a/b", lambda out: out.write(b"first") and None)

    def fail(out: io.BufferedIOBase) -> None:
        out.write(b"half")
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        repository.put("a/b", fail)  # type: ignore[arg-type]
    assert (tmp_path / "a/b").read_bytes() == b"first"
    assert list((tmp_path / ".tmp").iterdir()) == []


def test_a_folder_replaces_what_was_under_its_key(tree: Path, tmp_path: Path) -> None:
    (tree / "sub" / "to-a").unlink()
    repository = Repository(tmp_path / "repository")
    (repository.root / "k").mkdir(parents=True)
    (repository.root / "k" / "old").write_text("old")
    repository.put_tree("k", str(tree), budget())
    found = sorted(str(path.relative_to(repository.root / "k")) for path in (repository.root / "k").rglob("*"))
    assert found == ["a", "sub", "sub/b"]


def test_a_key_through_another_object_is_an_error_for_people(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.put("a", lambda out: None)
    with pytest.raises(ArtifactError, match="runs through another object"):
        repository.put("a/b", lambda out: None)


def test_links_are_followed_as_inside_the_container(tmp_path: Path) -> None:
    (tmp_path / "root" / "data").mkdir(parents=True)
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "f").write_text("x")
    (tmp_path / "root" / "absolute").symlink_to("/w/f")
    (tmp_path / "root" / "dots").symlink_to("../../../../../../w/f")
    (tmp_path / "root" / "own").symlink_to(tmp_path / "root" / "data")
    (tmp_path / "root" / "loop").symlink_to("loop")
    view = View({"/": str(tmp_path / "root"), "/w": str(tmp_path / "volume")})
    assert view.resolve("/absolute") == view.resolve("/dots") == str(tmp_path / "volume" / "f")
    assert view.resolve("/own") == str(tmp_path / "root" / "data")
    with pytest.raises(ArtifactError, match="too many symbolic links"):
        view.resolve("/loop")
    with pytest.raises(FileNotFoundError):
        view.resolve("/etc/passwd")
    with pytest.raises(ArtifactError, match="is no path"):
        view.resolve("/data/\0")
    assert view.resolve("/new/deep/file", make=True) == str(tmp_path / "root/new/deep/file")
    assert (tmp_path / "root/new/deep").is_dir()


def test_folders_without_permissions_are_removed_too(tmp_path: Path) -> None:
    locked = tmp_path / "scratch" / "locked"
    locked.mkdir(parents=True)
    (locked / "f").write_text("x")
    locked.chmod(0)
    remove_tree(str(tmp_path / "scratch"))
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize(("size", "text"), [(10, "10 bytes"), (200 << 20, "200 MiB"), (1536, "1.5 KiB")])
def test_sizes_are_said_for_people(size: int, text: str) -> None:
    assert human(size) == text


def test_what_is_wrong_is_told_with_the_containers_own_paths(tmp_path: Path) -> None:
    root, volume = tmp_path / "root", tmp_path / "volume"
    view = View({"/": str(root), "/work/data": str(volume)})
    assert view.shown(f"open {root}/out/a: no such file") == "open /out/a: no such file"
    assert view.shown(f"'{volume}/b' and '{volume}' and '{root}'") == "'/work/data/b' and '/work/data' and '/'"
    (root / "out").mkdir(parents=True)
    (root / "out" / "link").symlink_to("/etc/passwd")
    wanted = OutputArtifact(name="out", path="/out", key="key", archive="none")
    for archive in ("none", "zip"):
        outputs = Outputs(view, Repository(tmp_path / "repository"), 1 << 20)
        outputs.artifacts([replace(wanted, archive=archive)])
        [told] = outputs.errors
        assert told.startswith("output artifact out: /out/link is a symbolic link; write the file itself")
        assert str(tmp_path) not in told
    (root / "out" / "link").unlink()
    (root / "out" / "large").write_text("x" * 2000)
    with pytest.raises(TooLarge, match=r"^/out/large: more than the limit"):
        Outputs(view, Repository(tmp_path / "repository"), 1000).artifacts([wanted])
