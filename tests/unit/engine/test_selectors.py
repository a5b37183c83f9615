"""Which nodes a field selector means, as `argo … --node-field-selector` reads it."""

from __future__ import annotations

import pytest
from orchestra_engine.operate.selectors import BadSelector, selected

NODES = {
    "1": {"id": "1", "name": "w[0].a", "displayName": "a", "phase": "Running", "templateName": "t",
          "inputs": {"parameters": [{"name": "p", "value": "x,y=z"}, {"name": "none"}]}},
    "2": {"id": "2", "name": "w[0].b", "displayName": "b", "phase": "Failed",
          "templateRef": {"name": "tools", "template": "t"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("selector", "ids"),
    [
        ("displayName=a", ["1"]),
        ("displayName==a", ["1"]),
        ("displayName!=a", ["2"]),
        ("id=2", ["2"]),
        ("name=w[0].a", ["1"]),
        ("templateName=t", ["1", "2"]),
        ("templateRef.name=tools", ["2"]),
        ("templateRef.name=", ["1"]),
        ("phase=Running,displayName=b", []),
        ("phase!=Running,displayName=b,", ["2"]),
        (r"inputs.parameters.p.value=x\,y\=z", ["1"]),
        ("inputs.parameters.none.value=", ["1", "2"]),
    ],
)
def test_a_selector_means_the_nodes_with_such_fields(selector: str, ids: list[str]) -> None:
    assert selected(NODES, selector) == ids


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ("", "empty"),
        (",", "empty"),
        ("a", "has to be FIELD=VALUE"),
        ("colour=red", "'colour' is no field of a node"),
        ("displayName = a", "'displayName ' is no field"),
        ("displayName=a=b", "has to have a '\\'"),
        ("displayName=a\\b", "has to have a '\\'"),
        ("displayName=a\\", "has to have a '\\'"),
    ],
)
def test_a_selector_that_cannot_be_read_says_why(selector: str, words: str) -> None:
    with pytest.raises(BadSelector, match=words.replace("\\", "\\\\")):
        selected(NODES, selector)
