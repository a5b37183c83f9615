"""What inputs may be declared with, and that no declaration and no value takes long to check."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app.schemas import json_schemas
from app.schemas.json_schemas import faults, first_fault, unusable


def is_right(declared: dict[str, Any], value: Any) -> bool:
    return first_fault(declared, value) is None


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"$ref": "http://127.0.0.1:9/"}, "$ref is not taken here; write it out"),
        ({"items": {"$defs": {}}}, "items.$defs is not taken here"),
        ({"patternProperties": {}}, "use propertyNames"),
        ({"anyOf": [{"unevaluatedItems": False}]}, "anyOf[0].unevaluatedItems is not taken here; use items"),
        ({"minimun": 1}, "did you mean minimum?"),
        ({"colour": "red"}, "begin with x-"),
        ({"minimum": "x"}, "is no JSON Schema: minimum: 'x' is not of type 'number'"),
        ({"properties": {"a": {"minItems": -1}}}, "is no JSON Schema: properties.a.minItems"),
        ({"pattern": "("}, "pattern: missing )"),
        ({"pattern": "^(?!x)"}, "no look-around"),
        ({"pattern": r"(a)\1"}, "no back-references"),
        ({"pattern": "a" * 1001}, "more than 1000 characters"),
        ({"items": {"pattern": "((a{1000}){1000}){1000}"}}, "items.pattern: "),
        ({"format": "hostname"}, "is none of date, date-time, uuid"),
        ({"unit": 5}, "unit: has to be text"),
    ],
)
def test_what_cannot_be_checked_is_refused_with_its_place(declared: dict[str, Any], words: str) -> None:
    assert words in " | ".join(faults(declared))


def test_notes_of_ones_own_and_units_are_taken() -> None:
    assert faults({"type": "number", "unit": "nT", "x-colour": "red", "title": "B", "examples": [1]}) == []


def test_a_pattern_that_would_never_end_elsewhere_ends() -> None:
    for pattern in ("^(a+)+$", "^(a|aa)+$", "^(a?){60}a{60}$"):
        assert faults({"pattern": pattern}) == []
        assert not is_right({"pattern": pattern}, "a" * 50_000 + "b")


def test_a_pattern_is_searched_for_anywhere_in_the_text() -> None:
    assert is_right({"pattern": "[0-9]{4}"}, "in 2001")
    assert is_right({"pattern": "^é{2}$"}, "éé")
    assert is_right({"pattern": "x"}, 5)


def test_equal_items_are_found_in_long_lists() -> None:
    declared = {"uniqueItems": True}
    long = [{"k": number} for number in range(20_000)]
    assert is_right(declared, long)
    assert not is_right(declared, [*long, {"k": 7.0}])
    assert is_right(declared, [1, True, "1", [1], {"a": 1}])
    assert not is_right(declared, [{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}])
    assert is_right({"uniqueItems": False}, [1, 1])


@pytest.mark.parametrize(
    ("of", "value", "right"),
    [
        (3, 9, True),
        (3, 10, False),
        (0.5, 2.5, True),
        (0.5, 2.6, False),
        (2, 4.0, True),
        (2, 10**17 + 1, False),
        (5, True, True),
        (5, "x", True),
    ],
)
def test_multiples(of: float, value: Any, right: bool) -> None:
    assert is_right({"multipleOf": of}, value) is right


def test_a_number_that_no_float_holds_is_a_fault_and_no_mistake() -> None:
    with pytest.raises(ValueError, match="too large"):
        first_fault({"multipleOf": 0.1}, 10**400)
    assert not is_right({"multipleOf": 1e-300}, 1e300)


def test_a_value_that_is_too_large_for_its_declaration_is_told() -> None:
    declared = {"items": {"anyOf": [{"type": "integer", "minimum": number} for number in range(500)]}}
    assert is_right(declared, [600] * 100)
    with pytest.raises(ValueError, match="pass it as a file"):
        first_fault(declared, [0] * 10_000)


@pytest.mark.parametrize(
    ("format_", "right", "wrong"),
    [
        ("date", "2001-03-28", ["2001-02-30", "2001-3-28", "20010328", "yesterday"]),
        ("date-time", "2001-03-28T00:00:00", ["2001-03-28", "2001-03-28 00:00:00", "2001-03-28T25:00:00", ""]),
        ("date-time", "2001-03-28T00:00:00.5Z", ["2001-03-28T00:00:00z", "2001-03-28T00:00"]),
        ("date-time", "2001-03-28T00:00:00+02:00", ["2001-03-28T00:00:00+0200"]),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", ["123e4567e89b12d3a456426614174000", "x"]),
    ],
)
def test_formats_are_checked(format_: str, right: str, wrong: list[str]) -> None:
    assert is_right({"format": format_}, right)
    assert is_right({"format": format_}, 5)
    assert [value for value in wrong if is_right({"format": format_}, value)] == []


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"a": {"minimum": float("nan")}}, "not a finite number"),
        ({"a": {"description": "\ud800"}}, "cannot be stored"),
        ({"a": {"\0": 1}}, "cannot be stored"),
        ({"a": {"enum": list(range(json_schemas.MOST_VALUES))}}, "more than 4000 values"),
        ({"a": {"description": "x" * json_schemas.MOST_CHARACTERS}}, "longer than"),
    ],
)
def test_what_no_database_or_no_patience_holds_is_unusable(declared: dict[str, Any], words: str) -> None:
    assert words in unusable(declared)


def test_what_is_nested_too_deep_is_unusable() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = {"items": deep}
    assert unusable(deep) == "is nested more than 20 deep"
    assert unusable({"a": {"items": {"type": "integer"}}}) == ""


def test_the_page_about_schemas_has_each_keyword_and_format_that_is_understood() -> None:
    page = (Path(__file__).parents[3] / "docs" / "schemas.md").read_text()
    rows = page.split("| keyword | meaning |")[1].split("\n\n")[0].splitlines()[2:]
    told = {word for row in rows for word in re.findall(r"`([^`]+)`", row.split(" | ")[0])}
    assert told - {"x-…"} == json_schemas.KEYWORDS
    for name in json_schemas.FORMATS:
        assert f"`{name}`" in page
