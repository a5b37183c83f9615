"""What is drawn on real terminals: narrow, without colours, of a size that changes, under texts that mean harm."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.desk.command import Desk, manifest

HARM = manifest(r"""
  - name: main
    dag:
      tasks:
      - name: a
        template: t
        withItems: ["日本語日本語日本語日本語日本語日本語日本語日本語", "\e[31mred\e[2J\e]0;title\a", "\u202eabc"]
        arguments: {parameters: [{name: p, value: "{{item}}"}]}
  - name: t
    inputs: {parameters: [{name: p}]}
    container:
      image: busybox
      command: [sh, -c, "printf '\\033]0;title\\007\\033[2J%s\\n' \"$0\"; exit 3", "{{inputs.parameters.p}}"]
""")
# What a drawing itself needs: colours, the cursor up, off and on, a line cleared.
DRAWING = re.compile(r"\x1b\[(?:[0-9;]*m|1A|2K|\?25[lh])")
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?[39][0-7]m")


def visible(written: str) -> str:
    """What is left once the drawing's own sequences are gone."""
    return DRAWING.sub("", written)


@pytest.mark.parametrize(("columns", "then"), [(80, 0), (30, 0), (200, 40), (40, 200)])
def test_names_messages_and_logs_never_steer_the_terminal(desk: Desk, columns: int, then: int) -> None:
    code, written = desk.on_terminal("workflow", "run", desk.write(HARM), columns=columns, then=then)
    assert code == 1
    assert COLOUR.search(written)
    seen = visible(written)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202e]", seen)
    assert "w Failed" in seen
    assert "main: Error (exit code 3)" in seen
    assert "Traceback" not in seen


def test_a_log_that_is_shown_on_a_terminal_cannot_steer_it_either(desk: Desk) -> None:
    desk.call("workflow", "run", desk.write(HARM))
    code, written = desk.on_terminal("workflow", "logs", "w")
    assert code == 0
    assert "\x1b" not in written
    assert "\x1b" in desk.call("workflow", "logs", "w").stdout


def test_without_colours_there_are_none(desk: Desk) -> None:
    _, written = desk.on_terminal("workflow", "run", desk.write(HARM), NO_COLOR="1")
    assert not COLOUR.search(written)
    assert "\x1b" not in desk.call("workflow", "get", "w").stdout
