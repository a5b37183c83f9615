"""`orchestra workflow run`: exit codes, files, standard input, names, and the objects beside a workflow."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.acceptance.desk.command import HEAD, PATIENCE, Desk, manifest, shell

GOOD = manifest(shell("main", "echo hello"))
BAD = manifest(shell("main", "for i in $(seq 30); do echo line $i; done; exit 3"))
TEMPLATES = """\
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: tools}
spec:
  arguments: {parameters: [{name: who, value: nobody}]}
  entrypoint: main
  templates:
  - name: main
    steps: [[{name: a, template: say, arguments: {parameters: [{name: who, value: "{{workflow.parameters.who}}"}]}}]]
  - name: say
    inputs: {parameters: [{name: who}]}
    container: {image: busybox, command: [sh, -c], args: ["echo hello {{inputs.parameters.who}}"]}
"""


def test_success_is_exit_code_0_and_failure_1(desk: Desk, sandbox: str) -> None:
    good = desk.call("workflow", "run", desk.write(GOOD), "--sandbox", sandbox)
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.splitlines()[-1].startswith("w Succeeded after ")
    assert desk.log("w") == "hello\n"
    bad = desk.call("workflow", "run", desk.write(BAD), "--name", "bad", "--sandbox", sandbox)
    assert bad.returncode == 1
    assert "bad is Failed: main: Error (exit code 3)" in bad.stdout
    assert "    line 30\n" in bad.stdout
    assert "    line 20\n" not in bad.stdout, "only the last lines are shown"


def test_a_manifest_may_come_from_standard_input(desk: Desk) -> None:
    result = desk.call("workflow", "run", "-", "--status-out", "-", given=GOOD)
    assert result.returncode == 0
    assert json.loads(result.stdout)["status"]["phase"] == "Succeeded"
    assert "w Succeeded" in result.stderr


@pytest.mark.parametrize("file", ["out.json", "out.yaml"])
def test_status_out_holds_the_whole_workflow_with_argos_status(desk: Desk, file: str) -> None:
    assert desk.call("workflow", "run", desk.write(BAD), "--status-out", file).returncode == 1
    whole = yaml.safe_load((desk.folder / file).read_text())
    assert (whole["kind"], whole["metadata"]["name"], whole["spec"]["entrypoint"]) == ("Workflow", "w", "main")
    assert whole["status"]["nodes"]["w"]["outputs"] == {"exitCode": "3"}
    assert "orchestra" not in whole["status"]


def test_a_status_file_that_cannot_be_written_is_said_before_anything_runs(desk: Desk) -> None:
    result = desk.call("workflow", "run", desk.write(GOOD), "--status-out", "no/such/folder.json")
    assert result.returncode == 2
    assert "no/such/folder.json" in result.stderr
    assert not (desk.folder / ".orchestra").exists()


def test_a_device_or_pipe_for_the_status_is_written_to_and_not_replaced(desk: Desk, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
    assert desk.call("workflow", "run", desk.write(GOOD), "--status-out", "pipe").returncode == 0
    out, _ = reader.communicate(timeout=PATIENCE)
    assert json.loads(out)["status"]["phase"] == "Succeeded"
    assert pipe.is_fifo()
    full = desk.call("workflow", "run", "w.yaml", "--status-out", "/dev/full")
    assert full.returncode == 2
    assert "--status-out /dev/full: No space left on device" in full.stderr
    assert Path("/dev/full").is_char_device()


def test_a_status_file_is_replaced_through_a_link_and_has_the_usual_permissions(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("below/real.json")
    (tmp_path / "usual").touch()
    assert desk.call("workflow", "run", desk.write(GOOD), "--status-out", "link.json").returncode == 0
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "below" / "real.json").read_text())["status"]["phase"] == "Succeeded"
    assert (tmp_path / "below" / "real.json").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_reader_that_went_away_does_not_end_the_workflow(desk: Desk) -> None:
    steps = "  - name: main\n    steps: [[{name: a, template: t}], [{name: b, template: t}]]\n"
    desk.write(manifest(steps + shell("t", "sleep 0.3; echo done")))
    command = desk.start("workflow", "run", "w.yaml")
    assert command.stdout is not None
    command.stdout.readline()
    command.stdout.close()
    assert command.wait(timeout=PATIENCE) == 0
    assert desk.log("w[1].b") == "done\n"


def test_parameters_are_given_on_the_command_line(desk: Desk) -> None:
    head = HEAD + "  arguments: {parameters: [{name: a}, {name: b, value: two}]}\n"
    text = manifest(shell("main", "echo {{workflow.parameters.a}} {{workflow.parameters.b}}"), head)
    assert desk.call("workflow", "run", desk.write(text), "-p", "a=x=y z").returncode == 0
    assert desk.log("w") == "x=y z two\n"
    missing = desk.call("workflow", "run", "w.yaml", "--name", "none")
    assert missing.returncode == 2
    assert "w.yaml:6:" in missing.stderr
    unknown = desk.call("workflow", "run", "w.yaml", "-p", "a=1", "-p", "c=1", "--name", "none")
    assert unknown.returncode == 2
    assert "it has: a, b" in unknown.stderr
    assert desk.call("workflow", "run", "w.yaml", "-p", "a").returncode == 2


def test_a_second_run_of_a_file_gets_a_name_of_its_own(desk: Desk) -> None:
    desk.write(GOOD)
    for name in ("w", "w-2", "w-3"):
        assert f"{name} Succeeded" in desk.call("workflow", "run", "w.yaml").stdout
    taken = desk.call("workflow", "run", "w.yaml", "--name", "w-2")
    assert taken.returncode == 2
    assert "workflow delete w-2" in taken.stderr


def test_generated_names_never_meet(desk: Desk) -> None:
    desk.write(GOOD.replace("{name: w}", "{generateName: gen-}"))
    assert desk.call("workflow", "run", "w.yaml").returncode == 0
    assert desk.call("workflow", "run", "w.yaml").returncode == 0
    names = [one["name"] for one in json.loads(desk.call("workflow", "list", "--json").stdout)]
    assert len(set(names)) == 2
    assert all(name.startswith("gen-") for name in names)


def test_templates_configmaps_and_secrets_of_the_file_are_used(desk: Desk) -> None:
    text = f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data: {{greeting: good morning}}
---
apiVersion: v1
kind: Secret
metadata: {{name: key}}
stringData: {{word: sesame}}
---
{HEAD}  templates:
  - name: main
    steps:
    - - {{name: a, templateRef: {{name: tools, template: say}}, arguments: {{parameters: [{{name: who, value: you}}]}}}}
      - {{name: b, template: look}}
  - name: look
    container:
      image: busybox
      command: [sh, -c, "echo $GREETING $WORD"]
      env:
      - {{name: GREETING, valueFrom: {{configMapKeyRef: {{name: settings, key: greeting}}}}}}
      - {{name: WORD, valueFrom: {{secretKeyRef: {{name: key, key: word}}}}}}
{TEMPLATES}"""
    result = desk.call("workflow", "run", desk.write(text))
    assert (result.returncode, result.stderr) == (0, "")
    assert desk.log("w[0].a") == "hello you\n"
    assert desk.log("w[0].b") == "good morning sesame\n"


def test_configmaps_may_be_files_of_their_own(desk: Desk) -> None:
    head = HEAD + "  arguments: {parameters: [{name: a, valueFrom: {configMapKeyRef: {name: settings, key: k}}}]}\n"
    text = manifest(shell("main", "echo {{workflow.parameters.a}}"), head)
    label = "labels: {workflows.argoproj.io/configmap-type: Parameter}"
    configmap = f"{{kind: ConfigMap, metadata: {{name: settings, {label}}}, data: {{k: from a file}}}}\n"
    desk.write(configmap, "settings.yaml")
    assert desk.call("workflow", "run", desk.write(text), "--configmap", "settings.yaml").returncode == 0
    assert desk.log("w") == "from a file\n"
    wrong = desk.call("workflow", "run", "w.yaml", "--configmap", "w.yaml", "--name", "x")
    assert wrong.returncode == 2
    assert "has to hold ConfigMaps" in wrong.stderr


def test_a_workflow_template_alone_is_run(desk: Desk) -> None:
    desk.write(TEMPLATES)
    result = desk.call("workflow", "run", "w.yaml", "-p", "who=me", "--name", "t")
    assert (result.returncode, result.stderr) == (0, "")
    assert desk.log("t[0].a", "t") == "hello me\n"


def test_artifacts_go_from_step_to_step_and_stay_in_the_folder(desk: Desk, sandbox: str) -> None:
    text = manifest("""\
  - name: main
    steps:
    - - {name: make, template: make}
    - - name: use
        template: use
        arguments: {artifacts: [{name: in, from: "{{steps.make.outputs.artifacts.out}}"}]}
  - name: make
    outputs: {artifacts: [{name: out, path: /tmp/out, archive: {none: {}}}]}
    container: {image: busybox, command: [sh, -c], args: ["echo data > {{outputs.artifacts.out.path}}"]}
  - name: use
    inputs: {artifacts: [{name: in, path: /tmp/in}]}
    container: {image: busybox, command: [cat, "{{inputs.artifacts.in.path}}"]}
""")
    assert desk.call("workflow", "run", desk.write(text), "--sandbox", sandbox).returncode == 0
    assert desk.log("w[1].use") == "data\n"
    kept = [path for path in (desk.folder / ".orchestra" / "artifacts").rglob("*") if path.is_file()]
    assert [path.read_text() for path in kept] == ["data\n"]


def test_with_a_server_nothing_is_run_here(desk: Desk) -> None:
    result = desk.call("workflow", "run", desk.write(GOOD), "--server", "http://127.0.0.1:9")
    assert result.returncode in (2, 3)
    assert "http://127.0.0.1:9" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (desk.folder / ".orchestra").exists()


def test_the_folder_keeps_itself_out_of_git(desk: Desk) -> None:
    desk.call("workflow", "run", desk.write(GOOD))
    assert (desk.folder / ".orchestra" / ".gitignore").read_text() == "*\n"


def test_another_folder_can_be_given(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "else where"
    assert desk.call("workflow", "run", desk.write(GOOD), "--folder", str(other)).returncode == 0
    assert (other / "w" / "workflow.json").exists()
    assert not (desk.folder / ".orchestra").exists()


def test_on_a_terminal_the_tree_is_drawn(desk: Desk) -> None:
    desk.write(BAD)
    status, text = desk.on_terminal("workflow", "run", "w.yaml")
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    assert status == 1
    assert "STEP" in text
    assert "✖ w" in text
    assert "w Failed after" in text.splitlines()[-1]


def test_a_reader_of_logs_may_go_away(desk: Desk) -> None:
    assert desk.call("workflow", "run", desk.write(manifest(shell("main", "seq 300000")))).returncode == 0
    logs = desk.start("workflow", "logs", "w")
    assert logs.stdout is not None
    assert logs.stdout.readline() == "1\n"
    logs.stdout.close()
    assert logs.wait(timeout=PATIENCE) == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_a_folder_of_somebody_else_can_be_looked_at_and_says_what_to_do(desk: Desk, tmp_path: Path) -> None:
    assert desk.call("workflow", "run", desk.write(GOOD)).returncode == 0
    place = tmp_path / ".orchestra"
    (place / ".lock").chmod(0)
    place.chmod(0o500)
    try:
        assert "w " in desk.call("workflow", "list").stdout
        assert desk.call("workflow", "explain", "w.yaml").returncode == 0
        refused = desk.call("workflow", "run", "w.yaml")
    finally:
        place.chmod(0o700)
        (place / ".lock").chmod(0o600)
    assert refused.returncode == 2
    assert "Permission denied. Use a folder of your own with --folder." in refused.stderr


def test_a_workflow_template_is_found_once_a_file_has_brought_it(desk: Desk) -> None:
    call = "steps: [[{name: a, templateRef: {name: tools, template: main}}]]"
    desk.write(
        manifest(f"  - name: main\n    {call}\n", HEAD + "  arguments: {parameters: [{name: who, value: you}]}\n")
    )
    lost = desk.call("workflow", "run", "w.yaml")
    assert lost.returncode == 2
    assert "template reference tools.main not found; its WorkflowTemplate has to stand in the same file" in lost.stderr
    place = desk.folder / ".orchestra" / "workflowtemplates"
    place.mkdir(parents=True)
    (place / "mine.yaml").write_text(TEMPLATES)
    assert desk.call("workflow", "run", "w.yaml").returncode == 0
    assert desk.call("workflow", "logs", "w").stdout == "hello you\n"
    (place / "mine.yaml").unlink()
    assert desk.call("workflow", "run", desk.write(TEMPLATES, "tools.yaml")).returncode == 0
    assert desk.call("workflow", "run", "w.yaml").returncode == 0
