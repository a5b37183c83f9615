"""The fetch module with the real speasy, as a process of its own, against the sample AMDA in all its moods."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.amda.sample import dataset, server
from tests.environments import clean_variables, module_environment

MODULE = Path(__file__).parents[3] / "modules" / "fetch"
START, STOP = "2001-03-31T00:00:00", "2001-04-02T00:00:00"
READ = """
import json, sys
from pyarrow import parquet
table = parquet.read_table(sys.argv[1])
print(json.dumps({
    "provenance": json.loads(table.schema.metadata[b"provenance"]),
    "types": {field.name: str(field.type) for field in table.schema},
    "units": {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in table.schema},
    "time": [moment.isoformat() for moment in table.column("time").to_pylist()],
    "columns": {name: table.column(name).to_pylist() for name in table.column_names if name != "time"},
}))
"""


@dataclass
class Run:
    """A finished process of the module."""

    code: int
    text: str
    folder: Path

    def provenance(self) -> dict[str, Any]:
        return json.loads((self.folder / "provenance.json").read_text())


Fetch = Callable[..., Run]


@pytest.fixture(scope="session")
def python(pytestconfig: pytest.Config) -> Path:
    return module_environment(MODULE, cache=pytestconfig.cache.mkdir("environments"))


@pytest.fixture
def fetch(python: Path, tmp_path: Path) -> Fetch:
    def run(url: str, *arguments: str, start: str = START, stop: str = STOP, **variables: str) -> Run:
        folder = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        command = [str(python), str(MODULE / "fetch.py"), str(folder), "--start", start, "--stop", stop]
        command += ["--server", url, "--backoff", "0.1", *arguments]
        done = subprocess.run(
            command,
            cwd=MODULE,
            env=clean_variables(HOME="/proc/nowhere", **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=280,
        )
        return Run(code=done.returncode, text=done.stdout, folder=folder)

    return run


@pytest.fixture
def read(python: Path) -> Callable[[Path], dict[str, Any]]:
    def run(path: Path) -> dict[str, Any]:
        return json.loads(subprocess.check_output([str(python), "-c", READ, str(path)], env=clean_variables()))

    return run


@pytest.fixture
def url() -> Iterator[str]:
    with server.running() as address:
        yield address


def told(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/control", timeout=20) as answer:
        return json.load(answer)


def set_faults(url: str, **faults: Any) -> None:
    request = urllib.request.Request(
        f"{url}/control", json.dumps(faults).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=20).close()


def true_dst(start: str, stop: str) -> list[float]:
    with gzip.open(dataset.HOURS_FILE, "rt") as lines:
        return [float(hour["dst_nT"]) for hour in csv.DictReader(lines) if start <= hour["time"][:19] < stop]


def test_parquet_holds_the_interval_with_units_and_provenance(url: str, fetch: Fetch, read: Callable) -> None:
    run = fetch(url, "--parameters", '["omni-hour-all/omni_imf", "omni-hour-all/omni_dst"]', TZ="America/New_York")
    assert run.code == 0, run.text
    table = read(run.folder / "data.parquet")
    assert table["time"][0] == "2001-03-31T00:00:00+00:00"
    assert table["time"][-1] == "2001-04-01T23:00:00+00:00"
    assert table["columns"]["omni_dst"] == true_dst(START, STOP)
    assert list(table["columns"]) == ["omni_imf_bx", "omni_imf_by", "omni_imf_bz", "omni_dst"]
    assert table["types"]["time"] == "timestamp[ns, tz=UTC]"
    assert set(table["units"].values()) == {"nT", ""}
    provenance = table["provenance"]
    assert provenance["server"] == url
    assert provenance["software"]["speasy"] == "1.9.1"
    assert provenance["requested"] == {"start": START, "stop": STOP}
    assert {parameter["spase_id"] for parameter in provenance["parameters"]} == {
        "spase://CNES/NumericalData/CDPP-AMDA/OMNI/omni-hour-all"
    }
    (entry,) = run.provenance()["files"]
    assert entry["sha256"] == hashlib.sha256((run.folder / "data.parquet").read_bytes()).hexdigest()
    assert entry["content_sha256"] == provenance["content_sha256"]
    # Without a cache that stays, AMDA is asked for the interval and not for more.
    asked = told(url)["data_requests"]
    assert {(query["startTime"], query["stopTime"]) for query in asked} == {(f"{START}Z", f"{STOP}Z")}
    (agent,) = told(url)["agents"]
    assert agent == "Orchestra-fetch/1.0.0"


def test_each_input_becomes_a_file_with_its_own_margins_and_format(url: str, fetch: Fetch, read: Callable) -> None:
    inputs = [
        {"name": "solar_wind", "source": "amda", "parameters": ["omni_sw_v"], "before_seconds": 7200},
        {"name": "dst", "parameters": ["amda/omni_dst"], "format": "csv", "after_seconds": 3600},
        {"name": "field", "parameters": ["omni_imf"], "format": "cdf"},
    ]
    run = fetch(url, "--inputs", json.dumps(inputs), stop="2001-03-31T02:00:00")
    assert run.code == 0, run.text
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "dst.csv",
        "field.cdf",
        "provenance.json",
        "solar_wind.parquet",
    ]
    assert [moment[:13] for moment in read(run.folder / "solar_wind.parquet")["time"]] == [
        "2001-03-30T22",
        "2001-03-30T23",
        "2001-03-31T00",
        "2001-03-31T01",
    ]
    rows = (run.folder / "dst.csv").read_text().splitlines()
    assert rows[0] == "time,omni_dst"
    assert [row.split(",")[0] for row in rows[1:]] == [f"2001-03-31T0{hour}:00:00Z" for hour in range(3)]
    assert [float(row.split(",")[1]) for row in rows[1:]] == true_dst(START, "2001-03-31T03:00:00")
    import pycdfpp

    cdf = pycdfpp.load(str(run.folder / "field.cdf"))
    assert cdf["omni_imf_bz"].attributes["UNITS"].value == "nT"
    assert cdf["omni_imf_bz"].values.shape == (2,)
    assert [file["name"] for file in run.provenance()["files"]] == ["solar_wind.parquet", "dst.csv", "field.cdf"]


def test_a_missing_value_is_an_empty_cell(url: str, fetch: Fetch) -> None:
    run = fetch(url, "--parameters", "omni_imf", "--format", "csv", stop="2001-03-31T01:00:00")
    assert run.code == 0, run.text
    (row,) = (run.folder / "data.csv").read_text().splitlines()[1:]
    assert row.split(",")[:2] == ["2001-03-31T00:00:00Z", ""]
    assert (run.folder / "data.parquet").exists(), "the declared output is there whatever the format"


def test_a_refusal_is_asked_again_and_then_told_with_amdas_reason(url: str, fetch: Fetch) -> None:
    set_faults(url, fail=1)
    run = fetch(url, "--parameters", "omni_dst")
    assert run.code == 0, run.text
    assert len(told(url)["data_requests"]) == 2
    set_faults(url, fail="always")
    run = fetch(url, "--parameters", "omni_dst")
    assert run.code == 75
    assert "gave no answer for omni_dst" in run.text
    assert "The sample was told to fail" in run.text
    assert len(told(url)["data_requests"]) == 3
    assert not run.folder.exists() or not list(run.folder.iterdir())


def test_a_refused_part_is_never_a_hole_in_the_data(url: str, fetch: Fetch) -> None:
    """Two years are asked for in several parts; AMDA refuses one of them."""
    set_faults(url, fail=1)
    two_years = {"start": "1999-08-01T00:00:00", "stop": "2001-08-01T00:00:00"}
    run = fetch(url, "--parameters", "omni_dst", "--attempts", "1", **two_years)
    assert run.code == 75, run.text
    run = fetch(url, "--parameters", "omni_dst", **two_years)
    assert run.code == 0, run.text
    assert run.provenance()["files"][0]["rows"] == 731 * 24
    assert len(told(url)["data_requests"]) == 1 + 2


def test_a_cache_answers_without_asking_for_data_again(url: str, fetch: Fetch, tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    first = fetch(url, "--parameters", "omni_dst", ORCHESTRA_CACHE_DIR=cache)
    set_faults(url, fail="always")
    again = fetch(url, "--parameters", "omni_dst", ORCHESTRA_CACHE_DIR=cache)
    assert (first.code, again.code) == (0, 0), again.text
    assert told(url)["data_requests"] == []
    assert again.provenance()["files"][0]["content_sha256"] == first.provenance()["files"][0]["content_sha256"]


def test_the_cache_of_one_server_or_account_never_answers_for_another(fetch: Fetch, tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    with server.running(accounts={"alice": "one", "bob": "two"}) as url, server.running() as other:
        for user, password in (("alice", "one"), ("bob", "two")):
            run = fetch(
                url,
                *("--parameters", "omni_dst"),
                ORCHESTRA_CACHE_DIR=cache,
                ORCHESTRA_AMDA_USER=user,
                ORCHESTRA_AMDA_PASSWORD=password,
            )
            assert run.code == 0, run.text
            assert run.provenance()["account"] == user
        # Each of the two asked for itself: for the lists of its own, and for the data.
        assert told(url)["requests"]["getParameterList"] == 2
        assert told(url)["requests"]["getParameter"] == 2
        wrong = fetch(
            url,
            *("--parameters", "omni_dst", "--attempts", "1"),
            ORCHESTRA_CACHE_DIR=cache,
            ORCHESTRA_AMDA_USER="alice",
            ORCHESTRA_AMDA_PASSWORD="guess",
        )
        assert wrong.code == 75
        assert "refuses the account" in wrong.text or "Unknown user or wrong password" in wrong.text
        set_faults(other, fail="always")
        elsewhere = fetch(other, "--parameters", "omni_dst", "--attempts", "1", ORCHESTRA_CACHE_DIR=cache)
        assert elsewhere.code == 75


def test_a_password_is_never_printed(url: str, fetch: Fetch) -> None:
    """The libraries put the address that they asked, with the password in it, into their errors."""
    for faults in ({"drop": "always"}, {"truncate": "always"}, {"fail": "always", "on": "tree"}):
        set_faults(url, **faults)
        account = {"ORCHESTRA_AMDA_USER": "alice", "ORCHESTRA_AMDA_PASSWORD": "se same/+&"}
        run = fetch(url, "--parameters", "omni_dst", "--attempts", "2", **account)
        assert run.code == 75
        for form in ("se same/+&", "se+same%2F%2B%26", "se%20same%2F%2B%26", "se%20same/%2B%26"):
            assert form not in run.text


def test_an_http_error_is_told_and_may_be_tried_later(url: str, fetch: Fetch) -> None:
    set_faults(url, status=500)
    run = fetch(url, "--parameters", "omni_dst", ORCHESTRA_AMDA_USER="alice", ORCHESTRA_AMDA_PASSWORD="sesame")
    assert run.code == 75
    assert "gave no answer for omni_dst" in run.text
    assert "sesame" not in run.text


def test_a_long_request_is_waited_for(url: str, fetch: Fetch) -> None:
    set_faults(url, in_progress=1, slow_seconds=1)
    run = fetch(url, "--parameters", "omni_dst")
    assert run.code == 0, run.text
    assert told(url)["requests"]["getStatus"] == 1
    assert run.provenance()["files"][0]["rows"] == 48


@pytest.mark.parametrize(
    ("faults", "start", "stop"),
    [
        ({"empty": True}, START, STOP),
        ({}, "2010-01-01T00:00:00", "2010-02-01T00:00:00"),
        ({}, START, START),
    ],
    ids=["an empty answer", "outside the dataset", "an empty interval"],
)
def test_no_data_is_a_file_with_columns_and_a_note(
    url: str, fetch: Fetch, read: Callable, faults: dict[str, Any], start: str, stop: str
) -> None:
    set_faults(url, **faults)
    run = fetch(url, "--parameters", "omni_imf,omni_dst", "--format", "csv", start=start, stop=stop)
    assert run.code == 0, run.text
    assert "AMDA has no data of omni_imf" in run.text
    table = read(run.folder / "data.parquet")
    assert table["columns"] == {"omni_imf_bx": [], "omni_imf_by": [], "omni_imf_bz": [], "omni_dst": []}
    assert (run.folder / "data.csv").read_text() == "time,omni_imf_bx,omni_imf_by,omni_imf_bz,omni_dst\n"


def test_the_edges_of_the_dataset_are_reached(url: str, fetch: Fetch) -> None:
    last = fetch(url, "--parameters", "omni_dst", start="2001-10-11T23:00:00", stop="2001-10-12T01:00:00")
    assert last.provenance()["files"][0]["rows"] == 1
    assert "covers only 1999-07-01T14:00:00 to 2001-10-11T23:00:00" in last.text
    first = fetch(url, "--parameters", "omni_dst", start="1999-07-01T13:00:00", stop="1999-07-01T14:00:00.5")
    assert first.provenance()["files"][0]["rows"] == 1


@pytest.mark.parametrize("fault", ["truncate", "drop"])
def test_a_broken_file_is_asked_for_again_and_never_used(url: str, fetch: Fetch, fault: str) -> None:
    set_faults(url, **{fault: 1})
    run = fetch(url, "--parameters", "omni_dst")
    assert run.code == 0, run.text
    assert run.provenance()["files"][0]["rows"] == 48
    set_faults(url, **{fault: "always"})
    run = fetch(url, "--parameters", "omni_dst", "--attempts", "2")
    assert run.code == 75
    assert not (run.folder / "data.parquet").exists()


def test_a_server_that_does_not_start_may_be_tried_later(url: str, fetch: Fetch) -> None:
    set_faults(url, fail="always", on="tree")
    run = fetch(url, "--parameters", "omni_dst", "--attempts", "2")
    assert run.code == 75
    assert f"AMDA at {url} did not start" in run.text
    assert told(url)["requests"]["getObsDataTree"] == 2
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    run = fetch(f"http://127.0.0.1:{port}", "--parameters", "omni_dst", "--attempts", "1")
    assert run.code == 75
    assert "did not start" in run.text


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("omni_dts", "did you mean omni_dst"),
        ("omni-1min-all/omni_dst", "is in AMDA's dataset omni-hour-all"),
        ("omni-hour-all", "omni-hour-all/omni_imf"),
        ("omni_imf(1)", "omni_imf"),
    ],
)
def test_a_parameter_that_is_not_there_is_told_before_anything_is_fetched(
    url: str, fetch: Fetch, parameters: str, said: str
) -> None:
    run = fetch(url, "--parameters", json.dumps(["omni_dst", parameters] if "dst" not in parameters else [parameters]))
    assert run.code == 65
    assert said in run.text
    assert told(url)["data_requests"] == []


def test_a_proxy_of_the_machine_does_not_hide_a_server_on_it(url: str, fetch: Fetch) -> None:
    run = fetch(url, "--parameters", "omni_dst", HTTP_PROXY="http://127.0.0.1:9", SPEASY_PROXY_ENABLED="true")
    assert run.code == 0, run.text
