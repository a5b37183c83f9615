"""`orchestra lint` as a command: its lines, its JSON, its exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from orchestra import desk, lint
from orchestra.command import app
from typer.testing import CliRunner

GOOD = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: busybox, command: ["true"]}
"""
BAD = GOOD.replace("entrypoint: main", "entrypont: main")
run = CliRunner().invoke


@pytest.fixture
def good(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD)
    return tmp_path / "good.yaml"


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    (tmp_path / "bad.yaml").write_text(BAD)
    return tmp_path / "bad.yaml"


def test_an_error_is_a_line_that_editors_understand_and_exit_code_1(bad: Path) -> None:
    result = run(app, ["lint", str(bad)])
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].startswith(f'{bad}:5:14: error: unknown field "spec.entrypont", did you mean')


def test_without_an_error_it_is_exit_code_0(good: Path) -> None:
    result = run(app, ["lint", str(good)])
    assert (result.exit_code, result.stdout) == (0, "")


def test_warnings_alone_are_no_failure_and_quiet_leaves_them_out(good: Path) -> None:
    good.write_text(GOOD.replace("busybox", "nowhere.example/image:1"))
    result = run(app, ["lint", str(good)])
    assert result.exit_code == 0
    assert f"{good}:8:24: warning: runs on Argo only" in result.stdout
    assert run(app, ["lint", "-q", str(good)]).stdout == ""


def test_json_is_for_programs(bad: Path) -> None:
    result = run(app, ["lint", "--json", str(bad)])
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["errors"], answer["warnings"]) == (1, 1, 0)
    finding = answer["findings"][0]
    assert (finding["file"], finding["line"], finding["column"]) == (str(bad), 5, 14)
    assert (finding["field"], finding["by"], finding["severity"]) == ("spec.entrypont", "api-server", "error")


def test_what_is_no_manifest_in_a_folder_is_passed_over(good: Path) -> None:
    folder = good.parent
    for name in (".orchestra/w/workflow.json", "package.json", "compose.yaml", "list.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("[1, 2]" if name == "list.json" else '{"name": "w", "services": {}}')
    (folder / ".orchestra" / "broken.yaml").write_text("kind: Workflow\nspec: {entrypont: x}\n")
    found = run(app, ["lint", str(folder)])
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", "1 file: nothing to say\n")
    assert run(app, ["lint", str(folder / "package.json")]).exit_code == 1
    (folder / "wide.yaml").write_text("kind: Workflow\nspec: {entrypont: x}\n", encoding="utf-16")
    assert "wide.yaml:2:" in run(app, ["lint", str(folder)]).stdout


def test_a_folder_stands_for_its_manifests_and_a_dash_for_standard_input(good: Path, bad: Path) -> None:
    assert run(app, ["lint", str(good.parent)]).exit_code == 1
    result = run(app, ["lint", "-"], input=BAD)
    assert result.exit_code == 1
    assert result.stdout.startswith("<stdin>:5:14: error")


def test_a_file_that_is_not_there_is_a_wrong_use(tmp_path: Path) -> None:
    result = run(app, ["lint", str(tmp_path / "none.yaml")])
    assert result.exit_code == 2
    assert "none.yaml cannot be read: No such file" in result.stderr
    assert run(app, ["lint", str(tmp_path)]).exit_code == 2
    assert run(app, ["lint"]).exit_code == 2


@pytest.mark.parametrize("size", [20 * 2**20, 2**34])
def test_a_huge_file_is_refused(tmp_path: Path, size: int) -> None:
    huge = tmp_path / "huge.yaml"
    with huge.open("wb") as out:
        out.truncate(size)
    result = run(app, ["lint", str(huge)])
    assert result.exit_code == 1
    assert f"the manifest has {min(size, desk.MOST_READ)} bytes; at most" in result.stdout


def test_control_characters_of_a_manifest_do_not_reach_the_terminal(bad: Path) -> None:
    bad.write_text(GOOD.replace("entrypoint: main", 'entrypoint: "\\e[31mred"'))
    assert "\x1b" not in run(app, ["lint", str(bad)]).stdout


def test_without_the_engine_it_says_what_to_install(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = run(app, ["lint", str(good)])
    assert result.exit_code == 2
    assert "orchestra-engine" in result.stderr


def test_of_very_many_findings_the_worst_are_shown_and_the_rest_is_counted(tmp_path: Path) -> None:
    many = tmp_path / "many.yaml"
    many.write_text("---\n".join(["kind: Pod\n"] * 1000 + ["a: 1\n"] * 3))
    result = run(app, ["lint", str(many)])
    lines = result.stdout.splitlines()
    assert (result.exit_code, len(lines)) == (1, lint.MOST_LINES)
    assert [": error: " in line for line in lines[-3:]] == [True] * 3
    assert f"… and {1003 - lint.MOST_LINES} more" in result.stderr
    assert len(json.loads(run(app, ["lint", "--json", str(many)]).stdout)["findings"]) == 1003


def test_the_pages_hook_for_pre_commit_runs_what_there_is_on_what_it_says(good: Path, bad: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "desk.md").read_text()
    (block,) = (text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if text.startswith("repos:"))
    ((hook,),) = (repo["hooks"] for repo in yaml.safe_load(block)["repos"])
    assert {"id", "name", "entry", "language"} <= hook.keys()
    assert re.match(hook["files"], "workflows/night/storms.yaml")
    assert not re.match(hook["files"], "docs/workflows/storms.yaml")
    program, *words = hook["entry"].split()
    assert program == "orchestra"
    result = run(app, [*words, str(good), str(bad)])
    assert result.exit_code == 1
    found = [re.fullmatch(r"(.+?):(\d+):(\d+): (error|warning|note): .+", line) for line in result.stdout.splitlines()]
    assert {match and match.groups() for match in found} >= {(str(bad), "5", "14", "error")}
    assert None not in found
