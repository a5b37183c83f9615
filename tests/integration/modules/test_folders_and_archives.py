"""Modules from folders and uploaded archives: what is taken, and what an attacker gets for an answer."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from app.modules import trees
from app.modules.faults import Faulty
from app.modules.sources import FolderSource, Source, UploadSource, fetched
from tests.integration.modules.conftest import METADATA, MakeModule

MODULE = {"metadata.json": json.dumps(METADATA), "run.py": "print('ran')\n"}


def refused(source: Source) -> tuple[str, str]:
    with pytest.raises(Faulty) as caught, fetched(source):
        pass
    [fault] = caught.value.faults
    return fault.path, fault.message


def names(source: Source) -> list[str]:
    with fetched(source) as [found]:
        return sorted(
            path.relative_to(found.folder).as_posix() for path in found.folder.rglob("*") if not path.is_dir()
        )


def archive(files: dict[str, str | bytes], *more: tuple[zipfile.ZipInfo, str], deflated: bool = False) -> io.BytesIO:
    """A zip of files by name, and of entries made by hand."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED) as made:
        for name, text in files.items():
            made.writestr(name, text)
        for info, text in more:
            made.writestr(info, text)
    data.seek(0)
    return data


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


# --- folders ----------------------------------------------------------------------------------------------------
def test_a_folder_is_copied_without_what_tools_leave(make_module: MakeModule) -> None:
    folder = make_module(
        files={"pkg/a.py": "", "__pycache__/a.pyc": "", ".venv/x": "", ".git/config": "", "pkg/.git/x": ""}
    )
    assert names(FolderSource(folder)) == ["metadata.json", "pkg/a.py", "run.py"]
    with fetched(FolderSource(str(folder))) as [found]:
        assert (found.kind, found.url, found.commit) == ("folder", str(folder), "")


def test_a_folder_that_becomes_a_link_while_it_is_copied_leads_nowhere(
    make_module: MakeModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_module(files={"a/inner/file": "mine", "b": ""})
    (tmp_path / "home" / "inner").mkdir(parents=True)
    (tmp_path / "home" / "inner" / "file").write_text("the secret")
    listed = os.scandir

    def swapped(where: int | str) -> object:
        asked = Path(os.readlink(f"/proc/self/fd/{where}") if isinstance(where, int) else where)
        if asked == folder / "a":
            (folder / "a").rename(tmp_path / "aside")
            (folder / "a").symlink_to(tmp_path / "home")
        return listed(where)

    monkeypatch.setattr("app.modules.sources.local.os.scandir", swapped)
    with fetched(FolderSource(folder)) as [found]:
        assert (found.folder / "a" / "inner" / "file").read_text() == "mine"
    assert (folder / "a").is_symlink()


@pytest.mark.parametrize("place", ["WORKFLOWS_DIR", "CACHE_DIR"])
def test_what_modules_themselves_have_written_is_not_registered(
    make_module: MakeModule, settings: Settings, place: str
) -> None:
    folder = make_module()
    setattr(settings, place, folder.parent)
    path, message = refused(FolderSource(folder))
    assert path == "path"
    assert "belongs to what Orchestra runs" in message


def test_the_original_may_change_afterwards(make_module: MakeModule) -> None:
    folder = make_module()
    with fetched(FolderSource(folder)) as [found]:
        digest = trees.store(found.folder)
    (folder / "run.py").write_text("print('other')\n")
    assert (trees.location(digest) / "run.py").read_text() == "print('ran')\n"


@pytest.mark.parametrize("path", ["/absent", "", "/etc/passwd", "a\0b", "~nobody-at-all/x"])
def test_a_folder_that_is_none_is_told(path: str) -> None:
    assert refused(FolderSource(path))[0] == "path"


def test_a_folder_of_modules_is_told_with_its_modules(make_module: MakeModule, tmp_path: Path) -> None:
    make_module("all/one")
    make_module("all/two")
    assert "register one or two below it" in refused(FolderSource(tmp_path / "all"))[1]


def test_a_folder_needs_the_setting(make_module: MakeModule, settings: Settings) -> None:
    folder = make_module()
    with pytest.raises(Faulty, match="not taken here"), fetched(FolderSource(folder), allow_local=False):
        pass
    settings.SOURCE_LOCAL = False
    assert "not taken here" in refused(FolderSource(folder))[1]


def test_links_of_a_folder_may_not_leave_it(make_module: MakeModule, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    folder = make_module()
    (folder / "inner").symlink_to("run.py")
    assert names(FolderSource(folder)) == ["inner", "metadata.json", "run.py"]
    (folder / "outer").symlink_to("../secret.txt")
    assert "leaves the module" in refused(FolderSource(folder))[1]
    (folder / "outer").unlink()
    (folder / "folder").symlink_to(tmp_path, target_is_directory=True)
    assert "leaves the module" in refused(FolderSource(folder))[1]


def test_a_circle_of_links_is_refused(make_module: MakeModule) -> None:
    folder = make_module()
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    assert "'a'" in refused(FolderSource(folder))[1]


def test_what_is_no_file_is_refused_without_waiting_for_it(make_module: MakeModule) -> None:
    folder = make_module()
    os.mkfifo(folder / "pipe")
    assert "neither a file" in refused(FolderSource(folder))[1]


def test_orchestras_own_state_is_never_part_of_a_module(make_module: MakeModule, settings: Settings) -> None:
    folder = make_module()
    settings.VAR = folder / "var"
    assert "own state" in refused(FolderSource(folder))[1]


@pytest.mark.parametrize(("setting", "limit"), [("SOURCE_MAX_FILES", 3), ("SOURCE_MAX_BYTES", 1000)])
def test_a_folder_that_is_too_large_is_refused(
    make_module: MakeModule, settings: Settings, setting: str, limit: int
) -> None:
    folder = make_module(files={f"{number}.txt": "x" * 500 for number in range(3)})
    setattr(settings, setting, limit)
    assert refused(FolderSource(folder))[0] == "path"


# --- archives ---------------------------------------------------------------------------------------------------
def test_an_archive_may_be_a_module_or_hold_one_in_a_folder() -> None:
    assert names(UploadSource(archive(MODULE), "tiny.zip")) == ["metadata.json", "run.py"]
    inner = {f"tiny-1.0/{name}": text for name, text in MODULE.items()}
    with fetched(UploadSource(archive(inner), "tiny.zip")) as [found]:
        assert (found.prefix, found.url, found.subdirectory) == ("", "tiny.zip", "tiny-1.0")


def test_an_archive_may_hold_several_modules() -> None:
    files = {f"{folder}/{name}": text for folder in ("a", "deep/b") for name, text in MODULE.items()}
    files |= {"README.md": "", "a/example/metadata.json": "{}", "__MACOSX/a/metadata.json": ""}
    with fetched(UploadSource(archive(files))) as found:
        assert [(one.subdirectory, one.prefix) for one in found] == [("a", "a/"), ("deep/b", "deep/b/")]
        assert (found[0].folder / "example" / "metadata.json").exists()


def test_an_archive_without_a_module_is_told() -> None:
    assert "no metadata.json" in refused(UploadSource(archive({"run.py": ""})))[1]


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py", "a/../../evil.py", "/etc/evil", "a//b", "./a", "C:\\evil", "a\\..\\..\\evil", "a\nb",
        ".GIT/config", "x/" * 600 + "y", "x" * 300,
    ],
)  # fmt: skip
def test_names_that_leave_the_module_are_refused(name: str, tmp_path: Path) -> None:
    path, message = refused(UploadSource(archive(MODULE | {name: "evil"})))
    assert path == "file"
    assert "the name" in message
    assert list(tmp_path.rglob("*evil*")) == []


def test_a_name_with_a_nul_is_not_cut() -> None:
    data = archive(MODULE | {"safe.pyXevil": ""}).getvalue().replace(b"safe.pyXevil", b"safe.py\0evil")
    assert refused(UploadSource(io.BytesIO(data)))[0] == "file"


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o644, stat.S_IFCHR | 0o644])
def test_links_and_devices_in_an_archive_are_refused(mode: int) -> None:
    assert (
        "archives may hold files only" in refused(UploadSource(archive(MODULE, (entry("x", mode), "/etc/passwd"))))[1]
    )


def test_a_name_that_is_there_twice_is_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        data = archive(MODULE, (entry("run.py"), "print('other')"))
    assert "twice" in refused(UploadSource(data))[1]


def test_a_file_that_is_also_a_folder_is_refused() -> None:
    assert "twice" in refused(UploadSource(archive(MODULE | {"run.py/x": ""})))[1]


def test_a_bomb_is_refused_by_what_it_declares_and_by_what_it_unpacks_to(settings: Settings) -> None:
    settings.SOURCE_MAX_BYTES = 2**20
    bomb = archive(MODULE | {"zeros": bytes(5 * 2**20)}, deflated=True)
    assert "larger than 1 MiB" in refused(UploadSource(bomb))[1]
    lying = bytearray(bomb.getvalue())
    while (at := lying.find(struct.pack("<I", 5 * 2**20))) >= 0:  # the sizes it declares
        lying[at : at + 4] = struct.pack("<I", 1000)
    assert refused(UploadSource(io.BytesIO(lying)))[0] == "file"


def test_too_many_entries_are_refused(settings: Settings) -> None:
    settings.SOURCE_MAX_FILES = 10
    files = MODULE | {f"{number}.txt": "" for number in range(20)}
    assert "more than 10" in refused(UploadSource(archive(files)))[1]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"<html>", os.urandom(1000)])
def test_what_is_no_archive_is_told(data: bytes) -> None:
    assert "not a zip archive" in refused(UploadSource(io.BytesIO(data)))[1]


def test_a_damaged_archive_is_told() -> None:
    data = bytearray(archive({**MODULE, "big.txt": "x" * 10_000}, deflated=True).getvalue())
    at = data.find(b"big.txt") + 10
    data[at : at + 4] = b"\xff\xff\xff\xff"
    assert "not a zip archive" in refused(UploadSource(io.BytesIO(data)))[1]


def test_an_encrypted_entry_is_told() -> None:
    data = bytearray(archive(MODULE).getvalue())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        data[at + offset] |= 1
    assert "encrypted" in refused(UploadSource(io.BytesIO(data)))[1]


def test_nothing_is_left_behind(settings: Settings) -> None:
    names(UploadSource(archive(MODULE)))
    refused(UploadSource(archive({"run.py": ""})))
    assert list(settings.TREES_DIR.iterdir()) == []
