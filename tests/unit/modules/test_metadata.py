"""metadata.json: what each dialect means."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from app.modules import metadata as metadata_json
from tests.unit.modules.metadata_samples import NEW, OLD, changed, read


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


def test_the_digest_is_that_of_the_meaning(folder: Path) -> None:
    other = dict(reversed(list(changed(NEW, "output.type", "TT").items())))
    assert metadata_json.digest(read(folder, NEW)) == metadata_json.digest(read(folder, other))
    assert metadata_json.digest(read(folder, NEW)) != metadata_json.digest(read(folder, changed(NEW, "version", "3")))
