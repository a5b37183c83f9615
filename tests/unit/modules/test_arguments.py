"""Arguments: one JSON Schema for all ways in, and values from texts and from JSON checked with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from app.modules.arguments import check, compile_schema, convert
from app.modules.faults import Faulty

DECLARED = [
    {"name": "threshold", "type": "float", "default": 0.5, "minimum": 0, "maximum": 1},
    {"name": "merge_hours", "type": "int"},
    {"name": "kind", "type": "str", "choices": ["fast", "slow"], "default": "fast"},
    {"name": "plot", "type": "bool"},
    {"name": "title", "type": "str"},
]
SCHEMA = compile_schema(DECLARED)


def faults(given: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(Faulty) as caught:
        check(SCHEMA, given)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_the_schema_is_a_closed_json_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["additionalProperties"] is False
    assert list(SCHEMA["properties"]) == [argument["name"] for argument in DECLARED]


def test_defaults_are_filled_in_and_the_rest_is_left_out() -> None:
    assert check(SCHEMA, {}) == {"threshold": 0.5, "kind": "fast"}


def test_values_come_in_the_declared_order() -> None:
    assert list(check(SCHEMA, {"title": "x", "plot": True, "merge_hours": 3})) == [
        "threshold", "merge_hours", "kind", "plot", "title",
    ]  # fmt: skip


def test_texts_become_the_declared_types() -> None:
    values = check(SCHEMA, {"threshold": "0.25", "merge_hours": " 12 ", "plot": "True", "title": "l'été; rm -rf"})
    assert values == {"threshold": 0.25, "merge_hours": 12, "kind": "fast", "plot": True, "title": "l'été; rm -rf"}
    assert type(values["merge_hours"]) is int


def test_whole_numbers_of_json_are_whole_numbers() -> None:
    values = check(SCHEMA, {"merge_hours": 5.0, "threshold": 1})
    assert values["merge_hours"] == 5
    assert type(values["merge_hours"]) is int


def test_null_leaves_an_option_out() -> None:
    assert check(SCHEMA, {"threshold": None, "kind": None})["threshold"] is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"threshold": "half"}, "'half' is not a number"),
        ({"threshold": "nan"}, "not a number"),
        ({"threshold": float("inf")}, "not a finite number"),
        ({"threshold": 2}, "more than the maximum of 1"),
        ({"threshold": "-0.1"}, "less than the minimum of 0"),
        ({"threshold": True}, "True is not a number"),
        ({"threshold": [0.5]}, "not a number"),
        ({"merge_hours": "1.5"}, "not a whole number"),
        ({"merge_hours": 1.5}, "not a whole number"),
        ({"merge_hours": "1_000"}, "not a whole number"),
        ({"merge_hours": "9" * 31}, "not a whole number"),
        ({"merge_hours": ""}, "not a whole number"),
        ({"kind": "medium"}, "none of 'fast', 'slow'"),
        ({"plot": "maybe"}, "not true or false"),
        ({"plot": 1}, "not true or false"),
        ({"title": 3}, "3 is not text"),
        ({"title": {"a": 1}}, "not text"),
        ({"title": "a\0b"}, "no command line can carry"),
        ({"title": "\ud800"}, "no command line can carry"),
        ({"title": "x" * 100_001}, "longer than 100000"),
        ({"tresholt": 0.5}, "unknown argument 'tresholt', did you mean threshold?"),
        ({"zzz": 1}, "this module takes threshold, merge_hours, kind, plot, title"),
    ],
)
def test_a_wrong_value_is_told_with_the_arguments_name(given: dict[str, Any], words: str) -> None:
    found = faults(given)
    assert list(found) == list(given)
    assert words in next(iter(found.values()))


def test_all_faults_are_told_at_once() -> None:
    assert set(faults({"threshold": "x", "merge_hours": "y", "zzz": 1, "kind": "medium"})) == {
        "threshold", "merge_hours", "zzz", "kind",
    }  # fmt: skip


def test_a_module_without_arguments_says_so() -> None:
    with pytest.raises(Faulty, match="takes no arguments"):
        check(compile_schema([]), {"a": 1})


@given(st.one_of(st.integers(-(10**29), 10**29), st.floats(allow_nan=False, allow_infinity=False), st.booleans()))
def test_what_is_written_as_text_comes_back(value: float) -> None:
    type_ = type(value).__name__
    assert convert(str(value), type_) == value


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda one: st.lists(one), max_leaves=4
)


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "other"]), ANYTHING))
def test_whatever_is_given_is_either_valid_or_a_fault(given: dict[str, Any]) -> None:
    try:
        values = check(SCHEMA, given)
    except Faulty as error:
        assert all(fault.path in given for fault in error.faults)
    else:
        Draft202012Validator(SCHEMA).validate(values)
