"""The small languages inside a manifest, beyond what the recorded cases use of them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from orchestra_engine import workflow
from orchestra_engine.language import LanguageError, conditions, durations, expressions, gojson, jsonpath, tags


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 == 1", True),
        ("heads == heads", True),
        ("'a b' == \"a b\"", True),
        ("1 > 2 || (3 >= 3 && !(1 == 2))", True),
        ("'x' in ('x', 'y')", True),
        ("'abc' =~ '^a.c$'", True),
        ("'abc' !~ '^a.c$'", False),
        ("2 ** 3 == 8", True),
        ("7 % 4 == 3", True),
        ("true && false", False),
    ],
)
def test_conditions(text: str, expected: bool) -> None:
    assert conditions.evaluate(text) is expected


@pytest.mark.parametrize("text", ["1 ==", "(1 == 1", "'a' > 1", "1 + 1", "__import__('os') == 1"])
def test_faulty_conditions(text: str) -> None:
    with pytest.raises(LanguageError):
        conditions.evaluate(text)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("2 ** 3", 8.0),
        ("7 / 2", 3.5),
        ("7 % 4", 3),
        ("'a' + 'b'", "ab"),
        ("x > 2 ? 'big' : 'small'", "big"),
        ("missing ?? 'none'", "none"),
        ("items[1:]", [2, 3]),
        ("items[-1]", 3),
        ("2 in items and not (4 in items)", True),
        ("filter(items, {# > 1})", [2, 3]),
        ("map(items, # * 2)", [2, 4, 6]),
        ("reduce(items, #acc + #)", 6),
        ("all(items, {# > 0}) && any(items, {# == 3})", True),
        ("let y = x + 1; y * 2", 8),
        ("'hello' matches '^h'", True),
        ("'hello' contains 'ell' && 'hello' startsWith 'he' && 'hello' endsWith 'lo'", True),
        ("{'a': 1}.a", 1),
        ("items | len()", 3),
        ("asInt('3') + asFloat('1.5')", 4.5),
        ("toJson({'b': [1, 'x'], 'a': nil})", '{"a":null,"b":[1,"x"]}'),
        ("jsonpath('{\"a\": [1, 2]}', '$.a[1]')", 2),
        ("sprig.trim('  a ') + sprig.upper('b')", "aB"),
        ("sprig.join('-', ['a', 'b'])", "a-b"),
        ("string(3) + split('a,b', ',')[1]", "3b"),
    ],
)
def test_expressions(source: str, expected: Any) -> None:
    env = expressions.environment({"x": 3, "items": [1, 2, 3], "missing": None})
    assert expressions.evaluate(source, env) == expected


@pytest.mark.parametrize(
    "source",
    [
        "map(1..90000, {map(1..90000, {#})})",
        "1..10000000",
        "sprig.repeat(1000000000, 'x')",
        "repeat('a', 1000000) matches '(?:a?){900}b'",
        "(" * 3000 + "1" + ")" * 3000,
        "sprig.replace('y', sprig.repeat(4000, 'z'), sprig.repeat(4000, 'y'))",
        "sprig.regexReplaceAll('y', sprig.repeat(4000, 'y'), sprig.repeat(4000, 'z'))",
        "sprig.join(sprig.repeat(4000000, 'z'), 1..1000)",
        "sprig.indent(1000, sprig.repeat(1000000, '\\n'))",
        "repeat('x', 1000000000)",
        "replace(repeat('y', 4000), 'y', repeat('z', 4000))",
        "join(map(1..1000, 'a'), repeat('z', 4000000))",
        "x.__class__",
        "open('/etc/passwd')",
        "sprig.env('HOME')",
        "sprig.randAlpha(3)",
        "now()",
        "1 +",
    ],
)
def test_an_expression_neither_runs_on_nor_looks_outside(source: str) -> None:
    begun = time.process_time()
    with pytest.raises(LanguageError):
        expressions.evaluate(source, expressions.environment({"x": 3}))
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h30m", 5400), ("1.5s", 1.5), ("300ms", 0.3), ("-2m", -120), ("0", 0)],
)
def test_go_durations(text: str, seconds: float) -> None:
    assert durations.go(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "1 h", "h", "1d", "1.2.3s"])
def test_faulty_go_durations(text: str) -> None:
    with pytest.raises(LanguageError):
        durations.go(text)


@pytest.mark.parametrize(
    ("text", "amount"), [("64Mi", 64 * 2**20), ("1G", 1e9), ("500m", 0.5), ("2", 2), ("1e3", 1000)]
)
def test_quantities(text: str, amount: float) -> None:
    assert durations.quantity(text) == pytest.approx(amount)


def test_json_as_go_writes_it() -> None:
    assert gojson.dumps({"b": "<é&\u2028>", "a": [1.0, 1e21, 1e-7, True, None]}) == (
        '{"a":[1,1e+21,1e-7,true,null],"b":"\\u003cé\\u0026\\u2028\\u003e"}'
    )
    with pytest.raises(LanguageError):
        gojson.loads("[1, NaN]")


def test_jsonpath() -> None:
    data = {"a": [{"n": 1, "v": "x"}, {"n": 2, "v": "y"}], "b c": 3}
    assert jsonpath.query("$.a[*].v", data) == ["x", "y"]
    assert jsonpath.query("$.a[?(@.n == 2)].v", data) == ["y"]
    assert jsonpath.query("$['b c']", data) == 3


def test_tags_are_replaced_in_place_and_what_they_bring_is_not_read_again() -> None:
    values = {"inputs.parameters.a": "1", "item": 'say "{{inputs.parameters.a}}"'}
    assert tags.replace('"{{ inputs.parameters.a }}-{{=1 + 1}}"', values) == '"1-2"'
    assert tags.names("x {{a}}") == ["a"]
    with pytest.raises(LanguageError):
        tags.replace('"{{steps.a.outputs.result}}"', values, strict=tags.everything)


def test_yaml_as_argo_reads_it() -> None:
    (read,) = workflow.load("a: yes\nb: 'no'\nc: 010\nd: 0o10\ne: 1e3\nf: ~\ng: 2001-01-01\n")
    assert read["a"] is True and read["b"] == "no" and read["c"] == 8 and read["d"] == 8
    assert read["f"] is None and read["g"] == "2001-01-01"


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{c}: &{c} [{', '.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)),
        "[" * 5000 + "]" * 5000,
        "a: " + "x" * 20_000_000,
        "a: 1\na: 2\n",
        "a: !!python/object/apply:os.system [id]\n",
        "a: [1\n",
        "- 1\n",
        "a: \x07\n",
    ],
    ids=["alias-bomb", "deep", "huge", "twice", "tag", "open", "list", "control"],
)
def test_a_hostile_manifest_is_refused_at_once(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(workflow.ManifestError):
        workflow.load(text)
    assert time.process_time() - begun < 2
