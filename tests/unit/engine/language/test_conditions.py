"""Conditions (`when`) hold where Argo's hold: its answers to hundreds of them, and bounds.

`conditions.jsonl` holds what the controller of Argo Workflows 4.1.2 (govaluate) said: whether it holds, or its refusal.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orchestra_engine.language import LanguageError, conditions

RECORDED = Path(__file__).with_name("conditions.jsonl")
BLOCK = 100


def answer(condition: str) -> dict[str, Any]:
    try:
        return {"condition": condition, "value": conditions.evaluate(condition)}
    except LanguageError as error:
        return {"condition": condition, "fault": str(error)}


def recorded() -> list[dict[str, Any]]:
    return [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("block", range(0, len(recorded()), BLOCK))
def test_argo_gave_the_same_answer(block: int) -> None:
    for wanted in recorded()[block : block + BLOCK]:
        assert answer(wanted["condition"]) == wanted


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab1.2'\"()[]?:,|&=!<>+-*/%^~ \n\\ué in", max_size=60))
def test_any_text_gives_an_answer_or_a_refusal(text: str) -> None:
    assert answer(text)["condition"] == text


@pytest.mark.parametrize(
    "condition",
    [
        "(" * 20000 + "1" + ")" * 20000,
        "1 ** 9 ** 9 ** 9 ** 9",
        "1" + " + 1" * 20000,
        "'a'" + " + 'aaaaaaaaa'" * 9000,
        "9" * 90000 + " == 1",
        "'" + "a" * 90000 + "' =~ '(a*)*b'",
        "!" * 50000 + "true",
        "1 << 1e9 == 1",
    ],
)
def test_no_condition_takes_for_ever(condition: str) -> None:
    begun = time.process_time()
    answer(condition)
    assert time.process_time() - begun < 5
