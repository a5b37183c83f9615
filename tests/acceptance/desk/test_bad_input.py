"""Manifests that no engine should choke on: a clear error, exit code 2 (or a workflow that failed), nothing left."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.acceptance.desk.command import HEAD, Desk, manifest, shell

GOOD = manifest(shell("main", "true"))


def bomb() -> str:
    lines = ['a: &a ["x","x","x","x","x","x","x","x","x"]']
    lines += [f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]" for n in range(9)]
    return "\n".join(lines)


def nested(depth: int) -> str:
    return GOOD + "  arguments: " + "{a: " * depth + "1" + "}" * depth + "\n"


REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "20 MB": (lambda: GOOD + f"# {'x' * (20 * 2**20)}\n", "1.5 MiB"),
    "alias bomb": (bomb, "values"),
    "alias of itself": (lambda: "a: &a [*a]\n", "stands inside"),
    "deep": (lambda: nested(5000), "nested"),
    "no YAML": (lambda: "a: [1,\n", "w.yaml:2:1: error"),
    "not UTF-8": (lambda: GOOD + "# \udcff\n", "UTF-8"),
    "control characters": (lambda: GOOD + "# \x00\n", "error"),
    "empty": (lambda: "", "no document of kind Workflow"),
    "a list": (lambda: "- a\n- b\n", "has to be a mapping"),
    "another kind": (lambda: GOOD.replace("kind: Workflow", "kind: Pod"), "'Pod' cannot be run here"),
    "two workflows": (lambda: GOOD + "---\n" + GOOD, "2 workflows"),
    "no spec": (lambda: GOOD.partition("spec:")[0], "error"),
    "unknown field": (lambda: GOOD.replace("entrypoint: main", "entrypont: main"), 'unknown field "spec.entrypont"'),
    "number for a text": (lambda: GOOD.replace("entrypoint: main", "entrypoint: 3"), "spec.entrypoint"),
    "no name": (lambda: GOOD.replace("{name: w}", "{}"), "metadata.name"),
    "unicode name": (lambda: GOOD.replace("{name: w}", "{name: größe}"), "metadata.name"),
    "a path for a name": (lambda: GOOD.replace("{name: w}", "{name: ../../w}"), "metadata.name"),
    "a name of the folder's own": (lambda: GOOD.replace("{name: w}", "{name: artifacts}"), "metadata.name"),
    "unknown image": (lambda: GOOD.replace("busybox", "nowhere.example/x:1"), "nowhere.example/x:1"),
    "privileged": (
        lambda: GOOD.replace("image: busybox", "image: busybox, securityContext: {privileged: true}"),
        "privileged",
    ),
    "a cycle": (
        lambda: manifest(
            "  - name: main\n    dag:\n      tasks:\n"
            "      - {name: a, template: t, depends: b}\n      - {name: b, template: t, depends: a}\n"
            + shell("t", "true")
        ),
        "graph with cycle",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_manifest_that_cannot_be_run_is_refused_and_leaves_nothing(desk: Desk, name: str) -> None:
    make, words = REFUSED[name]
    (desk.folder / "w.yaml").write_text(make(), encoding="utf-8", errors="surrogateescape")
    result = desk.call("workflow", "run", "w.yaml")
    assert (result.returncode, result.stdout) == (2, "")
    assert words in result.stderr
    assert "w.yaml:" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (desk.folder / ".orchestra").exists()


def test_everything_that_cannot_run_here_is_told_at_once(desk: Desk) -> None:
    other = "  - name: b\n    container: {image: 'nowhere.example/x:1', command: [x]}\n"
    desk.write(manifest("  - name: main\n    daemon: true\n    container: {image: 'nowhere.example/y:1'}\n" + other))
    result = desk.call("workflow", "run", "w.yaml")
    assert (result.returncode, result.stdout) == (2, "")
    places = [line.rpartition("(")[2].rstrip(")") for line in result.stderr.splitlines()]
    assert sorted(places) == [
        "spec.templates[0].container.command",
        "spec.templates[0].container.image",
        "spec.templates[0].daemon",
        "spec.templates[1].container.image",
    ]


def test_a_fault_of_a_cron_workflow_is_where_it_stands(desk: Desk) -> None:
    desk.write(
        "apiVersion: argoproj.io/v1alpha1\nkind: CronWorkflow\nmetadata: {name: nightly}\nspec:\n"
        "  schedules: ['0 3 * * *']\n  workflowSpec:\n    entrypoint: main\n    templates:\n    - name: main\n"
        "      container: {image: busybox, command: [x], tty: yes please}\n"
    )
    result = desk.call("workflow", "run", "w.yaml")
    assert result.returncode == 2
    assert result.stderr.startswith("w.yaml:10:")
    assert "spec.workflowSpec.templates[0].container.tty" in result.stderr


@pytest.mark.parametrize(
    "words", [["none.yaml"], ["."], ["w.yaml", "--configmap", "none.yaml"], ["w.yaml", "--sandbox", "strange"]]
)
def test_wrong_words_are_exit_code_2_and_leave_nothing(desk: Desk, words: list[str]) -> None:
    desk.write(GOOD)
    result = desk.call("workflow", "run", *words)
    assert result.returncode == 2
    assert result.stderr
    assert "Traceback" not in result.stderr
    assert not (desk.folder / ".orchestra").exists()


def steps(step: str, *others: str) -> str:
    return manifest(f"  - name: main\n    steps: [[{step}]]\n" + "".join(others))


FAILING: dict[str, tuple[str, str]] = {
    "a million numbers": (
        steps("{name: a, template: t, withSequence: {start: '1', end: '1000000'}}", shell("t", "true")),
        "1000000 items",
    ),
    "a million items": (steps("{name: a, template: t, withSequence: {count: '1000000'}}", shell("t", "true")), "items"),
    "recursion without end": (steps("{name: a, template: main}"), "recursion depth"),
    "a huge expression": (
        steps(
            "{name: a, template: t, when: \"{{=len(map(1..100000, {map(1..100000, {#})}))}} > 1\"}", shell("t", "true")
        ),
        "steps",
    ),
    "nobody's parameter": (
        manifest("""\
  - name: main
    steps: [[{name: a, template: t, withParam: "no json"}]]
"""
        + shell("t", "true")), "withParam"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILING)
def test_a_workflow_that_cannot_end_well_ends_soon_and_says_why(desk: Desk, name: str) -> None:
    text, words = FAILING[name]
    result = desk.call("workflow", "run", desk.write(text))
    assert result.returncode in (1, 2)
    assert words in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    if result.returncode == 1:
        assert desk.phase() in ("Failed", "Error")
        assert not list((desk.folder / ".orchestra" / "w").glob("nodes/*/started"))


def test_a_folder_that_cannot_be_written_is_said(desk: Desk) -> None:
    desk.write(GOOD)
    (desk.folder / "file").write_text("")
    result = desk.call("workflow", "run", "w.yaml", "--folder", "file/below")
    assert result.returncode == 2
    assert "Not a directory" in result.stderr


def test_values_never_reach_a_shell(desk: Desk) -> None:
    head = HEAD + "  arguments: {parameters: [{name: a}]}\n"
    text = "  - name: main\n    container: {image: busybox, command: [echo, '{{workflow.parameters.a}}']}\n"
    value = "$(touch broken); `touch broken` \"'{{workflow.name}} & | \n ü"
    assert desk.call("workflow", "run", desk.write(manifest(text, head)), "-p", f"a={value}").returncode == 0
    assert "$(touch broken); `touch broken` \"'" in desk.log("w")
    assert not list(desk.folder.rglob("broken"))
