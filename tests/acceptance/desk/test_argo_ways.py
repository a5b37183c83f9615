"""What who knows `argo` types: selectors, `node set`, `@latest`, what succeeded once more; what is ignored is told."""

from __future__ import annotations

from tests.acceptance.desk.command import Desk, manifest, shell

GATES = manifest(
    """\
  - name: main
    dag:
      tasks:
      - {name: one, template: gate, arguments: {parameters: [{name: who, value: me}]}}
      - {name: two, template: gate, arguments: {parameters: [{name: who, value: you}]}}
      - name: three
        template: say
        depends: one && two
        arguments: {parameters: [{name: what, value: "{{tasks.one.outputs.parameters.v}}"}]}
  - name: gate
    inputs: {parameters: [{name: who}]}
    suspend: {}
    outputs: {parameters: [{name: v, valueFrom: {supplied: {}, default: none}}]}
  - name: say
    inputs: {parameters: [{name: what}]}
    container: {image: busybox, command: [echo, "{{inputs.parameters.what}}"]}
"""
)
SELECT = "--node-field-selector"


def waiting(desk: Desk) -> int:
    return sum(phase == "Running" for name, phase in desk.phases().items() if name in ("w.one", "w.two"))


def test_gates_are_chosen_by_fields_supplied_and_opened(desk: Desk) -> None:
    run = desk.start("workflow", "run", desk.write(GATES))
    desk.wait(lambda: desk.phase() == "Running" and waiting(desk) == 2, "both gates wait")
    supplied = ("inputs.parameters.who.value=me", "-p", "v=hello", "-m", "I did")
    assert desk.call("workflow", "node", "set", "@latest", SELECT, *supplied).returncode == 0
    assert waiting(desk) == 2
    assert desk.call("workflow", "resume", "@latest", SELECT, "displayName!=two").returncode == 0
    desk.wait(lambda: waiting(desk) == 1, "one gate is open")
    assert desk.call("workflow", "node", "set", "w", SELECT, "name=w.two", "--phase", "Succeeded").returncode == 0
    assert "w Succeeded" in desk.end(run)
    nodes = {node["name"]: node for node in desk.workflow()["status"]["nodes"].values()}
    assert nodes["w.one"]["message"] == "I did"
    assert desk.log("w.three") == "hello\n"


def test_a_gate_can_be_failed_alone(desk: Desk) -> None:
    run = desk.start("workflow", "run", desk.write(GATES))
    desk.wait(lambda: desk.phase() == "Running" and waiting(desk) == 2, "both gates wait")
    assert desk.call("workflow", "stop", "w", SELECT, "displayName=one", "--message", "not now").returncode == 0
    assert desk.call("workflow", "resume", "w").returncode == 0
    out = desk.end(run)
    assert run.returncode == 1
    assert "w.one is Failed: not now" in out
    assert desk.phases()["w.three"] == "Omitted"


def test_what_succeeded_runs_again_if_it_is_asked_for(desk: Desk) -> None:
    text = manifest(
        "  - name: main\n    steps:\n    - [{name: a, template: t}]\n    - [{name: b, template: t}]\n"
        + shell("t", "date +%s%N")
    )
    assert desk.call("workflow", "run", desk.write(text)).returncode == 0
    first = {node: desk.log(node) for node in ("w[0].a", "w[1].b")}
    again = desk.call("workflow", "retry", "@latest", "--restart-successful", SELECT, "displayName=b")
    assert again.returncode == 0, again.stderr
    assert desk.log("w[0].a") == first["w[0].a"]
    assert desk.log("w[1].b") not in ("", first["w[1].b"])


def test_what_is_ignored_is_told_once_and_not_as_output(desk: Desk) -> None:
    text = manifest(shell("main", "true")).replace("  entrypoint", "  nodeSelector: {gpu: a}\n  entrypoint")
    result = desk.call("workflow", "run", desk.write(text))
    assert result.returncode == 0
    assert result.stderr.startswith("w.yaml:5:17: note: ignored: ")
    assert result.stderr.count("spec.nodeSelector") == 1
    assert "ignored" not in result.stdout


def test_a_workflow_that_fails_without_a_program_says_why(desk: Desk) -> None:
    text = manifest('  - name: main\n    steps: [[{name: a, template: t, withParam: "[1"}]]\n' + shell("t", "true"))
    result = desk.call("workflow", "run", desk.write(text))
    assert result.returncode == 1
    assert "w[0] is Error: withParam value could not be parsed as a JSON list: [1" in result.stdout


def test_a_name_may_have_dots(desk: Desk) -> None:
    assert desk.call("workflow", "run", desk.write(manifest(shell("main", "echo hi"))), "--name", "a.b").returncode == 0
    assert desk.call("workflow", "logs", "a.b").stdout == "hi\n"
    assert desk.call("workflow", "delete", "a.b", "a.b").stdout == "Deleted a.b.\n"


def test_a_refusal_for_the_plain_sandbox_says_what_the_machine_has(desk: Desk) -> None:
    text = manifest(shell("main", "echo x > /tmp/x") + "    outputs: {artifacts: [{name: o, path: /tmp/x}]}\n")
    result = desk.call("workflow", "run", desk.write(text), "--sandbox", "plain")
    assert result.returncode == 2
    assert "write {{outputs.artifacts.o.path}} instead" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("This machine can")
    assert not (desk.folder / ".orchestra").exists()
