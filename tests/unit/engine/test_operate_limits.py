"""A workflow that would never end, or never fit, ends at once and says why."""

from __future__ import annotations

import time

import pytest
from orchestra_engine import workflow

from tests.unit.engine.simulate import Simulation

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
            "Failed",
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
    (manifest,) = workflow.load(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n"
        + "".join(f"  {line}\n" for line in spec.splitlines())
    )
    status = Simulation(manifest).run()
    assert status["phase"] == phase
    assert words in str(status)
    assert time.process_time() - begun < 3
