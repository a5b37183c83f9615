"""A workflow that would never end, or never fit, ends at once and says why."""

from __future__ import annotations

import time
from typing import Any

import pytest
from orchestra_engine import workflow
from orchestra_engine.pod import Pod

from tests.unit.engine.simulate import Script, Simulation, succeeds

POD = "- name: t\n  container: {image: busybox, command: ['true']}\n"


def _main(step: str) -> str:
    return f"entrypoint: main\ntemplates:\n- name: main\n  steps:\n  - - {step}\n{POD}"


@pytest.mark.parametrize(
    ("spec", "phase", "words"),
    [
        (_main("{name: a, template: main}"), "Error", "more than 100 deep"),
        (
            "entrypoint: main\ntemplates:\n"
            "- {name: main, dag: {tasks: [{name: a, template: other}]}}\n"
            "- {name: other, retryStrategy: {limit: 3}, steps: [[{name: a, template: main}]]}\n",
            "Error",
            "more than 100 deep",
        ),
        (_main('{name: a, template: t, withSequence: {count: "1000000"}}'), "Failed", "at most 20000"),
        (_main('{name: a, template: t, withParam: "{{=toJson(1..999999)}}"}'), "Failed", "memory budget exceeded"),
        (
            _main('{name: a, template: t, when: "{{=len(map(1..90000, {map(1..90000, {#})})) > 1}}"}'),
            "Error",
            "the expression takes more",
        ),
        (
            _main("{name: a, template: t, when: \"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' =~ '^(a+)+$'\"}"),
            "Succeeded",
            "Skipped",
        ),
    ],
    ids=["itself", "each-other", "million", "million-by-expression", "endless", "regular-expression"],
)
def test_it_ends_at_once(spec: str, phase: str, words: str) -> None:
    begun = time.process_time()
    status = Simulation(_loaded(spec)).run()
    assert status["phase"] == phase
    assert words in str(status)
    assert time.process_time() - begun < 3


_NESTED = """
entrypoint: main
templates:
- name: main
  steps:
  - - {name: a, template: middle, withSequence: {count: "1000"}}
- name: middle
  steps:
  - - {name: a, template: inner, withSequence: {count: "1000"}}
- name: inner
  steps:
  - - {name: a, template: t, withSequence: {count: "1000"}}
"""


def _loaded(spec: str) -> dict[str, Any]:
    (manifest,) = workflow.load(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n"
        + "".join(f"  {line}\n" for line in spec.splitlines())
    )
    return manifest


def test_a_workflow_that_grows_beyond_the_limit_ends_without_starting_anything() -> None:
    simulation = Simulation(_loaded(_NESTED + POD), keyword={"max_nodes": 300})
    status = simulation.run()
    assert status["phase"] == "Error"
    assert status["message"].endswith("the workflow has more than 300 nodes, the most that are allowed here")
    assert len(status["nodes"]) == 300
    assert all(node["phase"] in workflow.FINAL for node in status["nodes"].values())
    assert (simulation.started, simulation.kills) == ({}, [])


def test_what_runs_already_is_ended_when_the_workflow_grows_beyond_the_limit() -> None:
    spec = (
        "entrypoint: main\ntemplates:\n- name: main\n  dag:\n    tasks:\n"
        "    - {name: long, template: long}\n    - {name: short, template: t}\n"
        '    - {name: many, template: t, depends: short, withSequence: {count: "1000"}}\n'
        "- name: long\n  container: {image: busybox, command: [sleep, '600']}\n" + POD
    )

    def scripted(pod: Pod, now: float) -> Script:
        return Script(status=succeeds(pod, now).status, seconds=None if pod.template == "long" else 1.0)

    simulation = Simulation(_loaded(spec), scripted=scripted, keyword={"max_nodes": 300})
    status = simulation.run()
    assert status["phase"] == "Error"
    assert len(simulation.started) == 2
    assert [kill.node_id for kill in simulation.kills] == [
        node["id"] for node in status["nodes"].values() if node["displayName"] == "long"
    ]
