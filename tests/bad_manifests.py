"""Texts that are no manifests, or none that anything should choke on: by name, with a word of what is said of each."""

from __future__ import annotations

import json
from collections.abc import Callable

GOOD = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: good}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: busybox, command: ["true"]}
"""
_HEAD = GOOD.partition("  - name: main")[0]
_LEAF = '  - name: leaf\n    container: {image: busybox, command: ["true"]}\n'


def _argument(text: str) -> str:
    return GOOD.replace('["true"]', f"[echo, {text}]")


def _layers(first: str, layer: Callable[[str, str], str], count: int) -> str:
    """`a: &a …`, then each letter made of many of the one before."""
    lines = [f"a: &a {first}"]
    lines += [f"{chr(98 + n)}: &{chr(98 + n)} {layer('*' + chr(97 + n), str(n))}" for n in range(count)]
    return "\n".join(lines) + "\n"


def _dag(*tasks: str) -> str:
    return f"{_HEAD}  - name: main\n    dag:\n      tasks:\n" + "".join(f"      - {{{one}}}\n" for one in tasks) + _LEAF


def _steps(step: str) -> str:
    return f"{_HEAD}  - name: main\n    steps: [[{{{step}}}]]\n{_LEAF}"


_FLOW = "apiVersion: 1\nkind: Workflow\nmetadata: []\nspec: {entrypoint: [], templates: {a: 1}, arguments: 3}\n"
_NULLS = _HEAD.partition("spec:")[0] + (
    "spec: {entrypoint: main, templates: [null, {name: main, container: null}, {name: x, steps: [null, [null]]}], "
    "arguments: {parameters: [null], artifacts: [null]}, volumes: [null], onExit: null}\n"
)
_DIGITS = "9" * 1_000_000

BAD: dict[str, tuple[Callable[[], str], str]] = {
    "20 MB": (lambda: GOOD + f"# {'x' * 20_000_000}\n", "1.5 MiB|larger than"),
    "2 MB": (lambda: GOOD + f"# {'x' * 2_000_000}\n", "1.5 MiB"),
    "4 million items of JSON": (lambda: json.dumps({"a": ["x"] * 1_000_000}), "1.5 MiB|larger than"),
    "an alias bomb": (
        lambda: _layers("[x, x, x]", lambda a, _: f"[{', '.join([a] * 9)}]", 9), "more than 100000 values",
    ),
    "a bomb of mappings": (
        lambda: _layers("{k: v}", lambda a, _: f"{{{', '.join(f'x{n}: {a}' for n in range(9))}}}", 20),
        "more than 100000 values",
    ),
    "a bomb of merges": (
        lambda: _layers("{k: v}", lambda a, n: f"{{<<: [{', '.join([a] * 200)}], z{n}: 1}}", 20),
        "more than 100000 values",
    ),
    "an alias of itself": (lambda: "a: &a [*a]\n", "stands inside what it names"),
    "an alias of nothing": (lambda: "a: *b\n", "unknown anchor"),
    "100,000 lists in lists": (lambda: "a: " + "[" * 100_000 + "]" * 100_000, "nested more than"),
    "50,000 objects in objects": (lambda: '{"a":' * 50_000 + "1" + "}" * 50_000, "nested more than"),
    "1,200 blocks in blocks": (lambda: "".join("  " * n + "a:\n" for n in range(1200)), "nested more than"),
    "several documents": (lambda: GOOD + "---\n" + GOOD, "one document"),
    "many documents": (lambda: "---\na: 1\n" * 20_000, "one document"),
    "half a million empty documents": (lambda: "---\n" * 300_000, "more than 100000 values"),
    "many keys": (lambda: "".join(f"k{n}: 1\n" for n in range(120_000)), "more than 100000 values"),
    "a key twice": (lambda: "a: 1\na: 2\n", "appears twice"),
    "a long key": (lambda: "k" * 1_000_000 + ": 1\n", "has to be a mapping"),
    "a tag of Python's": (lambda: "a: !!python/object/apply:os.system ['id']\n", "is not allowed"),
    "a tag of its own": (lambda: GOOD.replace("main", "!run main", 1), "is not allowed"),
    "a million digits": (lambda: _argument(_DIGITS), "has to be of type string"),
    "a million digits before the point": (lambda: _argument(f"{_DIGITS}.5"), "has to be of type string"),
    "an endless exponent": (lambda: _argument(f"1e{_DIGITS}"), "has to be of type string"),
    "a long text for a name": (lambda: GOOD.replace("entrypoint: main", "entrypoint: " + "x" * 100_000), "undefined"),
    "NUL": (lambda: _argument('"a\\0b"'), "NUL"),
    "a bare NUL": (lambda: GOOD + "\0", "NUL|Null|not allowed|unacceptable"),
    "half a surrogate pair": (lambda: _argument('"\\ud800"'), "Unicode|surrogate"),
    "nothing": (lambda: "", "one document|is required"),
    "a text": (lambda: "hello", "has to be a mapping"),
    "a list": (lambda: "[1, 2]", "has to be a mapping"),
    "no YAML": (lambda: "a: b: c", "mapping values are not allowed"),
    "another kind": (lambda: GOOD.replace("kind: Workflow", "kind: Pod"), "kind: Workflow"),
    "wrong types": (lambda: _FLOW, "has to be"),
    "nulls": (lambda: _NULLS, "has to be of type"),
    "an unknown field": (lambda: GOOD.replace("entrypoint", "entrypont"), "unknown field"),
    "no entrypoint": (lambda: GOOD.replace("entrypoint: main", "entrypoint: other"), "'other' undefined"),
    "a unicode name": (lambda: GOOD.replace("name: good", "name: 日本"), "metadata.name|small letters|Invalid value"),
    "a path for a name": (lambda: GOOD.replace("name: good", "name: ../../etc"), "small letters|Invalid value"),
    "a long name": (lambda: GOOD.replace("name: good", f"name: {'a' * 300}"), "63|Invalid value"),
    "a unicode template": (lambda: GOOD.replace("main", "größe"), "should match"),
    "a cycle": (lambda: _dag("name: a, template: leaf, depends: b", "name: b, template: leaf, depends: a"), "cycle"),
    "6,000 tasks": (
        lambda: _dag("name: a, template: leaf", *(f"name: a{n}, template: leaf, depends: a" for n in range(6000))),
        "200 at most",
    ),
    "nobody's task": (lambda: _dag("name: a, template: leaf, depends: b"), "'b'|b"),
    "negative numbers": (
        lambda: GOOD.replace("    container", "    activeDeadlineSeconds: -5\n    container"), "positive integer",
    ),
    "a tag without an end": (lambda: _argument('"' + "{{" * 500_000 + '"'), "Cannot find end tag"),
    "tags in tags": (lambda: _argument('"' + "{{workflow." * 20_000 + "}}" * 20_000 + '"'), "failed to resolve"),
    "nobody's parameter": (lambda: _argument('"{{workflow.parameters.x}}"'), "failed to resolve"),
    "a million items": (
        lambda: _steps(f"name: a, template: leaf, withItems: [{','.join(['1'] * 700_000)}]"), "more than 100000 values",
    ),
}  # fmt: skip
