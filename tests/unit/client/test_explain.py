"""What `orchestra workflow explain` says of a manifest, without running it."""

from __future__ import annotations

from pathlib import Path

import pytest
from orchestra.command import app
from orchestra.workflow.explain import MOST_LINES, Explanation
from orchestra_engine.images import Image, ImageTable
from orchestra_engine.manifest import load
from typer.testing import CliRunner

CASES = Path(__file__).parents[2] / "conformance" / "cases"
FILES = sorted(p for p in CASES.glob("*/*.yaml") if ".configmaps" not in p.name and p.parent.name != "invalid")
DAG = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  onExit: bye
  arguments: {parameters: [{name: who, value: you}, {name: image}]}
  templates:
  - name: main
    dag:
      tasks:
      - {name: c, template: nested, depends: a && b.Failed}
      - {name: b, template: t, when: "{{workflow.parameters.who}} == me", depends: a}
      - {name: a, template: t, withItems: [x, z], arguments: {parameters: [{name: p, value: "{{item}}"}]}}
  - name: nested
    steps:
    - - {name: one, template: t}
      - {name: two, template: nested, when: "1 == 2"}
    - - {name: three, template: wait, hooks: {exit: {template: t}}}
  - name: t
    inputs:
      parameters: [{name: p, default: nothing}]
      artifacts: [{name: f, path: /work/f, optional: true}]
    outputs: {artifacts: [{name: g, path: /work/g, s3: {key: my/g}}]}
    retryStrategy: {limit: 3}
    timeout: 1h
    container:
      image: "{{workflow.parameters.image}}"
      command: [cat, "{{inputs.artifacts.f.path}}"]
      env: [{name: A, value: b c}, {name: S, valueFrom: {configMapKeyRef: {name: m, key: k}}}]
      resources: {limits: {memory: 200Mi}}
  - name: wait
    suspend: {duration: "90"}
  - name: bye
    script: {image: mine, command: [sh], source: "echo first\\necho second"}
"""


def said(text: str, sandbox: str = "private") -> list[str]:
    images = ImageTable(entries={"mine": Image(path=[Path("/venv/bin")], readonly=[Path("/venv")], env={"X": "y"})})
    return list(Explanation(load(text)[0], {}, images=images, sandbox=sandbox).lines())


def test_the_graph_shows_order_conditions_loops_and_handlers() -> None:
    lines = said(DAG)
    graph = lines[lines.index("Graph") + 1 :]
    assert graph[:11] == [
        "main (dag)",
        "├─ a: t (container)  [retried up to 3 times]  for each of 2 items (x, z); with p = {{item}}",
        "├─ b: t (container)  [retried up to 3 times]  after a; when {{workflow.parameters.who}} == me",
        "└─ c: nested (steps)  after a && b.Failed",
        "   ├─ [0] one: t (container)  [retried up to 3 times]",
        "   ├─ [0] two: nested (steps)  when 1 == 2  (as above)",
        "   └─ [1] three: wait (suspend)",
        "      └─ hook exit: t (container)  [retried up to 3 times]",
        "at the end, however it comes: bye (script)",
        "",
        "t (of a, b, [0] one, hook exit)",
    ]


def test_a_script_of_one_line_is_told_whole() -> None:
    assert "  program     sh FILE, which holds 'echo first'" in said(DAG.replace("echo second", ""))


def test_each_template_says_what_its_nodes_will_see() -> None:
    text = "\n".join(said(DAG))
    for words in (
        "parameter   p (else nothing)",
        "file        /work/f: f, if there is one (from its caller)",
        "program     cat {{inputs.artifacts.f.path}}",
        "image       {{workflow.parameters.image}} (known when it runs)",
        "            A=b c",
        "            S=k of the configMap m",
        "gives       g: the file or folder /work/g, kept as my/g",
        "limits      memory 200Mi, time 1h",
        "waits       for 90 s, or until `orchestra workflow resume`",
        "program     sh FILE, which holds 2 lines from 'echo first' on",
        "image       mine: /venv",
        "environment PATH=/venv/bin:/usr/local/sbin:",
        " X=y",
        "argument image (no value yet: give it with -p)",
    ):
        assert words in text


def test_values_that_are_known_are_put_into_image_names() -> None:
    text = "\n".join(said(DAG.replace("{name: image}", "{name: image, value: mine}")))
    assert text.count("image       mine: /venv") == 2


def test_the_sandbox_is_named() -> None:
    assert "a root of its own (private): cwd /" in "\n".join(said(DAG))
    assert "this machine's files (plain): cwd SCRATCH" in "\n".join(said(DAG, "plain"))


def test_an_unknown_image_is_said_to_be_refused() -> None:
    assert "it would be refused" in "\n".join(said(DAG.replace("image: mine", "image: yours")))


def test_templates_that_call_each_other_twice_are_drawn_once() -> None:
    templates = "".join(
        f"  - name: t{n}\n    steps: [[{{name: a, template: t{n + 1}}}, {{name: b, template: t{n + 1}}}]]\n"
        for n in range(40)
    )
    text = DAG[: DAG.index("  templates:")].replace("onExit: bye", "").replace("entrypoint: main", "entrypoint: t0")
    lines = said(f"{text}  templates:\n{templates}  - name: t40\n    container: {{image: mine, command: [a]}}\n")
    assert sum("(as above)" in line for line in lines) == 39


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_recorded_manifest_can_be_explained(path: Path) -> None:
    lines = said(path.read_text())
    assert lines.index("Graph") >= 1
    assert len(lines) > lines.index("Graph") + 1


def test_the_command_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.yaml").write_text(DAG.replace("image: mine", "image: busybox"))
    result = CliRunner().invoke(app, ["workflow", "explain", "w.yaml", "--sandbox", "plain"])
    assert result.exit_code == 0, result.stderr
    assert "└─ c: nested (steps)" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["w.yaml"]


def test_a_manifest_that_would_be_refused_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(DAG.replace("entrypoint: main", "entrypoint: none"))
    result = CliRunner().invoke(app, ["workflow", "explain", str(tmp_path / "w.yaml")])
    assert result.exit_code == 2
    assert f"{tmp_path}/w.yaml:5:15: error: template name 'none' undefined" in result.stderr


def test_a_graph_of_very_many_lines_is_cut_and_its_programs_are_still_told() -> None:
    head = DAG.partition("  entrypoint")[0] + "  entrypoint: t0\n  templates:\n"
    many = "".join(
        f"  - name: t{n}\n    dag:\n      tasks:\n"
        + "".join(f"      - {{name: a{m}, template: t{(n + m) % 60 if m % 2 else 60}}}\n" for m in range(60))
        for n in range(60)
    )
    lines = said(head + many + "  - {name: t60, container: {image: mine, command: [last]}}\n")
    assert len(lines) < MOST_LINES + 20
    (more,) = (line for line in lines if line.startswith("… and "))
    assert int(more.split()[2]) > 1000
    assert "  program     last" in lines


def test_a_template_that_runs_itself_is_drawn_once() -> None:
    lines = said(
        DAG.partition("  templates")[0]
        + """  templates:
  - name: main
    steps: [[{name: again, template: main, when: "{{workflow.parameters.who}} == x"}], [{name: s, template: bye}]]
  - name: bye
    script: {image: mine, command: [sh], source: "echo only"}
"""
    )
    assert lines[lines.index("Graph") + 1 :][:3] == [
        "main (steps)",
        "├─ [0] again: main (steps)  when {{workflow.parameters.who}} == x  (as above)",
        "└─ [1] s: bye (script)",
    ]
    assert "  program     sh FILE, which holds 'echo only'" in lines


@pytest.mark.parametrize(
    ("strategy", "words"),
    [("{limit: 1}", "[retried once]"), ("{limit: 2}", "[retried up to 2 times]"), ("{}", "without end")],
)
def test_how_often_a_node_is_tried_is_said_in_good_english(strategy: str, words: str) -> None:
    assert any(words in line for line in said(DAG.replace("{limit: 3}", strategy)))


def test_what_will_fail_when_it_runs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = DAG.replace("image: mine", "image: busybox").replace("a && b.Failed", "a &&")
    Path("w.yaml").write_text(text)
    result = CliRunner().invoke(app, ["workflow", "explain", "w.yaml"])
    assert result.exit_code == 0, result.stderr
    assert "\nFails when it runs\n  spec.templates[0].dag.tasks[0].depends: unable to evaluate" in result.stdout
