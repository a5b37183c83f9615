"""The sample AMDA answers as AMDA does, and goes wrong when it is told to."""

from __future__ import annotations

import csv
import gzip
import http.client
import json
import math
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import pycdfpp
import pytest

from app.amda.sample import cli, dataset, frames, inventory, server
from app.amda.sample.faults import BadFaults, Faults

SPASE_ID = "spase://CNES/NumericalData/CDPP-AMDA/OMNI/omni-hour-all"
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
VOTABLE = "{http://www.ivoa.net/xml/VOTable/v1.3}"


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    with server.running() as url:
        yield url


@pytest.fixture
def url(shared: str) -> Iterator[str]:
    control(shared, {})
    yield shared


def control(url: str, faults: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{url}/control", json.dumps(faults).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def report(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/control", timeout=20) as answer:
        return json.load(answer)


def call(url: str, name: str, **query: str) -> str:
    with urllib.request.urlopen(f"{url}/php/rest/{name}.php?{urlencode(query)}", timeout=20) as answer:
        return answer.read().decode()


def ask(url: str, **query: str) -> dict[str, Any]:
    defaults = {
        "startTime": "2001-03-31T00:00:00Z",
        "stopTime": "2001-03-31T03:00:00Z",
        "parameterID": "omni_dst",
        "outputFormat": "ASCII",
    }
    return json.loads(call(url, "getParameter", **{**defaults, **query}))


def download(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=20) as answer:
        return answer.read()


def ascii_rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if not line.startswith("#")]


def test_it_lists_the_real_dataset_with_its_ids_units_and_spase_id(url: str) -> None:
    pointer = call(url, "getObsDataTree", templateInfo="True")
    assert pointer.startswith("<LocalDataBaseParameters>http")
    tree = ET.fromstring(download(pointer.split(">")[1].split("<")[0]))
    (node,) = tree.iter("dataset")
    assert (node.attrib[XML_ID], node.attrib["spaseId"]) == ("omni-hour-all", SPASE_ID)
    assert (node.attrib["dataStart"], node.attrib["dataStop"]) == ("1999-07-01T14:00:00Z", "2001-10-11T23:00:00Z")
    units = {parameter.attrib[XML_ID]: parameter.get("units") for parameter in node}
    assert units == {
        "omni_imf": "nT",
        "omni_sw_n": "cm-3",
        "omni_sw_v": "km/s",
        "omni_sw_ram": "nPa",
        "omni_sw_e": "mV/m",
        "omni_kp": None,
        "omni_dst": "nT",
    }
    field = next(parameter for parameter in node if parameter.attrib[XML_ID] == "omni_imf")
    assert [(part.attrib[XML_ID], part.attrib["name"]) for part in field] == [
        ("omni_imf(0)", "bx"),
        ("omni_imf(1)", "by"),
        ("omni_imf(2)", "bz"),
    ]


def test_the_interval_is_half_open_and_the_values_are_the_files(url: str) -> None:
    with gzip.open(dataset.HOURS_FILE, "rt") as lines:
        hours = {line["time"]: line for line in csv.DictReader(lines)}
    body = download(ask(url)["dataFileURLs"]).decode()
    expected = [
        [f"2001-03-31T{hour:02}:00:00.000", f"{float(hours[f'2001-03-31T{hour:02}:00:00Z']['dst_nT']):.3f}"]
        for hour in range(3)
    ]
    assert ascii_rows(body) == expected


def test_ascii_has_amdas_header_and_both_time_formats(url: str) -> None:
    body = download(ask(url, parameterID="omni_imf", timeFormat="UNIXTIME")["dataFileURLs"]).decode()
    for line in (
        "# REQUEST_TIME_FORMAT : Seconds from 1970, milliseconds",
        "#     DATASET_ID : omni-hour-all",
        "#       PARAMETER_UNITS : nT",
        "# INTERVAL_START : 2001-03-31T00:00:00.000",
        "# INTERVAL_STOP : 2001-03-31T03:00:00.000",
        "# DATA_COLUMNS : AMDA_TIME, omni_imf[0], omni_imf[1], omni_imf[2]",
    ):
        assert line in body.splitlines()
    rows = ascii_rows(body)
    times = [datetime.fromtimestamp(float(row[0]), UTC).hour for row in rows]
    assert times == [0, 1, 2]
    assert all(math.isnan(float(row[1])) for row in rows)


def test_votable_declares_each_column_with_its_unit(url: str) -> None:
    table = ET.fromstring(download(ask(url, parameterID="omni_imf", outputFormat="VOTable")["dataFileURLs"]))
    fields = [(field.get("name"), field.get("unit")) for field in table.iter(f"{VOTABLE}FIELD")]
    assert fields == [("Time", None), ("bx", "nT"), ("by", "nT"), ("bz", "nT")]
    rows = [[cell.text for cell in row] for row in table.iter(f"{VOTABLE}TR")]
    assert [row[0] for row in rows] == [f"2001-03-31T{hour:02}:00:00.000" for hour in range(3)]
    assert all(len(row) == 4 for row in rows)


@pytest.mark.parametrize("output_format", ["CDF_ISTP", "CDF"])
def test_cdf_has_a_variable_of_the_parameters_name_with_time_and_unit(url: str, output_format: str) -> None:
    cdf = pycdfpp.load(download(ask(url, parameterID="omni_imf", outputFormat=output_format)["dataFileURLs"]))
    variable = cdf["omni_imf"]
    assert variable.values.shape == (3, 3)
    assert variable.attributes["UNITS"].value == "nT"
    times = pycdfpp.to_datetime64(cdf[variable.attributes["DEPEND_0"].value])
    assert (
        times.tolist() == np.arange("2001-03-31T00", "2001-03-31T03", dtype="datetime64[h]").astype("M8[ns]").tolist()
    )
    assert cdf.attributes["spase_DatasetResourceID"][0] == SPASE_ID


def test_the_field_is_in_gse_as_amda_has_it(url: str) -> None:
    """Turned back, it is the file's GSM field; sunpy 8.0.1 gives the same angle."""
    y, z = frames.gsm_to_gse(3.0, -7.0, unix_seconds=985780800.0)
    assert (y, z) == pytest.approx((1.3172065913677216, -7.500980968777412), abs=2e-3)
    with gzip.open(dataset.HOURS_FILE, "rt") as lines:
        hours = list(csv.DictReader(lines))
    loaded = dataset.load()
    for index in (0, 6543, 20001):
        _, by, bz = loaded.parameters["omni_imf"].rows[index]
        expected = (float(hours[index]["by_gsm_nT"]), float(hours[index]["bz_gsm_nT"]))
        assert frames.gse_to_gsm(by, bz, unix_seconds=loaded.times[index]) == pytest.approx(expected)


def test_kp_is_stored_tenfold_as_in_omni() -> None:
    values = {value for (value,) in dataset.load().parameters["omni_kp"].rows}
    assert {0.0, 3.0, 7.0, 10.0, 13.0, 17.0, 90.0} <= values
    assert all(value % 10 in (0, 3, 7) for value in values)


def test_a_dataset_is_served_whole(url: str) -> None:
    answer = json.loads(
        call(
            url,
            "getDataset",
            datasetID="omni-hour-all",
            startTime="2001-03-31T00:00:00",
            stopTime="2001-03-31T01:00:00",
        )
    )
    (row,) = ascii_rows(download(answer["dataFileURLs"]).decode())
    assert len(row) == 1 + 9


def test_gzip_packs_the_file(url: str) -> None:
    plain, packed = (download(ask(url, gzip=flag)["dataFileURLs"]) for flag in ("0", "1"))
    assert gzip.decompress(packed) == plain


def test_the_storms_are_shared_as_a_time_table_and_a_catalogue(url: str) -> None:
    listed = ET.fromstring(download(call(url, "getTimeTablesList")))
    assert [entry.get("nbIntervals") for entry in listed] == ["93"]
    table = ET.fromstring(download(call(url, "getTimeTable", ttID=listed[0].attrib[XML_ID])))
    rows = [[cell.text for cell in row] for row in table.iter(f"{VOTABLE}TR")]
    assert len(rows) == 93
    catalog = ET.fromstring(download(call(url, "getCatalog", catID="sharedcatalog_0")))
    lowest = {row[0].text: float(row[2].text or "nan") for row in catalog.iter(f"{VOTABLE}TR")}
    assert list(lowest) == [start for start, _ in rows]
    assert min(lowest.values()) == -387.0
    assert sum(value <= -100 for value in lowest.values()) == sum(storm.dst <= -100 for storm in inventory.storms())


def test_a_list_of_an_account_is_private_and_its_password_is_checked() -> None:
    with server.running(accounts={"alice": "secret"}) as url:
        right = call(url, "getTimeTablesList", userID="alice", password="secret")
        assert download(right.split(">")[1].split("<")[0]) == b"<timetabList/>"
        for user, password in (("alice", "wrong"), ("bob", ""), ("bob", "secret")):
            answer = json.loads(call(url, "getTimeTablesList", userID=user, password=password))
            assert answer == {"success": False, "message": "Unknown user or wrong password"}
        assert ask(url, userID="alice", password="wrong")["success"] is False


def test_passwords_and_tokens_are_not_reported(url: str) -> None:
    token = call(url, "auth")
    assert ask(url, userID="alice", password="sesame", token=token)["success"] is True
    told = json.dumps(report(url))
    assert "alice" in told
    assert "sesame" not in told
    assert token not in told


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"parameterID": "imf"}, "omni_imf"),
        ({"outputFormat": "JSON"}, "CDF_ISTP"),
        ({"timeFormat": "julian"}, "unixtime"),
        ({"startTime": "yesterday"}, "startTime"),
        ({"startTime": "nan"}, "startTime"),
        ({"stopTime": "2001-03-30T00:00:00Z"}, "before"),
        ({"sampling": "60"}, "sampling"),
        ({"token": "stolen"}, "token"),
    ],
)
def test_what_cannot_be_answered_is_a_failure_with_its_reason(url: str, query: dict[str, str], said: str) -> None:
    answer = ask(url, **query)
    assert answer["success"] is False
    assert said in answer["message"]


def test_an_unknown_call_is_not_found(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        call(url, "getOrbites")
    assert refusal.value.code == 404


def test_failing_is_counted(url: str) -> None:
    control(url, {"fail": 2})
    assert [ask(url)["success"] for _ in range(4)] == [False, False, True, True]
    control(url, {"fail": "always"})
    assert not any(ask(url)["success"] for _ in range(3))


def test_a_status_makes_requests_fail_with_it(url: str) -> None:
    control(url, {"fail": 1, "status": 503})
    with pytest.raises(urllib.error.HTTPError) as failure:
        ask(url)
    assert failure.value.code == 503
    assert ask(url)["success"] is True
    assert control(url, {"status": 500})["faults"]["fail"] == "always"


def test_the_inventory_alone_can_fail(url: str) -> None:
    control(url, {"fail": "always", "on": "tree"})
    assert json.loads(call(url, "getObsDataTree"))["success"] is False
    assert ask(url)["success"] is True


def test_in_progress_ends_after_so_many_polls(url: str) -> None:
    control(url, {"in_progress": 2})
    answer = ask(url)
    assert answer["status"] == "in progress"
    first = json.loads(call(url, "getStatus", id=answer["id"]))
    assert first == {"success": True, "status": "in progress"}
    second = json.loads(call(url, "getStatus", id=answer["id"]))
    assert second["status"] == "done"
    assert len(ascii_rows(download(second["dataFileURLs"]).decode())) == 3
    assert json.loads(call(url, "getStatus", id="process_0"))["success"] is False


def test_empty_is_a_file_without_records(url: str) -> None:
    control(url, {"empty": True})
    assert ascii_rows(download(ask(url)["dataFileURLs"]).decode()) == []
    cdf = pycdfpp.load(download(ask(url, parameterID="omni_imf", outputFormat="CDF_ISTP")["dataFileURLs"]))
    assert len(cdf["omni_imf"]) == 0


def test_truncate_serves_half_a_file_and_drop_breaks_the_connection(url: str) -> None:
    whole = download(ask(url)["dataFileURLs"])
    control(url, {"truncate": 1})
    assert download(ask(url)["dataFileURLs"]) == whole[: len(whole) // 2]
    control(url, {"drop": 1})
    address = ask(url)["dataFileURLs"]
    with pytest.raises(http.client.IncompleteRead):
        download(address)
    assert download(address) == whole


@pytest.mark.parametrize(
    "faults",
    [
        {"fial": 1},
        {"fail": -1},
        {"fail": True},
        {"status": 200},
        {"on": "moon"},
        {"slow_seconds": "3"},
        {"slow_seconds": -1},
        {"in_progress": 1.5},
        {"empty": 1},
    ],
)
def test_a_bad_fault_is_refused_by_name_and_changes_nothing(url: str, faults: dict[str, Any]) -> None:
    control(url, {"fail": 7})
    with pytest.raises(urllib.error.HTTPError) as refusal:
        control(url, faults)
    assert refusal.value.code == 400
    assert next(iter(faults)) in json.load(refusal.value)["error"]
    assert report(url)["faults"]["fail"] == 7


def test_faults_can_be_given_as_words() -> None:
    faults = Faults.from_options(["fail=2", "status=503", "on=tree", "slow_seconds=0.5", "empty", "drop"])
    assert (faults.fail, faults.status, faults.on, faults.slow_seconds) == (2, 503, "tree", 0.5)
    assert (faults.empty, faults.drop) == (True, "always")
    with pytest.raises(BadFaults):
        Faults.from_options(["fail=often"])


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_a_web_page_cannot_set_faults(url: str, content_type: str) -> None:
    request = urllib.request.Request(f"{url}/control", b'{"fail": 1}', {"Content-Type": content_type})
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, timeout=20)
    assert refusal.value.code == 415


@pytest.mark.parametrize("host", ["amda.example.org", "", "[::bad"])
def test_a_foreign_name_is_refused(url: str, host: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    connection.request("GET", "/php/rest/isAlive.php", headers={"Host": host})
    assert connection.getresponse().status == 403
    connection.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org"])
def test_it_listens_on_this_machine_only(host: str) -> None:
    with pytest.raises(server.NotLoopback), server.running(host=host):
        pass


def test_a_bad_option_of_the_command_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        cli.main(["--fault", "fail=often"])
    assert leaving.value.code == 1
    assert capsys.readouterr().err.count("\n") == 1
