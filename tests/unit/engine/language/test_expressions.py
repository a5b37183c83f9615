"""Expressions say what Argo's say: its answers to thousands of them, and what must never happen, whatever is asked.

`expressions.jsonl` holds the answers that the expression environment of Argo Workflows 4.1.2 (expr-lang 1.17.8, sprig
3.3.0, its own functions) gave with the parameters below: the value as JSON, or the first line of the refusal.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orchestra_engine.language import LanguageError, Refused, expressions, gojson, tags

PARAMETERS = {
    "d": "2001-03-28",
    "n": "3",
    "s": "hello world",
    "j": '[{"a":1,"b":"x"},{"a":2,"b":"y"}]',
    "x.y": "deep",
    "inputs.parameters.p": "7",
    "item": "apple",
    "u": "héllo→",
}
RECORDED = Path(__file__).with_name("expressions.jsonl")
BLOCK = 100


def answer(expression: str) -> dict[str, str]:
    try:
        value = gojson.dumps(expressions.evaluate(expression, expressions.environment(PARAMETERS)))
        return {"expression": expression, "value": value}
    except LanguageError as error:
        return {"expression": expression, "fault": str(error).split("\n")[0]}


def recorded() -> list[dict[str, str]]:
    return [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("block", range(0, len(recorded()), BLOCK))
def test_argo_gave_the_same_answer(block: int) -> None:
    for wanted in recorded()[block : block + BLOCK]:
        assert answer(wanted["expression"]) == wanted


_CONSTANTS = ["1", "0", "-3", "2.5", "1e300", "9223372036854775807", "'a'", "''", "'é'", "'3'", "true", "nil", "b'ab'"]
_PLACES = ["x", "x.y", "d", "j", "u", "sprig", "$env"]
_MADE = ["[1, 2]", "[]", "{a: 1}", "date(d)", "duration('1h')", "1..5", "fromJSON(j)"]
_LEAVES = st.sampled_from([*_CONSTANTS, *_PLACES, *_MADE])
_OPERATORS = ["==", "<", "+", "-", "*", "/", "%", "**", "in", "contains", "matches", "&&", "||", "??", "..", "not in"]
_NAMES = sorted([*expressions.BUILTINS, "asInt", "toJson", "jsonpath", *(f"sprig.{n}" for n in expressions.FUNCTIONS)])
_PREDICATES = ["map", "filter", "all", "count", "find", "groupBy", "sortBy", "reduce", "sum"]


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(_OPERATORS), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(st.sampled_from(_NAMES), st.lists(inner, max_size=4)).map(lambda t: f"{t[0]}({', '.join(t[1])})"),
        st.tuples(st.sampled_from(_PREDICATES), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"{t[0]}[{t[1]}]"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} ? {t[1]} : {t[2]})"),
        inner.map(lambda e: f"let v = {e}; [v, v]"),
        inner.map(lambda e: f"{e}.Format('2006')"),
    )


@settings(max_examples=400, deadline=None)
@given(st.recursive(_LEAVES, _grown, max_leaves=12))
def test_an_expression_gives_a_value_or_a_refusal_and_nothing_else(expression: str) -> None:
    assert answer(expression)["expression"] == expression


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab1.2'\"`()[]{}#?:;,|&=!<>+-*/%^ \n\\ué$@_let in not if else", max_size=60))
def test_a_text_that_is_no_expression_gives_a_refusal(text: str) -> None:
    assert answer(text)["expression"] == text


@pytest.mark.parametrize(
    "expression",
    [
        "map(1..50000, 1..50000)",
        "let a = 1..90000; map(1..90000, a)",
        "reduce(1..50000, [#acc])",
        "reduce(1..30, [#acc, #acc])",
        "map(1..10000, sprig.until(100000))",
        "map(1..1000, (1..90000) == (1..90000))",
        "sprig.uniq(map(1..90000, [#]))",
        "sprig.until(1000000000)",
        "sprig.untilStep(0, 9223372036854775807, 1)",
        "sprig.semver(repeat('1', 10000))",
        "sprig.semverCompare('>=' + repeat('1.1-a.', 80) + '!', '1')",
        "date('2001-01-01').Format(repeat('2006', 100000))",
        "duration(repeat('9', 100000) + 'h')",
        "fromJSON(repeat('[', 100000))",
        "toJSON(fromJSON(repeat('[', 900) + repeat(']', 900)))",
        "not " * 3000 + "true",
        "a" + ".a" * 5000,
        "if true {" * 100 + "1" + "} else {2}" * 100,
        "timezone('../../etc/passwd')",
        "timezone('a\\u0000b')",
    ],
)
def test_what_would_take_for_ever_or_fill_the_memory_is_refused_soon(expression: str) -> None:
    begun = time.process_time()
    assert "fault" in answer(expression)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("call", ["now()", "sprig.now()", "sprig.uuidv4()", "sprig.date('2006', 'x')", "string(now())"])
def test_what_the_engine_lacks_is_never_left_as_it_is_written(call: str) -> None:
    with pytest.raises(Refused, match="not available here"):
        tags.replace(f'"{{{{={call}}}}}"', {})


@pytest.mark.parametrize(
    "source",
    [
        "let a = sprig.repeat(1000, 'x'); let b = sprig.repeat(1000, a); let c = b + b + b + b + b; len(c)",
        "let a = 1; map(1..100000, {map(1..100000, {#})})",
        "nosuch == '" + "x" * 100_001 + "'",
    ],
)
def test_a_bound_that_was_met_is_told_where_other_faults_are_passed_over(source: str) -> None:
    with pytest.raises(Refused, match=r"more than \d+ (steps|characters)"):
        tags.replace(f'"{{{{={source}}}}}"', {})


def test_what_argo_lacks_is_left_as_argo_leaves_it() -> None:
    text = "\"{{=sprig.env('HOME')}}\""
    assert tags.replace(text, {}) == text


def test_all_of_an_expression_is_checked_before_any_of_it_runs() -> None:
    for expression in ("true ? 1 : nosuch", "false && nosuch", "true || 1 + 'a' == 1"):
        assert "fault" in answer(expression)


def test_times_of_no_zone_are_utc_and_a_workflow_says_the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        asked = ("sprig.date('15:04', 0)", "date('2001-03-28').Local().Unix()")
        values = [answer(expression)["value"] for expression in asked]
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert values == ['"00:00"', "985737600"]


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("1 + 'a'", "mismatched types int and string"),
        ("now().Year()", "not available here"),
        ("map(inputs.parameters.l, sprig.uuidv4())", "not available here"),
        ("date(inputs.parameters.d).Foo()", "no method Foo"),
        ("upper(1)", "cannot use int"),
        ("1 +", "unexpected token EOF"),
    ],
)
def test_what_is_wrong_whatever_the_names_stand_for_is_told_without_them(expression: str, fault: str) -> None:
    with pytest.raises(LanguageError, match=fault):
        expressions.check(expression)


@pytest.mark.parametrize("expression", ["tasks.a.outputs.result + 1", "nosuch.deep ?? 1", "sprig.nosuch(x)", "f(1)"])
def test_what_may_be_right_with_some_names_is_left_alone(expression: str) -> None:
    expressions.check(expression)
