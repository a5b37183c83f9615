"""Modules from git: the right commit, and nothing of a stranger's repository is trusted."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from app.modules import trees
from app.modules.faults import Faulty
from app.modules.sources import GitSource, fetched
from tests.integration.modules.conftest import MakeModule, Repository


def files(source: GitSource) -> dict[str, str]:
    """What a source holds: contents by name, links as `-> target`."""
    with fetched(source) as [found]:
        return {
            path.relative_to(found.folder).as_posix(): f"-> {os.readlink(path)}"
            if path.is_symlink()
            else path.read_text()
            for path in found.folder.rglob("*")
            if path.is_symlink() or path.is_file()
        }


def refused(source: GitSource) -> tuple[str, str]:
    with pytest.raises(Faulty) as caught, fetched(source):
        pass
    [fault] = caught.value.faults
    return fault.path, fault.message


def commit_of(source: GitSource) -> str:
    with fetched(source) as [found]:
        return found.commit


def test_the_default_branch_is_taken_and_its_commit_recorded(repository: Repository) -> None:
    with fetched(GitSource(repository.url)) as [found]:
        assert found.commit == repository.git("rev-parse", "HEAD")
        assert (found.url, found.ref, found.kind) == (repository.url, "", "git")
        assert (found.folder / "run.py").read_text() == "print('ran')\n"
        assert not (found.folder / ".git").exists()


def test_any_ref_can_be_taken(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "light")
    repository.git("tag", "-a", "annotated", "-m", "x")
    repository.git("checkout", "--quiet", "-b", "work/new")
    (repository.path / "run.py").write_text("print('new')\n")
    second = repository.commit()
    repository.git("checkout", "--quiet", "main")
    third = repository.commit()
    assert commit_of(GitSource(repository.url)) == third
    for ref in ("light", "annotated", first, first[:10]):
        assert commit_of(GitSource(repository.url, ref=ref)) == first
    for ref in ("work/new", second, second[:7]):
        assert commit_of(GitSource(repository.url, ref=ref)) == second
        assert files(GitSource(repository.url, ref=ref))["run.py"] == "print('new')\n"


def test_a_commit_that_no_branch_reaches_any_more_is_told_not_guessed(repository: Repository) -> None:
    assert refused(GitSource(repository.url, ref="0" * 40))[0] == "ref"


def test_an_unknown_ref_is_told_with_what_there_is(repository: Repository) -> None:
    repository.git("branch", "develop")
    path, message = refused(GitSource(repository.url, ref="develp"))
    assert path == "ref"
    assert message.endswith("did you mean develop?")


@pytest.mark.parametrize("subdirectory", ["inner/module", "/inner/module/".strip("/") + "/", "./inner//module"])
def test_a_sub_folder_is_taken_alone(repository: Repository, make_module: MakeModule, subdirectory: str) -> None:
    make_module("repository/inner/module", {"only.py": "x = 1\n"})
    repository.commit()
    assert set(files(GitSource(repository.url, subdirectory=subdirectory))) == {"metadata.json", "run.py", "only.py"}


@pytest.mark.parametrize("subdirectory", ["absent", "run.py"])
def test_a_sub_folder_that_is_not_there_is_told_with_those_that_are(repository: Repository, subdirectory: str) -> None:
    path, message = refused(GitSource(repository.url, subdirectory=subdirectory))
    assert path == "subdirectory"
    assert "there is one in ." in message


@pytest.mark.parametrize("subdirectory", ["../x", "a/../../x", "/etc", "a\\b", "a\0b", "\ud800"])
def test_a_sub_folder_cannot_leave_the_repository(repository: Repository, subdirectory: str) -> None:
    assert refused(GitSource(repository.url, subdirectory=subdirectory))[0] == "subdirectory"


@pytest.mark.parametrize(
    "url",
    [
        "", "-oProxyCommand=touch${IFS}x", "--upload-pack=touch x", "ext::sh -c 'touch x'", "ext::sh", "fd::17",
        "http://example.org/x.git", "git://example.org/x.git", "ftp://example.org/x", "https://", "https:///x.git",
        "https://-oProxyCommand=x/y", "ssh://-oProxyCommand=x/y", "ssh://-x@host/y", "git@-host:x", "-x@host:y",
        "git@host:-x", "https://example.org", "https://user:secret@example.org/x.git", "https://token@example.org/x.git",
        "https://example.org/x.git\n--upload-pack=x", "file://host.example.org/x", "javascript:alert(1)", "https://[::1",
        "x" * 3000, "https://example.org/\ud800",
    ],
)  # fmt: skip
def test_urls_that_are_no_plain_repositories_are_refused_before_git_sees_them(url: str) -> None:
    path, message = refused(GitSource(url))
    assert path == "url"
    assert "secret" not in message


@pytest.mark.parametrize(
    "ref", ["-x", "--upload-pack=x", "a..b", "a b", "a:b", "HEAD^", "x~1", "a@{1}", "a\0", "x" * 300]
)
def test_refs_that_are_no_names_are_refused(repository: Repository, ref: str) -> None:
    assert refused(GitSource(repository.url, ref=ref))[0] == "ref"


def test_local_repositories_need_the_setting(repository: Repository, settings: Settings) -> None:
    assert commit_of(GitSource(str(repository.path)))
    for source in (GitSource(repository.url), GitSource(str(repository.path))):
        with pytest.raises(Faulty, match="own disk"), fetched(source, allow_local=False):
            pass
    settings.SOURCE_LOCAL = False
    assert "own disk" in refused(GitSource(repository.url))[1]


def test_a_repository_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "no folder" in refused(GitSource(f"file://{tmp_path}/absent"))[1]
    (tmp_path / "empty").mkdir()
    assert "git cannot read" in refused(GitSource(f"file://{tmp_path}/empty"))[1]
    assert "is empty" in refused(GitSource(Repository(tmp_path / "new").url))[1]


def test_hooks_filters_and_attributes_of_the_repository_do_nothing(repository: Repository, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    for hook in ("post-checkout", "pre-receive", "post-update"):
        path = repository.path / ".git" / "hooks" / hook
        path.write_text(f"#!/bin/sh\ntouch {mark}\n")
        path.chmod(0o755)
    repository.git("config", "filter.evil.smudge", f"touch {mark}")
    repository.git("config", "uploadpack.packObjectsHook", f"touch {mark}; exec git pack-objects")
    repository.git("config", "core.fsmonitor", f"touch {mark}")
    (repository.path / ".gitattributes").write_text("*.txt eol=crlf ident\n")
    (repository.path / "a.txt").write_text("$Id$\n")
    repository.git("config", "core.fsmonitor", "")
    repository.commit()
    repository.git("config", "core.fsmonitor", f"touch {mark}")
    assert files(GitSource(repository.url))["a.txt"] == "$Id$\n"
    assert not mark.exists()


def test_submodules_are_left_out(repository: Repository, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other")
    (other.path / "secret.txt").write_text("x")
    other.commit()
    repository.git("submodule", "--quiet", "add", other.url, "sub")
    repository.commit()
    assert set(files(GitSource(repository.url))) == {"metadata.json", "run.py", ".gitmodules"}


def test_links_within_the_module_are_kept(repository: Repository) -> None:
    (repository.path / "data").mkdir()
    (repository.path / "data" / "model.txt").write_text("weights")
    (repository.path / "latest").symlink_to("data/model.txt")
    (repository.path / "data" / "up").symlink_to("../run.py")
    repository.commit()
    found = files(GitSource(repository.url))
    assert found["latest"] == "-> data/model.txt"
    assert found["data/up"] == "-> ../run.py"


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "data/../../outside", "self/../.."])
def test_links_out_of_the_module_are_refused(repository: Repository, target: str) -> None:
    (repository.path / "data").mkdir()
    (repository.path / "data" / "x").write_text("")
    (repository.path / "self").symlink_to("data/..")
    (repository.path / "way").symlink_to(target)
    repository.commit()
    assert "leaves the module" in refused(GitSource(repository.url))[1]


def test_a_link_that_leaves_only_through_another_link_is_refused(repository: Repository) -> None:
    (repository.path / "deep" / "er").mkdir(parents=True)
    (repository.path / "deep" / "er" / "x").write_text("")
    (repository.path / "deep" / "er" / "top").symlink_to("../..")
    (repository.path / "deep" / "way").symlink_to("er/top/../outside")
    repository.commit()
    assert "leaves the module" in refused(GitSource(repository.url))[1]


def test_executable_files_stay_executable(repository: Repository) -> None:
    (repository.path / "tool.sh").write_text("#!/bin/sh\n")
    (repository.path / "tool.sh").chmod(0o755)
    repository.commit()
    with fetched(GitSource(repository.url)) as [found]:
        assert (found.folder / "tool.sh").stat().st_mode & stat.S_IXUSR
        assert not (found.folder / "run.py").stat().st_mode & stat.S_IXUSR


def test_what_other_tools_leave_is_left_out(repository: Repository) -> None:
    for folder in ("__pycache__", ".venv"):
        (repository.path / folder).mkdir()
        (repository.path / folder / "x.pyc").write_text("")
    repository.commit()
    assert set(files(GitSource(repository.url))) == {"metadata.json", "run.py"}


def test_too_many_files_are_refused(repository: Repository, settings: Settings) -> None:
    for number in range(12):
        (repository.path / f"{number}.txt").write_text("")
    repository.commit()
    settings.SOURCE_MAX_FILES = 10
    assert "more than 10 files" in refused(GitSource(repository.url))[1]


def test_too_many_bytes_are_refused_though_they_pack_small(repository: Repository, settings: Settings) -> None:
    (repository.path / "zeros.bin").write_bytes(bytes(3 * 2**20))
    repository.commit()
    settings.SOURCE_MAX_BYTES = 2 * 2**20
    assert refused(GitSource(repository.url))[1] == "is larger than 2 MiB"


def test_too_many_bytes_on_the_way_are_refused(repository: Repository, settings: Settings) -> None:
    (repository.path / "noise.bin").write_bytes(os.urandom(3 * 2**20))
    repository.commit()
    settings.SOURCE_MAX_BYTES = 2**20
    assert "larger than 1 MiB" in refused(GitSource(repository.url))[1]


def test_a_tree_that_contains_itself_many_times_ends_at_the_limit(repository: Repository, settings: Settings) -> None:
    tree = repository.git("rev-parse", "HEAD^{tree}")
    for _ in range(40):  # 2**40 files from 40 small objects
        tree = repository.tree("".join(f"040000 tree {tree}\t{name}\0" for name in "ab"))
    commit = repository.git("commit-tree", tree, "-m", "bomb")
    repository.git("update-ref", "refs/heads/bomb", commit)
    settings.SOURCE_MAX_FILES = 1000
    assert "more than 1000 files" in refused(GitSource(repository.url, ref="bomb"))[1]


@pytest.mark.parametrize("name", ["..", ".GIT", "a\\b", "a\nb"])
def test_names_that_could_do_harm_are_refused(repository: Repository, name: str) -> None:
    blob = repository.git("rev-parse", "HEAD:metadata.json")
    tree = repository.tree(f"100644 blob {blob}\tmetadata.json\x00100644 blob {blob}\t{name}\0")
    repository.git("update-ref", "refs/heads/evil", repository.git("commit-tree", tree, "-m", "evil"))
    path, message = refused(GitSource(repository.url, ref="evil"))
    assert path == "url", message
    assert "the name" in message or "git cannot read" in message


def test_a_pointer_to_large_file_storage_is_told(repository: Repository) -> None:
    (repository.path / "model.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    repository.commit()
    assert "Git LFS" in refused(GitSource(repository.url))[1]


def test_a_slow_repository_is_given_up(repository: Repository, settings: Settings) -> None:
    settings.SOURCE_TIMEOUT = 0.0
    assert "took longer than 0 s" in refused(GitSource(repository.url))[1]


def test_nothing_is_left_behind(repository: Repository, settings: Settings) -> None:
    files(GitSource(repository.url))
    refused(GitSource(repository.url, ref="absent"))
    assert list(settings.TREES_DIR.iterdir()) == []


def test_a_stored_tree_is_named_by_its_content_and_read_only(repository: Repository, settings: Settings) -> None:
    digests = set()
    for _ in range(2):
        with fetched(GitSource(repository.url)) as [found]:
            digests.add(trees.store(found.folder))
    [digest] = digests
    tree = trees.location(digest)
    assert list(settings.TREES_DIR.iterdir()) == [tree]
    assert trees.digest(tree) == digest
    assert [path for path in (tree, *tree.rglob("*")) if path.stat().st_mode & 0o222] == []


def test_the_digest_tells_contents_names_and_rights_apart(make_module: MakeModule) -> None:
    same = make_module("one", {"a.py": "1"}), make_module("two", {"a.py": "1"})
    assert len({trees.digest(folder) for folder in same}) == 1
    other = make_module("three", {"a.py": "2"}), make_module("four", {"b.py": "1"}), make_module("five", {"a.py": "1"})
    (other[2] / "a.py").chmod(0o755)
    linked = make_module("six")
    (linked / "a.py").symlink_to("run.py")
    assert len({trees.digest(folder) for folder in (*same, *other, linked)}) == 5
