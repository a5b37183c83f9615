"""The storm module as processes in its own environment: its figures, its training, and its command line."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.amda.sample.frames import gsm_to_gse
from tests.environments import clean_variables, module_environment

ROOT = Path(__file__).parents[3]
MODULE = ROOT / "modules" / "storms"
HOURS = ROOT / "app" / "amda" / "sample" / "data" / "omni_hourly_1999_2001.csv.gz"
PNG = b"\x89PNG\r\n\x1a\n"
UNITS = {"omni_imf_by": "nT", "omni_imf_bz": "nT", "omni_sw_v": "km/s", "omni_sw_n": "cm-3", "omni_sw_ram": "nPa"}
WRITE = """
import json, sys, pyarrow as pa
from pyarrow import parquet
given = json.load(sys.stdin)
fields = [pa.field("time", pa.timestamp("ns", tz="UTC"))]
fields += [pa.field(name, pa.float64(), metadata={"unit": given["units"][name]}) for name in given["columns"]]
arrays = [pa.array(given["time"]).cast(pa.timestamp("s")).cast(fields[0].type)]
arrays += [pa.array(values, pa.float64()) for values in given["columns"].values()]
parquet.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), sys.argv[1])
"""


@dataclass
class Run:
    """A finished process."""

    code: int
    out: str
    err: str
    folder: Path

    def lines(self, name: str) -> list[list[str]]:
        return [line.split() for line in (self.folder / name).read_text().splitlines()]


Storms = Callable[..., Run]


@pytest.fixture(scope="session")
def python(pytestconfig: pytest.Config) -> Path:
    return module_environment(MODULE, cache=pytestconfig.cache.mkdir("environments"))


@pytest.fixture(scope="session")
def script(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run one of the module's scripts, or `-c CODE`; returns its standard output."""
    home = str(tmp_path_factory.mktemp("home"))

    def run(*arguments: str, given: str | None = None) -> str:
        variables = clean_variables(HOME=home, PYTHONPATH=str(MODULE))
        done = subprocess.run(
            [python, *arguments], cwd=home, env=variables, input=given, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def hours(script: Callable[..., str]) -> dict[str, list[float]]:
    """The sample's hours, as the CSV has them."""
    code = """
import json, sys, training_data
from pathlib import Path
hours = training_data.read(Path(sys.argv[1]))
columns = {name: series.tolist() for name, series in hours.grid.items()}
print(json.dumps({"time": hours.time.astype("datetime64[s]").astype(int).tolist(), **columns}))
"""
    return json.loads(script("-c", code, str(HOURS)))


@pytest.fixture
def solar_wind(hours: dict[str, list[float]], script: Callable[..., str], tmp_path: Path) -> Callable[..., Path]:
    """Writes what Orchestra would have fetched, with the field in GSE; returns the folder."""

    def write(
        start: str,
        stop: str,
        *,
        without: tuple[str, ...] = (),
        units: dict[str, str] | None = None,
        lost: tuple[str, str] | None = None,
    ) -> Path:
        first, last = seconds(start), seconds(stop)
        lost_first, lost_last = (seconds(lost[0]), seconds(lost[1])) if lost else (0, 0)
        rows = [
            index
            for index, time in enumerate(hours["time"])
            if first <= time < last and not lost_first <= time < lost_last
        ]
        field = [
            gsm_to_gse(hours["by_gsm"][row], hours["bz_gsm"][row], unix_seconds=hours["time"][row]) for row in rows
        ]
        columns = {
            "omni_imf_by": [y for y, _ in field],
            "omni_imf_bz": [z for _, z in field],
            "omni_sw_v": [hours["speed"][row] for row in rows],
            "omni_sw_n": [hours["density"][row] for row in rows],
            "omni_sw_ram": [hours["pressure"][row] for row in rows],
        }
        given = {
            "time": [hours["time"][row] for row in rows],
            "columns": {name: values for name, values in columns.items() if name not in without},
            "units": UNITS | (units or {}),
        }
        folder = tmp_path / f"in{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        script("-c", WRITE, str(folder / "solar_wind.parquet"), given=json.dumps(given))
        return folder

    return write


@pytest.fixture
def storms(python: Path, tmp_path: Path) -> Storms:
    """Runs the module as Orchestra does."""

    def run(inputs: Path, start: str, stop: str, *arguments: str) -> Run:
        folder = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        command = [str(python), "storms.py", str(folder), "--start", start, "--stop", stop, *arguments]
        variables = clean_variables(HOME=str(tmp_path), ORCHESTRA_INPUT_DIR=str(inputs))
        done = subprocess.run(command, cwd=MODULE, env=variables, capture_output=True, text=True)
        return Run(done.returncode, done.stdout, done.stderr, folder)

    return run


def seconds(text: str) -> int:
    return int((datetime.fromisoformat(text) - datetime(1970, 1, 1)).total_seconds())


def readme_table() -> dict[str, dict[str, float]]:
    """The README's figures: method, measure, value."""
    rows = [re.split(r" *\| *", line.strip("| ")) for line in (MODULE / "README.md").read_text().splitlines()]
    head = next(index for index, row in enumerate(rows) if row[0] == "measure")
    table: dict[str, dict[str, float]] = {name: {} for name in rows[head][1:]}
    for measure, *cells in rows[head + 2 :]:
        if not cells:
            break
        for name, cell in zip(table, cells, strict=True):
            if cell != "–":
                table[name][measure] = float(cell)
    return table


def evaluated(script: Callable[..., str], *arguments: str) -> dict[str, dict[str, float]]:
    return json.loads(script(str(MODULE / "evaluate.py"), str(HOURS), "--json", *arguments))


def test_the_figures_of_the_readme_hold(script: Callable[..., str]) -> None:
    stated, measured = readme_table(), evaluated(script)
    assert stated.keys() == measured.keys()
    for method, figures in stated.items():
        assert figures.keys() == measured[method].keys()
        for measure, figure in figures.items():
            assert measured[method][measure] == pytest.approx(figure, abs=0.0011), f"{method}: {measure}"
    learned = stated.pop("storms")
    assert all(learned["hourly AUC"] > other["hourly AUC"] for other in stated.values())


def test_training_again_gives_the_committed_model(script: Callable[..., str], tmp_path: Path) -> None:
    script(str(MODULE / "train.py"), str(HOURS), "--output", str(tmp_path / "again.skops"))
    again, committed = evaluated(script, "--model", str(tmp_path / "again.skops")), evaluated(script)
    assert again["storms"] == pytest.approx(committed["storms"], rel=1e-3)
    code = "import model, sys; from pathlib import Path; print(model.load(Path(sys.argv[1])).threshold)"
    assert script("-c", code, str(tmp_path / "again.skops")) == script("-c", code, str(MODULE / "model.skops"))


def test_training_refuses_what_it_must_not_see(script: Callable[..., str]) -> None:
    code = """
import sys, train, training_data
from pathlib import Path
try:
    train.train(training_data.read(Path(sys.argv[1])))
except ValueError as error:
    print(error)
"""
    assert "must not see anything from 2001-01-01T00 on" in script("-c", code, str(HOURS))


def test_no_hour_of_a_held_out_block_reaches_the_fit_through_its_history(script: Callable[..., str]) -> None:
    code = """
import json, features, train
folds = [
    [int(out.start), int(out.stop), features.HISTORY_HOURS, fit.nonzero()[0].tolist()]
    for fit, out in train.folds(13090)
]
print(json.dumps(folds))
"""
    folds = json.loads(script("-c", code))
    assert [begin for begin, *_ in folds] == [0, *(end for _, end, *_ in folds)][:-1]
    assert folds[-1][1] == 13090
    for begin, end, history, fit in folds:
        assert fit
        assert all(hour < begin - history or hour >= end + history for hour in fit)


def test_a_model_file_with_other_types_is_refused(script: Callable[..., str], tmp_path: Path) -> None:
    code = """
import pathlib, sys, skops.io, model
path = pathlib.Path(sys.argv[1])
skops.io.dump({"classifier": pathlib.PurePosixPath("/")}, path)
try:
    model.load(path)
except skops.io.exceptions.UntrustedTypesFoundException as error:
    print(error)
"""
    assert "pathlib.PurePosixPath" in script("-c", code, str(tmp_path / "other.skops"))


def test_the_great_storm_of_march_2001_is_found(storms: Storms, solar_wind: Callable[..., Path]) -> None:
    inputs = solar_wind("2001-03-24T00:00:00", "2001-04-14T00:00:00")
    run = storms(inputs, "2001-03-28T00:00:00", "2001-04-14T00:00:00")
    assert run.code == 0, run.err
    events = run.lines("storms.txt")
    great = [event for event in events if event[0] <= "2001-03-31T08:00:00" < event[1]]
    assert len(great) == 1
    assert float(great[0][2]) > 0.95
    assert float(great[0][3]) < -200
    assert events == sorted(events)
    for start, stop, probability, _ in events:
        assert "2001-03-28T00:00:00" <= start < stop <= "2001-04-14T00:00:00"
        assert 0 < float(probability) <= 1
    series = run.lines("probability.txt")
    assert len(series) == 17 * 24
    assert series[0][0] == "2001-03-28T00:00:00"
    assert series[-1][0] == "2001-04-13T23:00:00"
    assert (run.folder / "storms.png").read_bytes().startswith(PNG)
    metadata = json.loads((MODULE / "metadata.json").read_text())
    declared = {metadata["output"]["filename"], *(annex["filename"] for annex in metadata["annexes_outputs"])}
    assert {path.name for path in run.folder.iterdir()} == declared
    assert len(events[0]) == 2 + len(metadata["output"]["columns"])


def test_an_hour_gets_the_same_probability_in_any_interval(storms: Storms, solar_wind: Callable[..., Path]) -> None:
    """The margin that the metadata asks for is all the history that there is to know."""
    before = json.loads((MODULE / "metadata.json").read_text())["inputs"][0]["before_seconds"]
    start, stop = "2001-03-30T12:00:00", "2001-04-01T00:00:00"
    margin = (datetime.fromisoformat(start) - timedelta(seconds=before)).isoformat()
    short = storms(solar_wind(margin, stop), start, stop)
    long = storms(
        solar_wind("2001-03-01T00:00:00", "2001-04-10T00:00:00"), "2001-03-20T00:00:00", "2001-04-05T00:00:00"
    )
    wanted = [line for line in long.lines("probability.txt") if start <= line[0] < stop]
    assert short.lines("probability.txt") == wanted


def test_events_are_clipped_to_the_interval(storms: Storms, solar_wind: Callable[..., Path]) -> None:
    inputs = solar_wind("2001-03-27T00:00:00", "2001-04-01T00:00:00")
    run = storms(inputs, "2001-03-31T10:15:00", "2001-03-31T16:30:00")
    assert [event[:2] for event in run.lines("storms.txt")] == [["2001-03-31T10:15:00", "2001-03-31T16:30:00"]]


def test_a_quiet_interval_is_an_empty_catalog(storms: Storms, solar_wind: Callable[..., Path]) -> None:
    inputs = solar_wind("2001-02-14T00:00:00", "2001-02-20T00:00:00")
    run = storms(inputs, "2001-02-18T00:00:00", "2001-02-20T00:00:00")
    assert run.code == 0, run.err
    assert (run.folder / "storms.txt").read_text() == ""
    assert len(run.lines("probability.txt")) == 48


def test_a_higher_threshold_flags_no_more(storms: Storms, solar_wind: Callable[..., Path]) -> None:
    inputs = solar_wind("2001-03-24T00:00:00", "2001-04-14T00:00:00")
    interval = ("2001-03-28T00:00:00", "2001-04-14T00:00:00")
    low = storms(inputs, *interval, "--threshold", "0.05", "--merge_hours", "0")
    high = storms(inputs, *interval, "--threshold", "0.9", "--merge_hours", "0")
    assert 0 < len(high.lines("storms.txt")) < len(low.lines("storms.txt"))
    assert all(float(event[2]) >= 0.9 for event in high.lines("storms.txt"))


def test_hours_without_data_are_not_judged(storms: Storms, solar_wind: Callable[..., Path]) -> None:
    inputs = solar_wind(
        "2001-03-24T00:00:00", "2001-04-02T00:00:00", lost=("2001-03-30T00:00:00", "2001-03-31T00:00:00")
    )
    run = storms(inputs, "2001-03-29T00:00:00", "2001-04-02T00:00:00")
    assert run.code == 0, run.err
    judged = {line[0]: line[1] != "nan" for line in run.lines("probability.txt")}
    assert not any(known for time, known in judged.items() if time.startswith("2001-03-30"))
    assert all(known for time, known in judged.items() if time.startswith(("2001-03-29", "2001-04-01")))


def test_the_default_threshold_is_the_one_that_training_chose(script: Callable[..., str]) -> None:
    declared = json.loads((MODULE / "metadata.json").read_text())["hyperparameters"]
    chosen = float(script("-c", "import model; print(model.load().threshold)"))
    assert {argument["name"]: argument["default"] for argument in declared}["threshold"] == chosen


@pytest.mark.parametrize(
    ("start", "stop", "arguments", "said"),
    [
        ("2001-04-14T00:00:00", "2001-03-28T00:00:00", (), "must be after --start"),
        ("2001-03-28T00:00:00", "2001-03-28T00:00:00", (), "must be after --start"),
        ("yesterday", "2001-03-28T00:00:00", (), "'yesterday' is not a time"),
        ("2001-03-28T00:00:00", "2001-03-29T00:00:00", ("--threshold", "2"), "'2' is not a probability"),
        ("2001-03-28T00:00:00", "2001-03-29T00:00:00", ("--merge_hours", "-1"), "'-1' is not a number of hours"),
    ],
)
def test_senseless_arguments_are_named(
    storms: Storms, tmp_path: Path, start: str, stop: str, arguments: tuple[str, ...], said: str
) -> None:
    run = storms(tmp_path, start, stop, *arguments)
    assert run.code == 2
    assert said in run.err


def test_data_that_do_not_fit_are_named(storms: Storms, solar_wind: Callable[..., Path], tmp_path: Path) -> None:
    interval = ("2001-03-28T00:00:00", "2001-03-29T00:00:00")
    absent = storms(tmp_path, *interval)
    assert (absent.code, "there is no such file" in absent.err) == (65, True)
    bad = solar_wind("2001-03-24T00:00:00", interval[1], without=("omni_sw_n",), units={"omni_sw_v": "m/s"})
    lacking = storms(bad, *interval)
    assert lacking.code == 65
    assert "column omni_sw_n is missing" in lacking.err
    assert "column omni_sw_v is in m/s, not in km/s" in lacking.err
    elsewhere = storms(solar_wind("2001-03-01T00:00:00", "2001-03-05T00:00:00"), *interval)
    assert (elsewhere.code, "no hour from" in elsewhere.err) == (65, True)
    (tmp_path / "solar_wind.parquet").write_text("no parquet")
    garbage = storms(tmp_path, *interval)
    assert (garbage.code, "not a Parquet file" in garbage.err) == (65, True)
