"""What a manifest declares of its inputs and outputs, and what is wrong with that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.engines.manifests import Look, examine, read
from app.schemas import declarations

TEXT = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w, annotations: {orchestra/inputs: %s, orchestra/outputs: %s}}
spec:
  entrypoint: main
  arguments:
    parameters:
    - {name: plain}
    - {name: set, value: "5", description: how often}
    - {name: default, default: "x"}
    - {name: choice, enum: ["1", "2"], value: "1"}
    - {name: config, valueFrom: {configMapKeyRef: {name: c, key: k}}}
    artifacts:
    - {name: file}
    - {name: maybe, optional: true}
    - {name: there, raw: {data: words}}
  templates:
  - name: main
    inputs: {artifacts: [{name: file, path: /tmp/file}]}
    outputs:
      parameters: [{name: sum, valueFrom: {path: /tmp/sum}}]
      artifacts:
      - {name: events, path: /tmp/events, archive: {none: {}}}
      - {name: packed, path: /tmp/packed, globalName: everywhere}
      - {name: perhaps, path: /tmp/perhaps, optional: true}
    container: {image: busybox, command: ["true"]}
"""


def look(text: str) -> Look:
    seen = read(text)
    examine(seen, text, templates={})
    assert seen.faults == []
    return seen


def inputs(told: Any = None, side: Any = None) -> tuple[dict[str, Any], list[str]]:
    seen = look(TEXT % (json.dumps(told if isinstance(told, str) else json.dumps(told or {})), "'{}'"))
    found, faults = declarations.inputs(seen, side)
    return found, [f"{fault.path}: {fault.message}" for fault in faults]


def outputs(told: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    seen = look(TEXT % ("'{}'", json.dumps(json.dumps(told))))
    found, faults = declarations.outputs(seen)
    return found, [fault.message for fault in faults]


def test_what_spec_arguments_says_is_a_json_schema() -> None:
    found, faults = inputs()
    assert faults == []
    assert found["properties"]["plain"] == {"type": "string"}
    assert found["properties"]["set"] == {"type": "string", "default": "5", "description": "how often"}
    assert found["properties"]["default"] == {"type": "string", "default": "x"}
    assert found["properties"]["choice"] == {"type": "string", "default": "1", "enum": ["1", "2"]}
    assert found["required"] == ["plain", "file"]


def test_types_change_the_defaults_and_the_choices() -> None:
    told = {"set": {"type": "integer", "unit": "h"}, "choice": {"type": "integer"}, "file": {"description": "times"}}
    found, faults = inputs(told)
    assert faults == []
    assert found["properties"]["set"]["default"] == 5
    assert found["properties"]["set"]["unit"] == "h"
    assert found["properties"]["choice"] == {"type": "integer", "default": 1, "enum": [1, 2]}
    assert found["properties"]["file"]["description"] == "times"


def test_a_side_file_says_more_than_the_annotation() -> None:
    found, faults = inputs({"set": {"type": "integer", "maximum": 9}}, {"set": {"maximum": 7}})
    assert faults == []
    assert (found["properties"]["set"]["type"], found["properties"]["set"]["maximum"]) == ("integer", 7)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("{", "is not JSON"),
        ('{"a": NaN}', "not JSON"),
        ('{"plain": {"minimum": 1e999}}', "not a finite number"),
        ('{"plain": {"description": "\\ud800"}}', "cannot be stored"),
        ("[]", "an object for each name"),
        ({"plain": 5}, "an object for each name"),
        ({"nobody": {}}, "nobody: there is no such name"),
        ({"plain": {"type": ["string", "null"]}}, "plain: its type has to be one of"),
        ({"plain": {"type": "date"}}, "plain: its type has to be one of"),
        ({"set": {"type": "boolean"}}, "set: its value in the manifest: '5' is not true or false"),
        ({"set": {"type": "integer", "maximum": 4}}, "set: its default is none of the values"),
        ({"plain": {"enum": ["a", 5]}}, "plain: '5' in its enum is not text"),
        ({"plain": {"pattern": "("}}, "plain: pattern: missing )"),
        ({"file": {"type": "integer"}}, "file: type is not known here"),
        ({"file": {"description": 5}}, "file: description: 5 is not of type 'string'"),
    ],
)
def test_what_is_wrong_with_inputs_is_told_by_name(told: Any, words: str) -> None:
    faults = inputs(told)[1]
    assert len(faults) == 1
    assert words in faults[0]
    assert faults[0].startswith("metadata.annotations.orchestra/inputs: ")


def test_a_fault_of_the_side_file_is_that_of_inputs() -> None:
    assert inputs(None, {"plain": {"type": "date"}})[1][0].startswith("inputs: plain: its type")
    assert inputs(None, {"plain": [1]})[1][0].startswith("inputs: is not an object")
    assert inputs({"plain": {"maximun": 1}}, {"set": {}})[1][0].startswith("metadata.annotations.orchestra/inputs: ")


def test_a_file_and_a_parameter_of_one_name_are_refused() -> None:
    text = TEXT.replace("{name: maybe,", "{name: plain,") % ("'{}'", "'{}'")
    [fault] = declarations.inputs(look(text), None)[1]
    assert (fault.path, fault.line) == ("spec.arguments.artifacts", 14)


def test_what_is_declared_of_outputs_is_promised() -> None:
    found, faults = outputs({"sum": {"description": "of all"}, "events": {"type": "TT"}, "perhaps": {}})
    assert faults == []
    assert found["parameters"] == {"sum": {"description": "of all", "required": True}}
    assert found["artifacts"] == {
        "events": {"type": "TT", "required": True},
        "packed": {},
        "everywhere": {},
        "perhaps": {"required": False},
    }


def test_an_output_that_may_be_missing_says_so() -> None:
    found, faults = outputs({"events": {"required": False}})
    assert (faults, found["artifacts"]["events"]) == ([], {"required": False})


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"events": {"type": "PDF"}}, "events: type: 'PDF' is not one of ['TT', 'CAT', 'TS', 'IMAGE']"),
        ({"events": {"type": ["TT"]}}, "events: type: ['TT'] is not one of"),
        ({"events": {"columns": 5}}, "events: columns: 5 is not of type 'array'"),
        ({"events": {"columns": [5]}}, "events: columns[0]: 5 is not of type 'object'"),
        ({"events": {"columns": [{}]}}, "events: columns[0]: 'name' is a required property"),
        ({"events": {"columns": [{"name": "a"}, {"name": "a"}]}}, "events: columns: a name stands there twice"),
        ({"events": {"columns": [{"name": "a", "units": "nT"}]}}, "events: columns[0]: Additional properties"),
        ({"events": {"classmap": {"a": "b"}}}, "events: classmap.a: 'b' is not of type 'integer'"),
        ({"events": {"colormap": {"a": [0, 0, 256]}}}, "events: colormap.a[2]: 256 is greater than"),
        ({"events": {"descripton": "x"}}, "events: descripton is not known here, did you mean description?"),
        ({"events": {"description": 5}}, "events: description: 5 is not of type 'string'"),
        ({"sum": {"type": "integer"}}, "sum: type is not known here; there are"),
        ({"sum": {"unit": 5}}, "sum: unit: 5 is not of type 'string'"),
        ({"packed": {"type": "CAT"}}, "packed: a CAT is read as it is stored; add archive: {none: {}} to the artifact"),
        ({"sum": {"required": "no"}}, "sum: required: 'no' is not of type 'boolean'"),
        ({"nobody": {}}, "nobody: no output of the workflow has this name"),
    ],
)
def test_what_is_wrong_with_outputs_is_told_by_name(told: dict[str, Any], words: str) -> None:
    faults = outputs(told)[1]
    assert len(faults) == 1
    assert words in faults[0]


def test_what_is_noted_of_files_and_outputs_is_kept() -> None:
    noted = {"unit": "nT", "description": "of the wind", "x-colour": "red"}
    found, faults = inputs({"file": noted})
    assert faults == []
    assert found["properties"]["file"] == {**declarations.ARTIFACT, **noted}
    columns = [{"name": "speed", "type": "float", "unit": "km/s"}]
    told = {"events": {"type": "CAT", "columns": columns, "classmap": {"slow": 1}, "colormap": {"slow": [0, 0, 255]}}}
    given_out, wrong = outputs(told)
    assert wrong == []
    assert given_out["artifacts"]["events"] == {**told["events"], "required": True}
