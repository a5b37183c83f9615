"""What the pages tell a reader to type works as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.acceptance import pages
from tests.acceptance.serving import ROOT, Orchestra


def test_the_first_module_of_the_page_about_modules_runs(orchestra: Orchestra, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "modules.md").read_text().split("## A first module")[1]
    blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    (tmp_path / "metadata.json").write_text(blocks["json"])
    (tmp_path / "hours.py").write_text(blocks["python"])
    orchestra.client.register_folder(tmp_path)
    orchestra.built("hours")
    made = orchestra.client.run("hours", arguments={"every": 9})
    assert orchestra.ended(made["id"])["state"] == "SUCCEEDED"
    events = orchestra.client.catalog(made["id"])["items"]
    assert [event["values"] for event in events] == [[0], [9], [18]]


def test_the_page_about_schemas_answers_as_it_says(orchestra: Orchestra, tmp_path: Path) -> None:
    typed, wrong = 0, []
    for shown in pages.read(ROOT / "docs" / "schemas.md"):
        if isinstance(shown, pages.File):
            (tmp_path / shown.name).write_text(shown.text)
            continue
        program, *words = shlex.split(shown.command)
        assert program == "orchestra"
        result = orchestra.command(*words, cwd=tmp_path)
        said = result.stderr if shown.code else result.stdout
        if result.returncode != shown.code or not shown.is_answered_by(said):
            wrong.append(f"$ {shown.command}\n{said}({result.returncode})")
        typed += 1
    assert not wrong, "\n".join(wrong)
    assert typed > 8
