"""metadata.json: what each dialect means, and that every fault is told at once, with its path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.modules import metadata as metadata_json
from app.modules.faults import Faulty
from app.modules.metadata import Metadata

NEW: dict[str, Any] = {
    "name": "boundary",
    "version": "2.1.0",
    "description": "finds the magnetopause's crossings, l'été aussi",
    "defaults": {"start": "2008-07-03T00:00:00", "stop": "2008-07-05T23:59:00"},
    "output": {"type": "timetable", "filename": "out.txt"},
    "annexes_outputs": [{"type": "IMAGE", "filename": "plot.png"}],
    "install": {
        "model_version": "1.2.0",
        "python_version": "3.11",
        "requirements": "needs.txt",
        "files": ["model.bin"],
        "executable": "run",
        "pre_process": [],
        "post_process": [],
    },
}
OLD: dict[str, Any] = {
    "name": "regions",
    "description": "classes\nof plasma",
    "args": ["start", "stop", "parameter", ["level", "int"]],
    "hyperparameters": [["a", "int"], ["b", "float"], ["c", "str"]],
    "defaults": {"parameter": "imf", "a": "3"},
    "output": {
        "type": "catalog",
        "filename": "regions.cat",
        "classmap": {"SW": 0, "MSH": 1},
        "colormap": {"SW": [241, 196, 15]},
    },
    "install": {
        "requirements": ["numpy>=1.26"],
        "requirements_file": "needs.txt",
        "executable": "run",
        "pre_process": ["python prepare.py --level 'a b'"],
        "post_process": [["python", "after.py"]],
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run.py").write_text("print('ran')\n")
    (tmp_path / "needs.txt").write_text("# what it needs\nNumPy >= 1.26\nscipy  # for filters\n\n")
    (tmp_path / "model.bin").write_bytes(b"weights")
    return tmp_path


def read(folder: Path, data: Any) -> Metadata:
    text = data if isinstance(data, str) else json.dumps(data).replace("Infinity", "1e999")
    (folder / "metadata.json").write_text(text, encoding="utf-8")
    return metadata_json.read(folder)


def changed(base: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A deep copy of `base` with the value at a dotted path set, or removed if it is Ellipsis."""
    data = json.loads(json.dumps(base))
    *parents, last = path.split(".")
    place = data
    for step in parents:
        place = place.setdefault(step, {})
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return data


def faults(folder: Path, data: Any) -> dict[str, str]:
    with pytest.raises(Faulty) as caught:
        read(folder, data)
    found = {fault.path: fault.message for fault in caught.value.faults}
    assert len(found) == len(caught.value.faults), caught.value.faults
    return found


def test_the_published_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(metadata_json.json_schema())


def test_the_new_dialect_has_a_normal_form(folder: Path) -> None:
    metadata = read(folder, NEW)
    assert metadata == {
        "name": "boundary",
        "version": "2.1.0",
        "description": "finds the magnetopause's crossings, l'été aussi",
        "args": [],
        "hyperparameters": [],
        "defaults": {"start": "2008-07-03T00:00:00", "stop": "2008-07-05T23:59:00"},
        "output": {"type": "TT", "filename": "out.txt"},
        "annexes_outputs": [{"type": "IMAGE", "filename": "plot.png"}],
        "install": {
            "model_version": "1.2.0",
            "python_version": "3.11",
            "requirements": ["NumPy>=1.26", "scipy"],
            "requirements_file": "needs.txt",
            "requirement_options": [],
            "files": ["model.bin"],
            "executable": "run",
            "pre_process": [],
            "post_process": [],
        },
        "inputs": [],
        "resources": {},
        "timeout": None,
    }


def test_the_old_dialect_has_the_same_normal_form(folder: Path) -> None:
    metadata = read(folder, OLD)
    assert metadata["version"] == "1.0.0"
    assert metadata["args"] == [
        {"name": "parameter", "type": "str", "default": "imf"},
        {"name": "level", "type": "int"},
    ]
    assert metadata["hyperparameters"] == [
        {"name": "a", "type": "int", "default": 3},
        {"name": "b", "type": "float"},
        {"name": "c", "type": "str"},
    ]
    assert metadata["defaults"] == {"parameter": "imf", "a": 3}
    assert metadata["output"]["type"] == "CAT"
    assert metadata["output"]["classmap"] == {"SW": 0, "MSH": 1}
    assert metadata["install"]["requirements"] == ["numpy>=1.26", "NumPy>=1.26", "scipy"]
    assert metadata["install"]["python_version"] == ">=3.11"
    assert metadata["install"]["pre_process"] == [["python", "prepare.py", "--level", "a b"]]
    assert metadata["install"]["post_process"] == [["python", "after.py"]]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("timetable", "TT"),
        ("TT", "TT"),
        ("catalog", "CAT"),
        ("timeseries", "TS"),
        ("IMAGE", "IMAGE"),
        ("image", "IMAGE"),
    ],
)
def test_both_spellings_of_a_type_mean_the_same(folder: Path, written: str, meant: str) -> None:
    assert read(folder, changed(NEW, "output.type", written))["output"]["type"] == meant


def test_defaults_of_the_first_dialect_may_be_an_empty_list(folder: Path) -> None:
    assert read(folder, changed(OLD, "defaults", []))["defaults"] == {}


def test_without_defaults_the_new_dialects_interval_runs(folder: Path) -> None:
    defaults = read(folder, changed(NEW, "defaults", ...))["defaults"]
    assert defaults == {"start": "2008-07-03T00:00:00", "stop": "2008-07-05T23:59:00"}


def test_times_with_a_zone_become_utc(folder: Path) -> None:
    metadata = read(folder, changed(NEW, "defaults.start", "2008-07-03T02:00:00+02:00"))
    assert metadata["defaults"]["start"] == "2008-07-03T00:00:00"


@pytest.mark.parametrize("executable", ["run", "run.py"])
def test_an_executable_may_carry_its_ending(folder: Path, executable: str) -> None:
    assert read(folder, changed(NEW, "install.executable", executable))["install"]["executable"] == "run"


def test_requirements_txt_is_taken_where_none_is_named(folder: Path) -> None:
    (folder / "requirements.txt").write_text("astropy\n")
    for value in (..., ""):
        assert read(folder, changed(NEW, "install.requirements", value))["install"]["requirements"] == ["astropy"]
    assert read(folder, changed(NEW, "install.requirements", []))["install"]["requirements"] == []


def test_requirements_files_include_others_and_go_on_in_the_next_line(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "needs.txt").write_text(
        "-r more/base.txt\nscipy \\\n  >=1.10\n--extra-index-url https://example.org/simple\n"
    )
    (folder / "more" / "base.txt").write_text("pandas[parquet] ; python_version > '3.8'\n-r ../needs2.txt\n")
    (folder / "needs2.txt").write_text("pip @ https://example.org/pip-1.0-py3-none-any.whl\n")
    install = read(folder, NEW)["install"]
    assert install["requirements"] == [
        'pandas[parquet]; python_version > "3.8"',
        "pip @ https://example.org/pip-1.0-py3-none-any.whl",
        "scipy>=1.10",
    ]
    assert install["requirement_options"] == ["--extra-index-url https://example.org/simple"]


def test_a_description_may_be_a_file(folder: Path) -> None:
    (folder / "about.md").write_text("# What it does\n")
    assert read(folder, changed(NEW, "description", "about.md"))["description"] == "# What it does\n"
    assert read(folder, changed(NEW, "description", "absent.md"))["description"] == "absent.md"


def test_arguments_as_objects_keep_what_they_declare(folder: Path) -> None:
    declared = {
        "name": "threshold", "type": "number", "default": "0.5", "description": "of the probability",
        "minimum": 0, "maximum": 1,
    }  # fmt: skip
    data = changed(
        NEW,
        "args",
        [declared, {"name": "kind", "choices": ["fast", "slow"], "default": "fast"}, {"name": "on", "type": "boolean"}],
    )
    metadata = read(folder, data)
    assert metadata["args"][0] == declared | {"type": "float", "default": 0.5}
    assert metadata["args"][1:] == [
        {"name": "kind", "type": "str", "choices": ["fast", "slow"], "default": "fast"},
        {"name": "on", "type": "bool"},
    ]
    assert metadata["defaults"] | {"threshold": 0.5, "kind": "fast"} == metadata["defaults"]


def test_what_is_new_has_defaults(folder: Path) -> None:
    data = NEW | {
        "inputs": [{"name": "solar_wind", "source": "amda", "parameters": ["imf", "omni-hour-all/omni_sw_v"]}],
        "resources": {"memory": "1Gi", "cpu": 0.5},
        "timeout": 600,
    }
    data = changed(data, "output", {"type": "CAT", "filename": "o.txt", "columns": [{"name": "dst", "unit": "nT"}]})
    metadata = read(folder, data)
    assert metadata["inputs"] == [
        {
            "name": "solar_wind", "source": "amda", "parameters": ["imf", "omni-hour-all/omni_sw_v"],
            "format": "parquet", "before_seconds": 0, "after_seconds": 0,
        }
    ]  # fmt: skip
    assert metadata["resources"] == {"memory": "1Gi", "cpu": "0.5"}
    assert metadata["timeout"] == 600
    assert metadata["output"]["columns"] == [
        {"name": "dst", "type": "float", "unit": "nT", "description": "", "ucd": ""}
    ]


def test_unknown_keys_that_resemble_none_are_the_authors_own(folder: Path) -> None:
    assert read(folder, NEW | {"id": 3, "status": "installed", "build_log": ""})["name"] == "boundary"


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


def test_the_digest_is_that_of_the_meaning(folder: Path) -> None:
    other = dict(reversed(list(changed(NEW, "output.type", "TT").items())))
    assert metadata_json.digest(read(folder, NEW)) == metadata_json.digest(read(folder, other))
    assert metadata_json.digest(read(folder, NEW)) != metadata_json.digest(read(folder, changed(NEW, "version", "3")))
