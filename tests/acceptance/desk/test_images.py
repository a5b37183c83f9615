"""What images mean at the desk, and in which sandbox nodes run: said once, kept for what comes after."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from orchestra_engine.sandbox import why_no_private_root

from tests.acceptance.desk.command import Desk, manifest, shell

GOOD = manifest(shell("main", "echo hello"))
FOREIGN = """\
  - name: main
    container: {image: "registry.example/me/tool:1", command: [tool, "a b"]}
"""


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """An environment with one program, which says its argument and a variable."""
    program = tmp_path / "environment" / "bin" / "tool"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "tool: $1, $COLOUR"\ntest ! -e /tmp/broken\n')
    program.chmod(0o755)
    return program


def test_a_table_says_what_an_image_means_and_is_kept_for_later_runs(desk: Desk, tool: Path, sandbox: str) -> None:
    desk.write("registry.example/me/tool:1: {environment: environment, env: {COLOUR: green}}\n", "images.yaml")
    words = ("workflow", "run", desk.write(manifest(FOREIGN)), "--sandbox", sandbox)
    refused = desk.call(*words)
    assert refused.returncode == 2
    assert "w.yaml:8:" in refused.stderr
    assert "--images FILE" in refused.stderr
    for name, more in (("w", ["--images", "images.yaml"]), ("w-2", [])):
        result = desk.call(*words, *more)
        assert (result.returncode, result.stderr) == (0, "")
        assert desk.log(name, name) == "tool: a b, green\n"


@pytest.mark.parametrize("name", ["registry.example/me/tool:*", "registry.example/*", "registry.example/me/tool:1"])
def test_names_may_end_in_a_star_and_mean_another_image(desk: Desk, name: str) -> None:
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    other = desk.folder / "other" / "python"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho another image\n")
    other.chmod(0o755)
    desk.write(f"'*': {{path: [other], readonly: [other]}}\n'{name}': python:{minor}\n", "images.yaml")
    text = manifest(FOREIGN.replace('[tool, "a b"]', "[python, -V]"))
    assert desk.call("workflow", "run", desk.write(text), "--images", "images.yaml").returncode == 0
    assert desk.log("w").startswith(f"Python {minor}.")


def test_explain_says_what_an_image_of_the_table_is_and_keeps_nothing(desk: Desk, tool: Path) -> None:
    desk.write("registry.example/me/tool:1: ./environment\n", "images.yaml")
    words = ("workflow", "explain", desk.write(manifest(FOREIGN)))
    assert "it would be refused" in desk.call(*words).stdout
    assert f"registry.example/me/tool:1: {tool.parent.parent}" in desk.call(*words, "--images", "images.yaml").stdout
    assert not (desk.folder / ".orchestra").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: /nowhere/at/all\n", "there is no folder /nowhere/at/all"),
        ("a: {environment: .}\n", "is no environment"),
        ("a: {images: b}\n", "mapping of environment, like, path, readonly, env"),
        ("a: 1\n", "it has to be the folder"),
        ("a: {path: /bin}\n", "path has to be a list"),
        ("a: {env: [b]}\n", "env has to be a mapping"),
        ("- a\n", "mapping"),
        ("a: [\n", "images.yaml:2:1: error"),
    ],
)
def test_a_table_that_is_wrong_says_where_and_leaves_nothing(desk: Desk, text: str, words: str) -> None:
    desk.write(text, "images.yaml")
    result = desk.call("workflow", "run", desk.write(GOOD), "--images", "images.yaml")
    assert result.returncode == 2
    assert "images.yaml:" in result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not (desk.folder / ".orchestra").exists()


def test_a_refused_run_leaves_the_table_as_it_was(desk: Desk, tool: Path) -> None:
    desk.write("one: ./environment\n", "one.yaml")
    desk.write("two: ./environment\n", "two.yaml")
    assert desk.call("workflow", "run", desk.write(GOOD), "--images", "one.yaml").returncode == 0
    kept = (desk.folder / ".orchestra" / "images.json").read_text()
    assert desk.call("workflow", "run", desk.write(manifest(FOREIGN)), "--images", "two.yaml").returncode == 2
    assert (desk.folder / ".orchestra" / "images.json").read_text() == kept


def test_an_environment_that_went_away_is_said(desk: Desk, tool: Path) -> None:
    desk.write("registry.example/me/tool:1: ./environment\n", "images.yaml")
    assert desk.call("workflow", "run", desk.write(manifest(FOREIGN)), "--images", "images.yaml").returncode == 0
    os.rename(tool.parent.parent, desk.folder / "elsewhere")
    result = desk.call("workflow", "run", "w.yaml")
    assert result.returncode == 2
    assert "is not there any more" in result.stderr


def test_a_workflow_stays_in_the_sandbox_that_it_was_given(desk: Desk, tmp_path: Path) -> None:
    if reason := why_no_private_root():
        pytest.skip(f"no private root on this machine: {reason}")
    text = manifest(shell("main", f"test -e {tmp_path}/good || exit 1"))
    assert desk.call("workflow", "run", desk.write(text), "--sandbox", "plain").returncode == 1
    (tmp_path / "good").touch()
    assert desk.call("workflow", "retry", "w").returncode == 0, "in a private root the file is not to be seen"
    assert desk.call("workflow", "resubmit", "w").returncode == 0
    assert desk.call("workflow", "run", "w.yaml").returncode == 1, "a new run is its own"


def test_what_is_unfinished_decides_in_which_sandbox_the_folder_is_run(desk: Desk) -> None:
    if reason := why_no_private_root():
        pytest.skip(f"no private root on this machine: {reason}")
    steps = "  - name: main\n    steps: [[{name: a, template: t}], [{name: b, template: t}]]\n"
    desk.write(manifest(steps + shell("t", "echo $TMPDIR; sleep 0.5")))
    command = desk.start("workflow", "run", "w.yaml", "--sandbox", "plain")
    desk.wait(lambda: bool(desk.log("w[0].a")), "the first step")
    command.kill()
    command.wait()
    other = desk.call("workflow", "run", desk.write(GOOD, "other.yaml"), "--name", "x", "--sandbox", "private")
    assert other.returncode == 2
    assert "w has not ended and runs in the sandbox plain" in other.stderr
    assert desk.call("workflow", "watch", "w").returncode == 0
    assert str(desk.folder) in desk.log("w[1].b")
