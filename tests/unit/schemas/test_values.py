"""Values of arguments: from text to JSON, from JSON to the text that Argo has, and what is said of wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from app.schemas.faults import BadArguments
from app.schemas.values import LONGEST, as_text, check, convert, shorten


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("string", " as it is ", " as it is "),
        ("integer", " 010 ", 10),
        ("integer", "-5", -5),
        ("number", "1e3", 1000.0),
        ("number", "7", 7),
        ("boolean", "true", True),
        ("boolean", " false ", False),
        ("object", '{"a": [1]}', {"a": [1]}),
        ("array", "[]", []),
    ],
)
def test_a_text_stands_for_a_value(type_: str, text: str, value: Any) -> None:
    found = convert(text, type_)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("type_", "text", "words"),
    [
        ("integer", "1.5", "'1.5' is not a whole number"),
        ("integer", "٣", "is not a whole number"),
        ("integer", "1_000", "is not a whole number"),
        ("integer", "9" * 31, "is not a whole number"),
        ("number", "NaN", "'NaN' is not a number"),
        ("number", "1e999", "is not a number"),
        ("number", "true", "is not a number"),
        ("number", "", "'' is not a number"),
        ("boolean", "True", "'True' is not true or false"),
        ("boolean", "1", "is not true or false"),
        ("object", "[]", "is not a JSON object"),
        ("array", "[" * 100_000, "is not a JSON list"),
    ],
)
def test_a_text_that_stands_for_nothing_is_told_in_words(type_: str, text: str, words: str) -> None:
    with pytest.raises(ValueError, match="is not") as raised:
        convert(text, type_)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("1e3", "1e3"),
        (5, "5"),
        (5.0, "5"),
        (0.1, "0.1"),
        (1e21, "1000000000000000000000"),
        (1e-7, "0.0000001"),
        (-2.50, "-2.5"),
        (True, "true"),
        (None, "null"),
        ([1, "é"], '[1,"é"]'),
        ({"b": 1, "a": {"c": None}}, '{"b":1,"a":{"c":null}}'),
    ],
)
def test_a_value_is_text_as_argo_writes_it(value: Any, text: str) -> None:
    assert as_text(value) == text


INPUTS: dict[str, Any] = {
    "properties": {
        "who": {"type": "string", "enum": ["world", "moon"], "default": "world"},
        "count": {"type": "integer", "minimum": 1},
        "factor": {"type": "number", "default": 0.5},
        "on": {"type": "string", "format": "date"},
        "many": {"type": "array", "items": {"type": "object", "properties": {"n": {"enum": [1, 2]}}}, "default": [1]},
        "file": {"anyOf": [{"type": "string"}, {"type": "object", "required": ["artifact"]}]},
    },
    "required": ["count"],
}


def told(**given: Any) -> dict[str, str]:
    with pytest.raises(BadArguments) as raised:
        check(INPUTS, given, files=frozenset({"file"}))
    return {fault.path: fault.message for fault in raised.value.faults}


def test_what_people_wrote_stays_as_it_is() -> None:
    given = {"count": " 007 ", "factor": "1e3", "many": '[ {"n": 1} ]', "file": "text"}
    found = check(INPUTS, given, files=frozenset({"file"}))
    assert found == {"who": "world", "count": "007", "factor": "1e3", "many": '[ {"n": 1} ]', "file": "text"}


def test_json_values_become_text_and_files_stay() -> None:
    given = {"count": 7.0, "many": [{"n": 2}], "file": {"artifact": 3}}
    found = check(INPUTS, given, files=frozenset({"file"}))
    assert found == {"who": "world", "count": "7", "factor": "0.5", "many": '[{"n":2}]', "file": {"artifact": 3}}


def test_every_wrong_argument_is_told() -> None:
    found = told(who="mars", factor=True, on="2001-02-30", many=[{"n": 3}], file=5, cuont=1, **{"x" * 500: 1})
    assert found["who"] == "'mars' is none of 'world', 'moon'"
    assert found["count"] == "needs a value"
    assert found["factor"] == "True is not a number"
    assert found["on"] == "'2001-02-30' is no date (2001-03-28)"
    assert found["many"] == "[0].n: 3 is none of 1, 2"
    assert "NUMBER" in found["file"]
    assert found["cuont"] == "unknown argument, did you mean count?"
    assert max(map(len, found)) == 60


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**400, [float("inf")]])
def test_a_number_without_bounds_is_a_fault(value: Any) -> None:
    INPUTS["properties"]["count"]["multipleOf"] = 1.5
    try:
        assert "count" in told(count=value)
    finally:
        del INPUTS["properties"]["count"]["multipleOf"]


def test_what_no_command_line_carries_is_told() -> None:
    inputs = {"properties": {"a": {"type": "string"}}, "required": []}
    for value, words in (("x" * (LONGEST + 1), "pass it as a file"), ("\0", "NUL"), ("\ud800", "surrogate")):
        with pytest.raises(BadArguments, match=words):
            check(inputs, {"a": value}, files=frozenset())
    with pytest.raises(BadArguments, match="pass it as a file"):
        check(inputs, {"a": "é" * (LONGEST // 2 + 1)}, files=frozenset())
    assert check(inputs, {"a": "é" * (LONGEST // 2)}, files=frozenset())["a"] == "é" * (LONGEST // 2)


def test_long_values_are_cut_where_they_are_told() -> None:
    assert shorten("x" * 100) == "'" + "x" * 78 + "…"
    assert shorten(["a"]) == "['a']"
    assert shorten("x", quote=False) == "x"
