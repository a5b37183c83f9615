"""Arguments of a run, by REST, Python client and command: checked as declared before anything is stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Http
from orchestra import errors
from orchestra.client import Client

from app.executions.models import Execution
from app.schemas import services
from tests import factories
from tests.integration.schemas.conftest import SERVER, Command

pytestmark = pytest.mark.django_db

TEXT = factories.MANIFEST.replace("NAME", "greeting")
Ask = Callable[[dict[str, Any]], str]  # from arguments to what is said of them, nothing if they were taken


def by_rest(arguments: dict[str, Any]) -> str:
    answer = Http().post("/api/v1/schemas/greeting/executions", {"arguments": arguments}, "application/json")
    if answer.status_code == 201:
        return ""
    assert answer.status_code == 422
    assert answer.json()["faults"]
    return str(answer.json()["error"])


def by_client(arguments: dict[str, Any]) -> str:
    with Client(SERVER) as client:
        try:
            client.run_schema("greeting", arguments=arguments)
        except errors.Invalid as error:
            return str(error)
    return ""


def by_command(arguments: dict[str, Any], *, orchestra: Command) -> str:
    values = {name: one if isinstance(one, str) else json.dumps(one) for name, one in arguments.items()}
    words = [word for name, value in values.items() for word in ("-p", f"{name}={value}")]
    code, out, err = orchestra("schema", "run", "greeting", "--no-wait", *words)
    assert code == (2 if err else 0)
    assert bool(out) is not bool(err)
    return err


@pytest.fixture(params=["REST", "client", "command"])
def ask(request: pytest.FixtureRequest, orchestra: Command) -> Ask:
    """Each way in which arguments get to a server."""
    return {"REST": by_rest, "client": by_client, "command": lambda given: by_command(given, orchestra=orchestra)}[
        request.param
    ]


CHECKED: list[tuple[dict[str, Any], Any, Any, str]] = [
    # declared, an argument that is taken, one that is not, and what is said of that
    ({"type": "integer"}, 3, "3.5", "'3.5' is not a whole number"),
    ({"type": "number"}, 2.5, "many", "'many' is not a number"),
    ({"type": "boolean"}, True, "yes", "'yes' is not true or false"),
    ({"type": "array"}, [1, 2], "1, 2", "'1, 2' is not a JSON list"),
    ({"type": "object"}, {"a": 1}, [1], "is not a JSON object"),
    ({"enum": ["sun", "moon"]}, "sun", "mars", "'mars' is none of 'sun', 'moon'"),
    ({"const": "sun"}, "sun", "moon", "'sun' was expected"),
    ({"type": "integer", "minimum": 1}, 1, 0, "less than the minimum of 1"),
    ({"type": "integer", "maximum": 9}, 9, 10, "greater than the maximum of 9"),
    ({"type": "number", "exclusiveMinimum": 0}, 0.1, 0, "less than or equal to the minimum of 0"),
    ({"type": "number", "exclusiveMaximum": 1}, 0.9, 1, "greater than or equal to the maximum of 1"),
    ({"type": "integer", "multipleOf": 3}, 6, 7, "7 is not a multiple of 3"),
    ({"minLength": 2}, "ab", "a", "'a' is too short"),
    ({"maxLength": 2}, "ab", "abc", "'abc' is too long"),
    ({"pattern": "^[a-z]+$"}, "abc", "ABC", "'ABC' does not match ^[a-z]+$"),
    ({"format": "date"}, "2001-03-28", "28.3.2001", "'28.3.2001' is no date (2001-03-28)"),
    ({"format": "date-time"}, "2001-03-28T00:00:00", "2001-03-28", "is no date-time (2001-03-28T00:00:00, UTC)"),
    ({"format": "uuid"}, "5b11f539-9ebc-4f2d-aab4-41efffc515c3", "5b11", "'5b11' is no uuid"),
    ({"type": "array", "items": {"type": "integer"}}, [1], [1, "x"], "[1]: 'x' is not of type 'integer'"),
    ({"type": "array", "prefixItems": [{"type": "string"}]}, ["x"], [1], "[0]: 1 is not of type 'string'"),
    ({"type": "array", "contains": {"const": 1}}, [1, 2], [2], "does not contain items"),
    ({"type": "array", "contains": {"const": 1}, "minContains": 2}, [1, 1], [1], "Too few items match"),
    ({"type": "array", "contains": {"const": 1}, "maxContains": 1}, [1], [1, 1], "Too many items match"),
    ({"type": "array", "minItems": 1}, [1], [], "non-empty"),
    ({"type": "array", "maxItems": 1}, [1], [1, 2], "is too long"),
    ({"type": "array", "uniqueItems": True}, [1, 2], [1, 1], "holds an item twice"),
    ({"type": "object", "properties": {"a": {"type": "integer"}}}, {"a": 1}, {"a": "x"}, "a: 'x' is not of type"),
    ({"type": "object", "required": ["a"]}, {"a": 1}, {"b": 1}, "'a' is a required property"),
    ({"type": "object", "additionalProperties": False}, {}, {"a": 1}, "'a' was unexpected"),
    ({"type": "object", "propertyNames": {"maxLength": 1}}, {"a": 1}, {"ab": 1}, "'ab' is too long"),
    ({"type": "object", "dependentRequired": {"a": ["b"]}}, {"b": 1}, {"a": 1}, "'b' is a dependency of 'a'"),
    ({"type": "object", "minProperties": 1}, {"a": 1}, {}, "non-empty"),
    ({"type": "object", "maxProperties": 1}, {"a": 1}, {"a": 1, "b": 2}, "too many properties"),
    ({"allOf": [{"minLength": 1}, {"maxLength": 2}]}, "a", "abc", "'abc' is too long"),
    ({"anyOf": [{"const": "a"}, {"const": "b"}]}, "a", "c", "not valid under any of the given schemas"),
    ({"oneOf": [{"minLength": 1}, {"minLength": 2}]}, "a", "ab", "valid under each of"),
    ({"not": {"const": "a"}}, "b", "a", "should not be valid under"),
    ({"type": "integer", "if": {"minimum": 5}, "then": {"multipleOf": 5}}, 3, 6, "6 is not a multiple of 5"),
    ({"type": "integer", "if": {"minimum": 5}, "else": {"multipleOf": 3}}, 3, 4, "4 is not a multiple of 3"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "right", "wrong", "words"), CHECKED, ids=[" ".join(one[0]) for one in CHECKED])
def test_each_keyword_is_checked_before_anything_is_stored(
    ask: Ask, declared: dict[str, Any], right: Any, wrong: Any, words: str
) -> None:
    services.save(
        factories.MANIFEST.replace("NAME", "greeting").replace(", value: world", ""), inputs={"who": declared}
    )
    said = ask({"who": wrong})
    assert "who: " in said
    assert words in said
    assert not Execution.objects.exists()
    assert ask({"who": right}) == ""
    [execution] = Execution.objects.all()
    written = right if isinstance(right, str) else json.dumps(right, separators=(",", ":"))
    assert json.loads(json.dumps(execution.arguments["who"])).replace(" ", "") == written


def test_every_keyword_that_checks_is_among_them() -> None:
    from app.schemas import json_schemas

    notes = {"title", "description", "default", "examples", "deprecated", "unit", "$comment"}
    assert {key for declared, *_ in CHECKED for key in declared} == json_schemas.KEYWORDS - notes


def test_what_is_missing_unknown_and_wrong_is_told_at_once(ask: Ask) -> None:
    text = factories.MANIFEST.replace("NAME", "greeting").replace(
        "{name: who, value: world}", "{name: who}, {name: how}"
    )
    services.save(text, inputs={"how": {"type": "integer"}})
    said = ask({"whoo": "x", "how": "loud"})
    assert "who: needs a value" in said
    assert "whoo: unknown argument, did you mean who?" in said
    assert "how: 'loud' is not a whole number" in said
    assert not Execution.objects.exists()


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"type": "integer"}, "'world' is not a whole number"),
        ({"maxLength": 3}, "its default is none of the values that it may have"),
        ({"enum": ["sun"]}, "its default is none of the values that it may have"),
        ({"default": 5}, "its default is none of the values that it may have"),
        ({"format": "date"}, "its default is none of the values that it may have"),
    ],
)
def test_a_default_that_is_no_value_is_a_fault_when_the_schema_is_saved(declared: dict[str, Any], words: str) -> None:
    with pytest.raises(services.BadSchema, match=words):
        services.save(TEXT, inputs={"who": declared})
