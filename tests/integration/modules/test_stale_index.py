"""A release newer than uv's cached list of a package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

BUILD = Path(__file__).resolve().parents[3] / "app" / "modules" / "bin" / "orchestra-build"
# Fails as uv does with such a list, until it is told to ask anew; makes what an environment begins with.
UV = """#!{python}
import os, sys
from pathlib import Path
with open({asked!r}, "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
if "venv" in sys.argv:
    environment = Path(sys.argv[-1])
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(sys.executable)
    (environment / "pyvenv.cfg").write_text("")
elif {reason!r} and "--refresh" not in sys.argv:
    print("  cause: Because " + {reason!r}, file=sys.stderr)
    sys.exit(1)
"""


@pytest.mark.parametrize(
    ("reason", "code", "times"),
    [
        ("there is no version of narwhals==2.29.0", 0, 2),
        ("the hash of narwhals is another one", 1, 1),
        ("", 0, 1),
    ],
)
def test_only_a_list_that_is_too_old_is_asked_for_anew(tmp_path: Path, reason: str, code: int, times: int) -> None:
    asked, programs = tmp_path / "asked", tmp_path / "programs"
    programs.mkdir()
    (programs / "uv").write_text(UV.format(python=sys.executable, asked=str(asked), reason=reason))
    (programs / "uv").chmod(0o755)
    report = {
        "python": sys.executable,
        "staging": str(tmp_path),
        "uv_cache": str(tmp_path),
        "lock": "narwhals==2.29.0\n",
        "known": False,
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    files = {f"--{name}": tmp_path / name for name in ("wheels", "missing", "complete")}
    argv = [sys.executable, BUILD, "sync", "--report", tmp_path / "report.json", *chain.from_iterable(files.items())]
    result = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == code, result.stderr
    assert sum("pip sync" in line for line in asked.read_text().splitlines()) == times
