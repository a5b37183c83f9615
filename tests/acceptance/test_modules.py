"""Each small module of tests/modules, over HTTP as AMDA calls it: run, ask until it is done, fetch the output."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from orchestra import errors

from tests.acceptance.serving import MODULES, Orchestra, until

START, STOP = "2001-03-28T00:00:00", "2001-03-29T12:30:00"
INTERVAL = {"start": START, "stop": STOP}


def amda_loop(orchestra: Orchestra, module: int, **query: Any) -> dict[str, Any]:
    """AMDA's loop up to the task's end, GET only."""
    started = orchestra.http.get(f"/modules/{module}/run", params=query)
    assert started.status_code == 200, started.text
    task = started.json()["task"]

    def ended() -> dict[str, Any] | None:
        shown = orchestra.http.get(f"/tasks/{task}")
        assert shown.status_code == 200
        return shown.json() if shown.json()["status"] in {"done", "error", "terminated"} else None

    return until(ended, what=f"the end of task {task}")


def done(orchestra: Orchestra, name: str, **query: Any) -> int:
    """The number of a task of a module of tests/modules that was done."""
    ended = amda_loop(orchestra, orchestra.module(name)["id"], **query)
    assert ended["status"] == "done", orchestra.why(ended["task"])
    return int(ended["task"])


def output(orchestra: Orchestra, task: int, **query: Any) -> str:
    answer = orchestra.http.get(f"/tasks/{task}/output", params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


def body(text: str) -> list[str]:
    """The lines of an output without AMDA's header."""
    return [line for line in text.splitlines() if not line.startswith("#")]


# --- what is done --------------------------------------------------------------------------------------------------
def test_a_timetable_comes_back_with_amdas_header(orchestra: Orchestra) -> None:
    text = output(orchestra, done(orchestra, "tt", **INTERVAL))
    assert text.startswith("# Name:")
    assert "# Historic:" in text
    assert body(text) == [f"{START} {STOP}"]


@pytest.mark.parametrize("stop", ["2001-03-28T00:00:01", "9999-12-31T23:59:59"])
def test_short_and_huge_intervals_are_run(orchestra: Orchestra, stop: str) -> None:
    assert body(output(orchestra, done(orchestra, "tt", start=START, stop=stop))) == [f"{START} {stop}"]


@pytest.mark.parametrize("stop", [START, "2001-03-27T00:00:00"])
def test_stop_not_after_start_is_refused_with_its_path(orchestra: Orchestra, stop: str) -> None:
    answer = orchestra.http.get(f"/modules/{orchestra.module('tt')['id']}/run", params={"start": START, "stop": stop})
    assert answer.status_code == 422
    assert [fault["path"] for fault in answer.json()["faults"]] == ["stop"]


def test_a_module_gets_exactly_amdas_argv(orchestra: Orchestra) -> None:
    task = done(orchestra, "module0", **INTERVAL)
    arguments = output(orchestra, task).splitlines()
    assert arguments[1:] == ["--start", START, "--stop", STOP]
    surroundings = json.loads(output(orchestra, task, name="surroundings.json"))
    variables = surroundings["variables"]
    assert variables["ORCHESTRA_START"] == START
    assert variables["ORCHESTRA_STOP"] == STOP
    assert variables["ORCHESTRA_OUTPUT_DIR"] == arguments[0]
    assert surroundings["argv"][0] == "module0.py"
    assert "PYTHONDONTWRITEBYTECODE" not in variables
    assert not {"ORCHESTRA_VAR", "DATABASE_URL", "ORCHESTRA_SECRET_KEY"} & set(variables)


def test_hyperparameters_arrive_with_their_types(orchestra: Orchestra) -> None:
    query = {"a": "-3", "b": "1e-3", "c": "two words"}
    assert output(orchestra, done(orchestra, "hyperparameters", **INTERVAL, **query)) == "-3 0.001 'two words'\n"


@pytest.mark.parametrize(
    ("query", "path"), [({"a": "three"}, "a"), ({"d": "1"}, "d"), ({"start": "yesterday"}, "start")]
)
def test_a_wrong_argument_is_refused_with_its_path(orchestra: Orchestra, query: dict[str, str], path: str) -> None:
    answer = orchestra.http.get(f"/modules/{orchestra.module('hyperparameters')['id']}/run", params=query)
    assert answer.status_code == 422
    assert path in [fault["path"] for fault in answer.json()["faults"]]


def test_apostrophes_and_all_that_arrive_as_they_are(orchestra: Orchestra) -> None:
    metadata = json.loads((MODULES / "apostrophes" / "metadata.json").read_text())
    module = orchestra.module("apostrophes")
    assert module["name"] == metadata["name"]
    assert orchestra.client.module(metadata["name"])["id"] == module["id"]
    task = done(orchestra, "apostrophes")
    assert output(orchestra, task, name="word.txt") == metadata["defaults"]["word"]
    text = output(orchestra, task)
    assert "It's a module with 'apostrophes'" in text
    assert body(text) == ["2001-03-28T00:00:00 2001-04-14T00:00:00"]


def test_a_catalog_becomes_rows_with_units(orchestra: Orchestra) -> None:
    task = done(orchestra, "cat")
    catalog = orchestra.client.catalog(task)
    assert [event["start"] for event in catalog["items"]] == [
        "2001-03-28T01:00:00Z",
        "2001-03-31T05:00:00Z",
        "2001-04-11T17:00:00Z",
    ]
    assert catalog["items"][0]["values"] == [412.5, "sheath"]
    assert len(body(output(orchestra, task))) == 3


def test_classes_and_colours_stand_in_the_header(orchestra: Orchestra) -> None:
    text = output(orchestra, done(orchestra, "classes", **INTERVAL))
    assert "# Classes: ;" in text
    assert "# * 0: SW;" in text
    assert "[241,196,15]" in text.replace(", ", ",")
    assert len(body(text)) == 38


def test_a_catalog_is_clipped_to_the_interval_by_its_module(orchestra: Orchestra) -> None:
    assert len(body(output(orchestra, done(orchestra, "cat_subzero")))) == 5


def test_the_older_dialect_runs_with_its_defaults_and_header(orchestra: Orchestra) -> None:
    text = output(orchestra, done(orchestra, "old_dialect", **INTERVAL))
    assert body(text) == [f"{START} {STOP} 1"]
    assert "storm" in text


def test_a_timeseries_is_served_as_it_is(orchestra: Orchestra) -> None:
    task = done(orchestra, "ts", start=START, stop="2001-03-28T01:00:00")
    text = output(orchestra, task)
    assert len(text.splitlines()) == 60
    assert not text.startswith("#")
    again = done(orchestra, "ts", start=START, stop="2001-03-28T01:00:00")
    assert output(orchestra, again) == text


def test_an_empty_list_is_a_result(orchestra: Orchestra) -> None:
    task = done(orchestra, "empty_list")
    assert body(output(orchestra, task)) == []
    assert orchestra.client.catalog(task)["total"] == 0


def test_annexes_are_served_and_named(orchestra: Orchestra) -> None:
    task = done(orchestra, "several_outputs", **INTERVAL)
    files = {file["name"]: file["role"] for file in orchestra.client.artifacts(task)}
    assert files["events.txt"] == "output"
    assert {name for name, role in files.items() if role == "annex"} == {"hours.txt", "plot.png", "more.txt"}
    png = orchestra.http.get(f"/tasks/{task}/output", params={"name": "plot.png"})
    assert png.content.startswith(b"\x89PNG")
    assert png.headers["Content-Type"] == "image/png"
    assert "attachment" in png.headers["Content-Disposition"]
    archive = orchestra.http.get(f"/task/{task}/output")
    assert archive.content.startswith(b"PK")


def test_a_declared_annex_is_served(orchestra: Orchestra) -> None:
    task = done(orchestra, "two_files", **INTERVAL)
    assert output(orchestra, task, name="hours.txt")


def test_the_original_is_kept_beside_the_file_with_the_header(orchestra: Orchestra, tmp_path: Path) -> None:
    task = done(orchestra, "tt", **INTERVAL)
    original = orchestra.client.save_output(task, to=tmp_path, original=True)
    assert original.read_text() == f"{START} {STOP}\n"


def test_an_unchanged_output_is_not_sent_again(orchestra: Orchestra) -> None:
    task = done(orchestra, "tt", **INTERVAL)
    first = orchestra.http.get(f"/tasks/{task}/output")
    again = orchestra.http.get(f"/tasks/{task}/output", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_pre_and_post_process_run_around_the_module(orchestra: Orchestra) -> None:
    task = done(orchestra, "pre_post", **INTERVAL)
    steps = [line for line in orchestra.text_of(task).decode().splitlines() if line.startswith("step: ")]
    assert steps == ["step: before.txt", "step: a name with blanks.txt", "step: after.txt"]


def test_no_run_sees_another_runs_folder(orchestra: Orchestra) -> None:
    for _ in range(2):
        done(orchestra, "writes_own_folder", **INTERVAL)


@pytest.mark.parametrize("name", ["argparse_at_import", "ignores_interval", "symlink"])
def test_an_odd_module_runs(orchestra: Orchestra, name: str) -> None:
    done(orchestra, name, **INTERVAL)


def test_fetched_data_lie_in_the_input_folder(orchestra: Orchestra) -> None:
    orchestra.built("fetch")
    first, last, rows = output(
        orchestra, done(orchestra, "with_input", start=START, stop="2001-03-28T06:00:00")
    ).split()
    assert (first[:16], last[:16], rows) == ("2001-03-27T22:00", "2001-03-28T05:00", "8")


# --- what fails ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("failing", ["3", "no solar wind today"]),
        ("crashing", ["SIGSEGV"]),
        ("memory", ["200", "memory"]),
        ("wrong_output", ["events.txt", "event.txt"]),
        ("malformed", ["line 2", "line 3", "line 4", "line 5"]),
        ("symlink_output", ["/work/out/events.txt is a symbolic link; write the file itself"]),
    ],
)
def test_a_failure_explains_itself(orchestra: Orchestra, name: str, words: list[str]) -> None:
    ended = amda_loop(orchestra, orchestra.module(name)["id"], **INTERVAL)
    assert ended["status"] == "error"
    execution = orchestra.client.execution(ended["task"])
    told = execution["message"] + json.dumps(execution["failure"])
    for word in words:
        assert word in told
    assert str(orchestra.var) not in execution["message"]
    assert ended["error"]


def test_a_failed_task_gives_out_nothing_but_says_why(orchestra: Orchestra) -> None:
    ended = amda_loop(orchestra, orchestra.module("failing")["id"], **INTERVAL)
    answer = orchestra.http.get(f"/tasks/{ended['task']}/output")
    assert answer.status_code == 409
    assert answer.json()["status"] == "error"


def test_a_link_as_output_never_gives_out_a_file_of_the_machine(orchestra: Orchestra) -> None:
    ended = amda_loop(orchestra, orchestra.module("symlink_output")["id"], **INTERVAL)
    for file in orchestra.client.artifacts(ended["task"]):
        assert b"root:" not in b"".join(orchestra.client.read_output(ended["task"], name=file["name"]))


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("cat_1_param", ["output.filename"]),
        ("empty_annex", ["annexes_outputs[1].filename", "annexes_outputs[1].type"]),
        ("old_post_process", ["install.post_process[0]", "install.post_process[1]"]),
    ],
)
def test_faulty_metadata_is_refused_with_every_path(orchestra: Orchestra, name: str, paths: list[str]) -> None:
    with pytest.raises(errors.Invalid) as caught:
        orchestra.client.register_folder(MODULES / name)
    assert set(paths) <= {fault.path for fault in caught.value.faults}
    with pytest.raises(errors.NotFound):
        orchestra.client.module(name)


def test_a_link_that_leaves_the_module_is_refused(orchestra: Orchestra) -> None:
    with pytest.raises(errors.Invalid, match="link"):
        orchestra.client.register_folder(MODULES / "symlink_escape")


def test_a_failed_build_is_never_usable_and_says_why(orchestra: Orchestra) -> None:
    made = orchestra.client.register_folder(MODULES / "bad_requirement")[0]
    started = orchestra.client.run("bad_requirement", **INTERVAL)
    assert "build" in started["message"]
    build = orchestra.ended(made["build"]["execution"])
    assert build["state"] == "FAILED"
    requirement = json.loads((MODULES / "bad_requirement" / "metadata.json").read_text())["install"]["requirements"][0]
    assert requirement.split("=")[0].split(">")[0].strip() in orchestra.why(build["id"])
    assert orchestra.client.module("bad_requirement")["status"] == "error"
    waited = orchestra.ended(started["id"])
    assert (waited["state"], waited["reason"]) == ("FAILED", "BuildFailed")


def test_a_failed_rebuild_never_loses_what_is_in_use(orchestra: Orchestra, tmp_path: Path) -> None:
    folder = tmp_path / "module"
    shutil.copytree(MODULES / "tt", folder)
    metadata = json.loads((folder / "metadata.json").read_text()) | {"name": "changing"}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    module = orchestra.client.register_folder(folder)[0]["module"]
    in_use = orchestra.built(module["id"])["default"]["number"]
    metadata["install"]["requirements"] = ["no-such-package-of-orchestra==9.9"]
    (folder / "metadata.json").write_text(json.dumps(metadata))
    build = orchestra.client.rebuild(module["id"])["build"]
    assert orchestra.ended(build["execution"])["state"] == "FAILED"
    after = orchestra.client.module(module["id"])
    assert (after["status"], after["default"]["number"]) == ("installed", in_use)
    assert amda_loop(orchestra, module["id"], **INTERVAL)["status"] == "done"


def test_a_rebuild_runs_the_new_code(orchestra: Orchestra, tmp_path: Path) -> None:
    folder = tmp_path / "module"
    shutil.copytree(MODULES / "ts", folder)
    metadata = json.loads((folder / "metadata.json").read_text()) | {"name": "renewed"}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    name = metadata["output"]["filename"]
    script = folder / f"{metadata['install']['executable']}.py"
    for text in ("one", "two"):
        script.write_text(f"import sys, pathlib\npathlib.Path(sys.argv[1], {name!r}).write_text({text!r})\n")
        module = orchestra.client.register_folder(folder)[0]["module"]["id"]
        orchestra.built(module)
        assert output(orchestra, amda_loop(orchestra, module, **INTERVAL)["task"]) == text


def test_one_archive_brings_several_modules(orchestra: Orchestra, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "modules"), "zip", MODULES / "several")
    made = orchestra.client.register_upload(archive)
    assert {one["module"]["name"] for one in made} == {"several_first", "several_second"}
    for one in made:
        orchestra.built(one["module"]["id"])


# --- logs ----------------------------------------------------------------------------------------------------------
def test_a_million_lines_of_log_are_read_whole(orchestra: Orchestra) -> None:
    execution = orchestra.run("heavy", **INTERVAL)
    assert execution["state"] == "SUCCEEDED"
    lines = orchestra.text_of(execution["id"]).splitlines()
    assert len(lines) == 1_000_000
    assert lines[-1] == b"line 1000000 of 1000000"


def test_a_log_is_kept_byte_for_byte(orchestra: Orchestra) -> None:
    execution = orchestra.run("noisy", **INTERVAL)
    log = orchestra.text_of(execution["id"])
    assert b"\x00" in log
    with pytest.raises(UnicodeDecodeError):
        log.decode()
    assert max(map(len, log.splitlines())) >= 3_000_000


def test_a_log_is_read_while_it_grows(orchestra: Orchestra) -> None:
    execution = orchestra.start("slow", arguments={"seconds": 2}, **INTERVAL)
    pieces = orchestra.client.follow(execution["id"])
    assert b"started" in next(pieces)
    assert orchestra.client.execution(execution["id"])["state"] == "RUNNING"
    assert b"s left" in b"".join(pieces)


def test_two_runs_never_mix_their_logs(orchestra: Orchestra) -> None:
    started = [orchestra.start("heavy", arguments={"lines": lines}, **INTERVAL)["id"] for lines in (2000, 3000)]
    for execution, lines in zip(started, (2000, 3000), strict=True):
        orchestra.ended(execution)
        assert set(orchestra.text_of(execution).split(b" of ")[1:][0].split(b"\n")[:1]) == {str(lines).encode()}
        assert len(orchestra.text_of(execution).splitlines()) == lines


# --- errors of the contract ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "path",
    [
        "/modules/999999",
        "/modules/0 OR 1=1",
        "/tasks/999999",
        "/tasks/abc",
        "/tasks/" + "9" * 40,
        "/nowhere",
    ],
)
def test_what_is_not_there_is_404_with_a_sentence(orchestra: Orchestra, path: str) -> None:
    answer: httpx.Response = orchestra.http.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]
