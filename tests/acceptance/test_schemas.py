"""Schemas over HTTP with real processes: added, run with arguments, their outputs, cancelled, retried."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from orchestra import errors

from tests.acceptance.serving import ROOT, Orchestra, until
from tests.bad_manifests import BAD

HOURS = ROOT / "tests" / "workflows" / "hours.yaml"
SLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: slow-}
spec:
  entrypoint: main
  onExit: bye
  arguments: {parameters: [{name: code, value: "0"}]}
  templates:
    - name: main
      script: {image: busybox, command: [sh], source: "echo started; sleep 600"}
    - name: bye
      script: {image: busybox, command: [sh], source: "echo bye"}
"""

ASKS = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: asks-}
spec:
  entrypoint: main
  suspend: true
  templates:
    - name: main
      steps:
        - - {name: approve, template: approve}
        - - name: say
            template: say
            arguments: {parameters: [{name: verdict, value: "{{steps.approve.outputs.parameters.verdict}}"}]}
    - name: approve
      suspend: {}
      outputs: {parameters: [{name: verdict, valueFrom: {supplied: {}}}]}
    - name: say
      inputs: {parameters: [{name: verdict}]}
      container: {image: busybox, command: [echo, "said {{inputs.parameters.verdict}}"]}
"""


@pytest.mark.main_job
def test_a_schema_is_added_run_and_its_outputs_fetched(orchestra: Orchestra) -> None:
    saved = orchestra.client.add_schema(HOURS.read_text())
    assert (saved["name"], saved["inputs"]["properties"]["count"]["maximum"]) == ("hours", 24)
    with pytest.raises(errors.Invalid) as raised:
        orchestra.client.run_schema("hours", arguments={"count": "25", "other": "x"})
    assert {fault.path for fault in raised.value.faults} == {"count", "other"}
    execution = orchestra.client.run_schema("hours", arguments={"count": "3"})
    ended = orchestra.ended(execution["id"])
    assert ended["state"] == "SUCCEEDED", orchestra.why(execution["id"])
    assert ended["results"] == {"last": "3"}
    [file] = ended["outputs"]
    content = b"".join(orchestra.client.read_output(execution["id"], original=True))
    assert content.startswith(b"2001-03-28T00:00:00 2001-03-28T00:30:00\n")
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert orchestra.client.catalog(execution["id"])["total"] == 3
    assert orchestra.text_of(execution["id"]) == b"wrote 3 hours\n"


def test_a_run_is_cancelled_with_its_exit_handler_and_retried(orchestra: Orchestra) -> None:
    execution = orchestra.client.send_manifest(SLOW)["id"]
    orchestra.until_log(execution, b"started")
    orchestra.client.cancel(execution)
    ended = orchestra.ended(execution)
    assert ended["state"] == "CANCELLED"
    assert b"bye" in orchestra.text_of(execution)
    again = orchestra.client.retry(execution)
    assert again["attempt"] == 2
    until(lambda: b"started" in orchestra.text_of(execution), what="the second attempt's log")
    orchestra.client.cancel(execution)
    assert orchestra.ended(execution)["state"] == "CANCELLED"


def test_what_waits_for_somebody_is_resumed_with_a_value(orchestra: Orchestra) -> None:
    execution = orchestra.client.send_manifest(ASKS)["id"]
    until(lambda: orchestra.client.execution(execution)["state"] == "SUBMITTED", what="the suspended workflow")
    assert orchestra.command("resume", execution).returncode == 0
    until(lambda: orchestra.client.execution(execution)["nodes"], what="the node that waits")
    missing = orchestra.command("resume", execution, "--node", "approve")
    assert (missing.returncode, "parameters.verdict: approve waits for this value" in missing.stderr) == (2, True)
    went = orchestra.command("resume", execution, "--node", "approve", "-p", "verdict=yes", "--wait")
    assert went.returncode == 0, went.stderr
    assert orchestra.text_of(execution) == b"said yes\n"


def test_the_commands_add_run_and_remove(orchestra: Orchestra, tmp_path: Path) -> None:
    file = tmp_path / "counted.yaml"
    file.write_text(HOURS.read_text().replace("hours-", "counted-"))
    (tmp_path / "counted.inputs.json").write_text('{"count": {"maximum": 5}}')
    assert orchestra.command("schema", "add", file).stdout == "counted: version 1\n"
    assert "counted" in orchestra.command("schema", "list").stdout
    shown = json.loads(orchestra.command("schema", "show", "counted", "--json").stdout)
    assert shown["inputs"]["properties"]["count"]["maximum"] == 5
    ran = orchestra.command("schema", "run", "counted", "-p", "count=4")
    assert (ran.returncode, "last = 4" in ran.stdout) == (0, True), ran.stderr
    assert orchestra.command("schema", "run", "counted", "-p", "count=6").returncode == 2
    sent = orchestra.command("workflow", "run", file, "--server", orchestra.url, "-p", "count=9")
    assert (sent.returncode, "last = 9" in sent.stdout) == (0, True), sent.stderr
    file.write_text(file.read_text().replace("entrypoint", "entrypont"))
    faulty = orchestra.command("schema", "add", file)
    assert (faulty.returncode, f"{file}:9:" in faulty.stderr) == (2, True), faulty.stderr
    assert orchestra.command("schema", "remove", "counted").returncode == 0
    assert orchestra.command("schema", "remove", "predict").returncode == 2


@pytest.mark.parametrize("name", ["20 MB", "an alias bomb", "100,000 lists in lists", "a tag of Python's"])
def test_a_bad_manifest_is_refused_by_the_programs_as_they_are_started(
    orchestra: Orchestra, tmp_path: Path, name: str
) -> None:
    make, words = BAD[name]
    (tmp_path / "w.yaml").write_text(make())
    listed = orchestra.client.schemas()
    for arguments in (["schema", "add", "w.yaml"], ["workflow", "run", "w.yaml", "--server", orchestra.url]):
        argv = [sys.executable, "-m", "orchestra", *arguments]
        env = {**os.environ, "ORCHESTRA_SERVER": orchestra.url}
        ended = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert re.search(words, ended.stderr)
        assert "Traceback" not in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["w.yaml"]
    assert orchestra.client.schemas() == listed


GREETINGS = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: kept-greetings}
spec:
  templates:
    - name: greet
      script: {image: busybox, command: [sh], source: "echo first template"}
"""
GREETING = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: kept}
spec:
  entrypoint: main
  onExit: bye
  templates:
    - name: main
      script: {image: busybox, command: [sh], source: "echo started; sleep 600"}
    - name: bye
      steps:
        - - {name: greet, templateRef: {name: kept-greetings, template: greet}}
        - - {name: end, template: end}
    - name: end
      script: {image: busybox, command: [sh], source: "echo first schema"}
"""


def test_a_running_execution_keeps_the_schema_and_the_templates_that_it_began_with(orchestra: Orchestra) -> None:
    running = []
    for word in ("first", "second"):
        for text in (GREETINGS, GREETING):
            orchestra.client.add_schema(text.replace("first", word))
        running.append(orchestra.client.run_schema("kept")["id"])
        orchestra.until_log(running[-1], b"started")
    for version, (execution, word) in enumerate(zip(running, (b"first", b"second"), strict=True), start=1):
        orchestra.client.cancel(execution)
        ended = orchestra.ended(execution)
        assert ended["schema"] == {"name": "kept", "version": version}
        assert ended["templates"] == [{"name": "kept-greetings", "version": version}]
        log = orchestra.text_of(execution)
        assert (word + b" template" in log, word + b" schema" in log) == (True, True), log
