"""Engine and command are wheels of their own: installed alone, they run a manifest and know nothing of the server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.desk.command import manifest, shell
from tests.acceptance.serving import ROOT

UV = Path(sys.executable).with_name("uv")
BUILD = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
FEW = {"orchestra", "orchestra-engine", "google-re2", "httpx", "jsonschema", "lark", "pyyaml", "rich", "typer"}
FEW |= {"tzdata"}  # the zones of expressions, where the machine has none
SERVERS = {"django", "djangorestframework", "gunicorn", "hera", "kubernetes", "numpy", "pandas", "psycopg2", "speasy"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The programs of an environment with both wheels and what they require, of the versions that are pinned here."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in ("engine", "client"):
        subprocess.run([*BUILD, str(folder / "dist")], cwd=ROOT / name, check=True)
    pins = re.sub(r"(?m)\s*\\\n\s*--hash=\S+", "", (ROOT / "requirements.txt").read_text())
    (folder / "pins.txt").write_text("".join(line + "\n" for line in pins.splitlines() if not line.startswith("-")))
    environment = folder / "environment"
    subprocess.run([UV, "--no-config", "venv", "--quiet", "--python", sys.executable, environment], check=True)
    words = ["pip", "install", "--quiet", "--constraint", folder / "pins.txt", *sorted((folder / "dist").glob("*.whl"))]
    subprocess.run([UV, "--no-config", *words, "--python", environment / "bin" / "python"], check=True)
    yield environment / "bin"


def clean(folder: Path) -> dict[str, str]:
    """The variables of a user who has nothing of this repository in them."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}
    return {**kept, "TMPDIR": str(folder)}


def test_the_wheels_alone_run_a_manifest(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(manifest(shell("main", "echo from a wheel")))
    words = [installed / "orchestra", "workflow", "run", "w.yaml"]
    run = subprocess.run(words, cwd=tmp_path, env=clean(tmp_path), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    words = [installed / "orchestra", "workflow", "logs", "w"]
    logs = subprocess.run(words, cwd=tmp_path, env=clean(tmp_path), capture_output=True, text=True, check=False)
    assert "from a wheel" in logs.stdout


def test_the_wheels_need_few_packages_and_none_of_the_server(installed: Path) -> None:
    code = (
        "import importlib.metadata as m, json, re\n"
        "own = [m.distribution(name) for name in ('orchestra', 'orchestra-engine')]\n"
        "asked = {re.match(r'[\\w-]+', one)[0] for it in own for one in it.requires or [] if 'extra' not in one}\n"
        "print(json.dumps([sorted(asked), sorted(it.name.lower() for it in m.distributions())]))"
    )
    found = subprocess.run([installed / "python", "-c", code], capture_output=True, text=True, check=True).stdout
    asked, there = map(set, json.loads(found))
    assert asked <= FEW
    assert not there & SERVERS
