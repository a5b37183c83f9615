from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from orchestra import errors
from orchestra.client import Client
from orchestra.transport import server_address

from tests.unit.client.stub import Answer, Asked, Stub, as_json


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.Invalid),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (413, errors.Invalid),
        (422, errors.Invalid),
        (429, errors.ServerFault),
        (503, errors.ServerFault),
    ],
)
def test_a_refusal_is_an_exception_with_the_servers_sentence(
    client: Client, stub: Stub, status: int, kind: type[errors.OrchestraError]
) -> None:
    stub.answer = lambda _: as_json({"error": "No such thing."}, status=status)
    with pytest.raises(kind, match=r"No such thing\.") as caught:
        client.module("storms")
    assert caught.value.status == status


def test_all_faults_of_a_refusal_are_told_with_their_paths(client: Client, stub: Stub) -> None:
    faults = [{"path": "stop", "message": "is before start"}, {"path": "a", "message": "is no number"}]
    stub.answer = lambda _: as_json({"error": "Two faults.", "faults": faults}, status=422)
    with pytest.raises(errors.Invalid) as caught:
        client.run("storms")
    assert [(fault.path, fault.message) for fault in caught.value.faults] == [
        ("stop", "is before start"),
        ("a", "is no number"),
    ]
    assert "stop: is before start" in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b'{"detail": "x"}', b"[]", b""])
def test_an_answer_that_is_not_orchestras_is_called_so(client: Client, stub: Stub, body: bytes) -> None:
    stub.answer = lambda _: Answer(status=502, body=body)
    with pytest.raises(errors.ServerFault, match="not Orchestra's"):
        client.modules()


def test_a_page_instead_of_json_is_called_so(client: Client, stub: Stub) -> None:
    stub.answer = lambda _: Answer(body=b"<html>hello</html>")
    with pytest.raises(errors.ServerFault, match="did not answer with JSON"):
        client.modules()


def test_nobody_at_the_address_says_what_to_do() -> None:
    with Client("http://127.0.0.1:9", timeout=2) as nobody, pytest.raises(errors.Unreachable, match="script/server"):
        nobody.modules()


def test_a_broken_connection_sends_a_run_again_under_the_same_key(client: Client, stub: Stub) -> None:
    def once_broken(asked: Asked) -> Answer:
        return Answer(broken=True) if len(stub.asked) == 1 else as_json({"id": 7, "state": "QUEUED"}, status=201)

    stub.answer = once_broken
    assert client.run("storms", start="2001-01-01T00:00:00", arguments={"threshold": 0.5})["id"] == 7
    first, second = stub.asked
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert json.loads(second.body) == {
        "start": "2001-01-01T00:00:00",
        "arguments": {"threshold": 0.5},
        "priority": 0,
    }


def test_two_runs_have_two_keys(client: Client, stub: Stub) -> None:
    stub.answer = lambda _: as_json({"id": 7, "state": "QUEUED"}, status=201)
    client.run("storms")
    client.run("storms")
    first, second = stub.asked
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]


def test_a_list_is_read_page_by_page(client: Client, stub: Stub) -> None:
    rows = [{"id": number} for number in range(250)]

    def page(asked: Asked) -> Answer:
        query = dict(pair.split("=") for pair in asked.path.split("?")[1].split("&"))
        offset, limit = int(query["offset"]), int(query["limit"])
        return as_json({"total": len(rows), "items": rows[offset : offset + limit]})

    stub.answer = page
    assert client.modules() == rows
    assert client.executions(limit=120) == rows[:120]


def test_following_a_log_goes_on_where_it_was(client: Client, stub: Stub) -> None:
    log = b"one\ntwo\nthree\n"

    def piece(asked: Asked) -> Answer:
        offset = int(asked.path.split("offset=")[1].split("&")[0])
        data = log[offset : offset + 4]
        final = "true" if offset + len(data) == len(log) else "false"
        headers = {"Orchestra-Log-Offset": str(offset + len(data)), "Orchestra-Final": final}
        return Answer(body=data, headers=headers)

    stub.answer = piece
    assert b"".join(client.follow(7)) == log


def test_a_log_with_bytes_that_are_no_text_comes_through(client: Client, stub: Stub) -> None:
    stub.answer = lambda _: Answer(
        body=b"\xff\x00\x1b[31m", headers={"Orchestra-Log-Offset": "6", "Orchestra-Final": "true"}
    )
    assert b"".join(client.follow(7)) == b"\xff\x00\x1b[31m"


def test_waiting_tells_each_change_once(client: Client, stub: Stub) -> None:
    states = ["QUEUED", "QUEUED", "RUNNING", "RUNNING", "SUCCEEDED"]
    stub.answer = lambda _: as_json({"id": 7, "state": states[len(stub.asked) - 1], "message": ""})
    seen: list[str] = []
    ended = client.wait(7, on_change=lambda now: seen.append(now["state"]))
    assert ended["state"] == "SUCCEEDED"
    assert seen == ["QUEUED", "RUNNING", "SUCCEEDED"]


def test_a_saved_output_has_the_servers_name_and_no_folder(client: Client, stub: Stub, tmp_path: Path) -> None:
    headers = {"Content-Disposition": 'attachment; filename="../../evil.txt"'}
    stub.answer = lambda _: Answer(body=b"data", headers=headers)
    saved = client.save_output(7, to=tmp_path)
    assert saved == tmp_path / "evil.txt"
    assert saved.read_bytes() == b"data"


def test_a_name_beyond_ascii_is_kept(client: Client, stub: Stub, tmp_path: Path) -> None:
    headers = {"Content-Disposition": "attachment; filename*=utf-8''orages%20%C3%A9t%C3%A9.txt"}
    stub.answer = lambda _: Answer(body=b"data", headers=headers)
    assert client.save_output(7, to=tmp_path).name == "orages été.txt"


def test_a_download_that_breaks_off_leaves_the_old_file(client: Client, stub: Stub, tmp_path: Path) -> None:
    target = tmp_path / "storms.txt"
    target.write_text("old")
    stub.answer = lambda _: Answer(body=b"half", headers={"Content-Length": "100"})
    with pytest.raises(errors.Unreachable):
        client.save_output(7, to=target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_output_goes_into_a_pipe_and_does_not_replace_it(stub: Stub, client: Client, tmp_path: Path) -> None:
    stub.answer = lambda _: Answer(body=b"catalog")
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE)
    client.save_output(7, to=tmp_path / "pipe")
    assert reader.communicate(timeout=60)[0] == b"catalog"
    assert (tmp_path / "pipe").is_fifo()


def test_module_names_are_quoted_in_addresses(client: Client, stub: Stub) -> None:
    client.module("b c?d")
    assert stub.asked[0].path == "/api/v1/modules/b%20c%3Fd"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://host:1/", "http://host:1"),
        ("host:1", "http://host:1"),
        ("https://host/orchestra", "https://host/orchestra"),
    ],
)
def test_an_address_is_taken_as_people_write_it(given: str, meant: str) -> None:
    assert server_address(given) == meant


@pytest.mark.parametrize("given", ["ftp://host", "http://", "://"])
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(errors.Unreachable, match="is not a server's address"):
        server_address(given)


def test_the_environment_names_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRA_SERVER", "http://elsewhere:81")
    assert server_address() == "http://elsewhere:81"
    monkeypatch.delenv("ORCHESTRA_SERVER")
    assert server_address() == "http://127.0.0.1:8000"


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(monkeypatch: pytest.MonkeyPatch, stub: Stub) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    stub.answer = lambda _: as_json({"total": 0, "items": []})
    with Client(stub.url) as client:
        assert client.modules() == []


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {"manifest": ""}),
        ({"name": "a"}, {"manifest": "", "name": "a"}),
        ({"inputs": {}}, {"manifest": "", "inputs": {}}),
        ({"inputs": None}, {"manifest": ""}),
    ],
)
def test_a_schema_keeps_its_inputs_unless_none_are_said(
    client: Client, stub: Stub, given: dict[str, object], sent: dict[str, object]
) -> None:
    client.add_schema("", **given)  # type: ignore[arg-type]
    assert json.loads(stub.asked[-1].body) == sent
