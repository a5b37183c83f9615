"""Whatever comes in a request is either read or refused with a sentence; nothing breaks."""

from __future__ import annotations

import json

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from app.wire.errors import Refusal
from app.wire.reading import identifier, json_value, parameters, whole


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": "\\u0000"}',
        b'{"\\u0000": 1}',
        b'{"a": ["\\ud800"]}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"1" * 10_000,
    ],
)
def test_unreadable_json_is_refused(data: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        json_value(data)
    assert refusal.value.status == 400
    assert "JSON" in refusal.value.message


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value = json_value(data)
    except Refusal as refusal:
        assert refusal.status == 400
    else:
        assert json.loads(data) == value


@pytest.mark.parametrize("text", ["", "abc", "0 OR 1=1", "-1", "1.0", "1e3", "٣", "9" * 30, "1\n", " 1", "0x1"])
def test_what_is_no_number_names_nothing(text: str) -> None:
    with pytest.raises(Refusal) as refusal:
        identifier(text, what="task")
    assert refusal.value.status == 404


def test_a_number_out_of_bounds_says_the_bounds() -> None:
    with pytest.raises(Refusal, match="limit must be a whole number from 1 to 10, not '11'"):
        whole("11", path="limit", least=1, most=10)


def test_a_parameter_given_twice_is_refused() -> None:
    for request in (
        RequestFactory().get("/?start=1&start=2"),
        RequestFactory().post("/?start=1", {"start": "2"}),
        RequestFactory().post("/?start=1", {"start": 2}, content_type="application/json"),
    ):
        with pytest.raises(Refusal, match="start is given more than once"):
            parameters(request)


def test_query_form_and_json_are_read_alike() -> None:
    make = RequestFactory()
    assert parameters(make.get("/?a=1")) == {"a": "1"}
    assert parameters(make.post("/?b=2", {"a": "1"})) == {"a": "1", "b": "2"}
    form = make.post("/", "a=1", content_type="application/x-www-form-urlencoded")
    assert parameters(form) == {"a": "1"}
    assert parameters(make.post("/", {"a": 1}, content_type="application/json")) == {"a": 1}
    assert parameters(make.post("/")) == {}


@pytest.mark.parametrize(
    ("content_type", "data", "status"),
    [
        ("text/csv", "a,b", 415),
        ("application/json", "[1]", 400),
        ("application/json", "{", 400),
        ("application/x-www-form-urlencoded", "a=%00", 400),
    ],
)
def test_another_body_is_refused(content_type: str, data: str, status: int) -> None:
    with pytest.raises(Refusal) as refusal:
        parameters(RequestFactory().post("/", data, content_type=content_type))
    assert refusal.value.status == status
