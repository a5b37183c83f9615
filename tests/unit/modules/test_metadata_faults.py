"""metadata.json: every fault is told at once, with its path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.modules import metadata as metadata_json
from app.modules.faults import Faulty
from tests.unit.modules.metadata_samples import NEW, OLD, changed, faults, read


@pytest.mark.parametrize(
    ("path", "value", "where", "words"),
    [
        ("name", ..., "name", "missing"),
        ("name", "", "name", "empty"),
        ("name", "  ", "name", "not allowed"),
        ("name", "a/b", "name", "not allowed"),
        ("name", "../../etc", "name", "not allowed"),
        ("name", "12", "name", "digits"),
        ("name", "a\nb", "name", "not allowed"),
        ("name", "a\ud800", "name", "surrogate"),
        ("name", "a\n", "name", "not allowed"),
        ("output.filename", "a\n", "output.filename", "not allowed"),
        ("install.model_version", "1\0", "install.model_version", "NUL"),
        ("args", [{"name": "a", "choices": ["x\0"]}], "args[0].choices[0]", "NUL"),
        ("args", [{"name": "a", "type": "float", "minimum": float("1e999")}], "args[0].minimum", "too large"),
        ("output.classmap", {"\0": 1}, "output.classmap", "NUL"),
        ("name", 7, "name", "7 is not text"),
        ("name", "x" * 101, "name", "longer than 100"),
        ("version", "1 0", "version", "not allowed"),
        ("version", 1.0, "version", "1.0 is not text"),
        ("description", "a\x00b", "description", "NUL"),
        ("output", ..., "output", "missing"),
        ("output.type", "table", "output.type", "none of"),
        ("output.type", "Timetable", "output.type", "did you mean timetable?"),
        ("output.filename", "../out.txt", "output.filename", "without a folder"),
        ("output.filename", "..", "output.filename", "without a folder"),
        ("output.classmap", {"SW": "zero"}, "output.classmap.SW", "whole number"),
        ("output.colormap", {"SW": [1, 2]}, "output.colormap.SW", "empty"),
        ("output.colormap", {"SW": [1, 2, 300]}, "output.colormap.SW[2]", "more than 255"),
        ("output.columns", [{"name": "x", "units": "nT"}], "output.columns[0].units", "did you mean unit?"),
        ("output.columns", [{"name": "x"}, {"name": "x"}], "output.columns[1].name", "twice"),
        ("annexes_outputs", {}, "annexes_outputs", "not a list"),
        ("annexes_outputs", [{"type": "TS", "filename": "out.txt"}], "annexes_outputs[0].filename", "twice"),
        ("defaults.start", "yesterday", "defaults.start", "no time"),
        ("defaults.stop", "2008-07-03T00:00:00", "defaults.stop", "not after start"),
        ("defaults", ["start"], "defaults", "an object"),
        ("install", ..., "install", "missing"),
        ("install", [], "install", "not an object"),
        ("install.executable", ..., "install.executable", "missing"),
        ("install.executable", "runn", "install.executable", "did you mean run?"),
        ("install.executable", "../run", "install.executable", "not allowed"),
        ("install.executable", "-c", "install.executable", "not allowed"),
        ("install.python_version", "three", "install.python_version", "neither a version"),
        ("install.python_version", ">=3.12,<3.11", "install.python_version", "contradicts itself"),
        ("install.python_version", "==3.11.*,!=3.11.*", "install.python_version", "contradicts itself"),
        ("install.python_version", 3.11, "install.python_version", "3.11 is not text"),
        ("install.requirements", "absent.txt", "install.requirements", "no such file"),
        ("install.requirements", "../needs.txt", "install.requirements", "no such file"),
        ("install.requirements", ["numpy", "sci py"], "install.requirements[1]", "not a requirement"),
        ("install.requirements", ["./local"], "install.requirements[0]", "is a path"),
        ("install.requirements", ["git+https://example.org/x"], "install.requirements[0]", "has no name"),
        ("install.requirements", ["x @ git+https://example.org/x"], "install.requirements[0]", "not an https address"),
        ("install.requirements", ["x @ file:///etc/x.whl"], "install.requirements[0]", "not an https address"),
        ("install.requirements", ["--target /"], "install.requirements[0]", "cannot be used here"),
        ("install.requirements", ["--index-url http://example.org"], "install.requirements[0]", "not an https"),
        ("install.requirements", ["--index-url https://a:b@example.org"], "install.requirements[0]", "password"),
        ("install.files", ["absent.bin"], "install.files[0]", "no 'absent.bin'"),
        ("install.files", ["/etc/passwd"], "install.files[0]", "no '/etc/passwd'"),
        ("install.pre_process", ["RUN apt-get install x"], "install.pre_process[0]", "Dockerfile line (RUN)"),
        ("install.post_process", ["ENV A=b"], "install.post_process[0]", "Dockerfile line (ENV)"),
        ("install.post_process", ["COPY a b"], "install.post_process[0]", "Dockerfile line (COPY)"),
        ("install.pre_process", ["a && b"], "install.pre_process[0]", "'&&'"),
        ("install.pre_process", ["a | b"], "install.pre_process[0]", "'|'"),
        ("install.pre_process", ["a > b"], "install.pre_process[0]", "'>'"),
        ("install.pre_process", ["a; b"], "install.pre_process[0]", "';'"),
        ("install.pre_process", ["a $(b)"], "install.pre_process[0]", "needs a shell"),
        ("install.pre_process", ['a "$(b)"'], "install.pre_process[0]", "'$('"),
        ("install.pre_process", ["a `b`"], "install.pre_process[0]", "'`'"),
        ("install.pre_process", ["a $HOME"], "install.pre_process[0]", "'$HOME'"),
        ("install.pre_process", ["a\nb"], "install.pre_process[0]", "line break"),
        ("install.pre_process", ["A=b c"], "install.pre_process[0]", "env A=b"),
        ("install.pre_process", ["a 'b"], "install.pre_process[0]", "cannot be split"),
        ("install.pre_process", [""], "install.pre_process[0]", "names no command"),
        ("install.pre_process", [[]], "install.pre_process[0]", "empty"),
        ("install.pre_process", [[""]], "install.pre_process[0]", "names no command"),
        ("install.pre_process", [[1]], "install.pre_process[0][0]", "not text"),
        ("args", [3], "args[0]", "3 is not text or a list or an object"),
        ("args", ["a b"], "args[0]", "not allowed"),
        ("args", [["a", "__import__('os')"]], "args[0][1]", "none of"),
        ("args", [["a", "flot"]], "args[0][1]", "did you mean float?"),
        ("args", ["a", "a"], "args[1]", "twice"),
        ("args", ["output"], "args[0]", "reserved"),
        ("hyperparameters", ["start"], "hyperparameters[0]", "reserved"),
        ("args", [{"type": "int"}], "args[0].name", "missing"),
        ("args", [{"name": "a", "typ": "int"}], "args[0].typ", "did you mean type?"),
        ("args", [{"name": "a", "type": "int", "default": "x"}], "args[0].default", "not a whole number"),
        ("args", [{"name": "a", "type": "int", "default": 1.5}], "args[0].default", "1.5 is not a whole number"),
        ("args", [{"name": "a", "type": "int", "minimum": 2, "default": 1}], "args[0].default", "minimum of 2"),
        ("args", [{"name": "a", "minimum": 2}], "args[0]", "for numbers"),
        ("args", [{"name": "a", "type": "int", "minimum": 2, "maximum": 1}], "args[0]", "more than its maximum"),
        ("args", [{"name": "a", "type": "int", "choices": ["x"]}], "args[0].choices[0]", "not a whole number"),
        ("inputs", [{"name": "x", "source": "amda"}], "inputs[0].parameters", "missing"),
        ("inputs", [{"name": "x", "source": "cdaweb", "parameters": ["a"]}], "inputs[0].source", "none of amda"),
        ("inputs", [{"name": "../x", "source": "amda", "parameters": ["a"]}], "inputs[0].name", "not allowed"),
        ("inputs", [{"name": "x", "source": "amda", "parameters": ["--a"]}], "inputs[0].parameters[0]", "not allowed"),
        ("inputs", [{"name": "x", "source": "amda", "parameters": []}], "inputs[0].parameters", "empty"),
        ("inputs", [{"name": "x", "source": "amda", "parameters": ["a"], "format": "x"}], "inputs[0].format", "none"),
        ("resources", {"memory": "lots"}, "resources.memory", "a quantity"),
        ("resources", {"ram": "1Gi"}, "resources.ram", "there are memory, cpu"),
        ("timeout", 0, "timeout", "less than 1"),
        ("timeout", "long", "timeout", "not a whole number"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_path(folder: Path, path: str, value: Any, where: str, words: str) -> None:
    found = faults(folder, changed(NEW, path, value))
    assert list(found) == [where]
    assert words in found[where]


def test_an_empty_annex_is_told_by_what_it_lacks(folder: Path) -> None:
    found = faults(folder, changed(NEW, "annexes_outputs", [{"type": "TS", "filename": "a.txt"}, {}]))
    assert found == {"annexes_outputs[1].type": "is missing", "annexes_outputs[1].filename": "is missing"}


def test_a_misspelt_key_is_recognised_and_the_right_one_is_missing(folder: Path) -> None:
    found = faults(folder, changed(NEW, "output", {"type": "CAT", "filemane": "out.cat"}))
    assert found == {
        "output.filemane": "unknown key filemane, did you mean filename?",
        "output.filename": "is missing",
    }


def test_every_fault_is_told_at_once(folder: Path) -> None:
    data = changed(changed(NEW, "name", 3), "install.executable", ...)
    data = changed(changed(data, "install.requirements", ["sci py"]), "args", [["a", "complex"], "output"])
    data = changed(changed(data, "install.pre_process", ["a && b", "RUN c"]), "annexes_outputs", [{}])
    data["descripton"] = "a misspelt key"
    del data["description"]
    assert set(faults(folder, data)) == {
        "name", "install.executable", "install.requirements[0]", "args[0][1]", "args[1]", "install.pre_process[0]",
        "install.pre_process[1]", "annexes_outputs[0].type", "annexes_outputs[0].filename", "descripton",
    }  # fmt: skip


def test_a_fault_in_a_requirements_file_names_its_line(folder: Path) -> None:
    (folder / "needs.txt").write_text("numpy\n\nsci py\n-e .\n")
    with pytest.raises(Faulty) as caught:
        read(folder, NEW)
    first, second = caught.value.faults
    assert first.path == second.path == "install.requirements"
    assert first.message.startswith("needs.txt, line 3: 'sci py'")
    assert second.message.startswith("needs.txt, line 4: '-e .'")


def test_requirements_files_that_include_each_other_end(folder: Path) -> None:
    (folder / "needs.txt").write_text("-r needs.txt\n")
    assert "in a circle" in faults(folder, NEW)["install.requirements"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1, column 2"),
        ('{\n  "name": "x", /* new */\n}', "JSON has no comments"),
        ('{"name": "a", "name": "b"}', "'name' is there twice"),
        ('{"timeout": NaN}', "NaN"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "not JSON"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(folder: Path, text: str, words: str) -> None:
    assert words in faults(folder, text)["metadata.json"]


def test_a_file_that_is_not_utf8_is_told(folder: Path) -> None:
    (folder / "metadata.json").write_bytes(b'{"name": "\xff"}')
    with pytest.raises(Faulty, match="not UTF-8"):
        metadata_json.read(folder)


@pytest.mark.parametrize("data", [[], "text", 3, None])
def test_what_is_no_object_is_told(folder: Path, data: Any) -> None:
    with pytest.raises(Faulty, match="not an object"):
        read(folder, json.dumps(data))


@pytest.mark.parametrize(
    "word", ["args", "hyperparameters", "defaults", "output", "annexes_outputs", "install", "inputs", "resources"]
)
@pytest.mark.parametrize("value", [None, 3, "text", [], {}, [None], [[]], [{}], {"name": None}, True])
def test_nothing_of_a_wrong_type_is_ever_more_than_a_fault(folder: Path, word: str, value: Any) -> None:
    try:
        read(folder, OLD | {word: value})
    except Faulty as error:
        assert all(fault.path.startswith(word) or fault.path.startswith("defaults") for fault in error.faults)
