"""Each of usage_scripts does what its first lines say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.acceptance.serving import MODULES, ROOT, Orchestra

SCRIPTS = ROOT / "usage_scripts"
START, STOP = "2001-03-28T00:00:00", "2001-03-29T00:00:00"
TESTED: set[str] = set()

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")


def script(orchestra: Orchestra, name: str, *words: object, code: int = 0) -> str:
    TESTED.add(f"{name}.sh")
    env = {**os.environ, "ORCHESTRA_SERVER": orchestra.url}
    argv = [str(SCRIPTS / f"{name}.sh"), *map(str, words)]
    result = subprocess.run(argv, env=env, capture_output=True, timeout=120, check=False)
    assert result.returncode == code, result.stderr.decode() + result.stdout.decode()
    return result.stdout.decode()


def test_modules(orchestra: Orchestra, tmp_path: Path) -> None:
    made = json.loads(script(orchestra, "register_folder", MODULES / "ts"))
    number = made["items"][0]["module"]["id"]
    assert orchestra.built(number)["name"] == "ts"
    assert "ts" in {module["name"] for module in json.loads(script(orchestra, "list_modules"))["items"]}
    assert "arguments_schema" in script(orchestra, "show_module", "ts")
    rebuilt = json.loads(script(orchestra, "rebuild_module", "ts"))
    orchestra.ended(rebuilt["build"]["execution"])
    default = orchestra.client.module("ts")["default"]["number"]
    assert json.loads(script(orchestra, "set_default_version", "ts", default))["default"]["number"] == default
    archive = shutil.make_archive(str(tmp_path / "modules"), "zip", MODULES / "several")
    assert len(json.loads(script(orchestra, "register_zip", archive))["items"]) == 2
    orchestra.built("several_first")
    orchestra.built("several_second")
    script(orchestra, "remove_module", "several_first")
    assert "several_first" not in script(orchestra, "list_modules")


def test_a_module_from_git(orchestra: Orchestra, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    shutil.copytree(MODULES / "cat", folder / "inner")
    git = ("git", "-c", "user.name=Test", "-c", "user.email=test@localhost")
    for argv in (["init", "-q", "-b", "trunk"], ["add", "."], ["commit", "-q", "-m", "A module"]):
        subprocess.run([*git, *argv], cwd=folder, check=True)
    made = json.loads(script(orchestra, "register_git", folder.as_uri(), "trunk", "inner"))
    assert made["items"][0]["version"]["source"]["ref"] == "trunk"
    orchestra.built("cat")


def test_a_run_and_what_it_made(orchestra: Orchestra, tmp_path: Path) -> None:
    orchestra.module("several_outputs")
    number = script(orchestra, "run_and_wait", "several_outputs", START, STOP).strip()
    assert json.loads(script(orchestra, "show_execution", number))["state"] == "SUCCEEDED"
    assert script(orchestra, "output", number).startswith("# Name:")
    assert script(orchestra, "output", number, "hours.txt") == f"{START} 1.5 nan\n"
    archive = tmp_path / "all.zip"
    script(orchestra, "all_outputs", number, archive)
    assert "plot.png" in zipfile.ZipFile(archive).namelist()
    assert json.loads(script(orchestra, "catalog", number))["total"] == 1
    again = json.loads(script(orchestra, "resubmit", number))
    assert again["id"] != int(number)
    orchestra.ended(again["id"])
    assert str(again["id"]) in script(orchestra, "list_executions", "module=several_outputs", "limit=5")


def test_amdas_loop(orchestra: Orchestra) -> None:
    number = orchestra.module("hyperparameters")["id"]
    text = script(orchestra, "amda_loop", number, START, STOP, "c=it's & more")
    assert "it's & more" in text


def test_killing_and_retrying(orchestra: Orchestra) -> None:
    execution = orchestra.start("slow")["id"]
    orchestra.until_log(execution, b"started")
    script(orchestra, "kill", execution)
    assert orchestra.ended(execution)["state"] == "CANCELLED"
    orchestra.module("failing")
    script(orchestra, "run_and_wait", "failing", START, STOP, code=1)
    failed = orchestra.client.executions(module="failing", limit=1)[0]["id"]
    assert json.loads(script(orchestra, "retry", failed))["attempt"] == 2
    assert "no solar wind today" in script(orchestra, "follow_log", failed)


def test_schemas(orchestra: Orchestra) -> None:
    file = ROOT / "tests" / "workflows" / "hours.yaml"
    assert json.loads(script(orchestra, "add_schema", file))["name"] == "hours"
    assert "hours" in script(orchestra, "list_schemas")
    assert json.loads(script(orchestra, "show_schema", "hours"))["inputs"]["properties"]["count"]["type"] == "integer"
    number = json.loads(script(orchestra, "run_schema", "hours", "count=2"))["id"]
    assert orchestra.ended(number)["results"] == {"last": "2"}
    number = json.loads(script(orchestra, "run_manifest", file, "count=3"))["id"]
    assert orchestra.ended(number)["results"] == {"last": "3"}
    script(orchestra, "remove_schema", "hours")
    assert '"hours"' not in script(orchestra, "list_schemas")


def test_the_server_is_ready(orchestra: Orchestra) -> None:
    assert json.loads(script(orchestra, "ready"))["ready"] is True


def test_each_script_is_tested() -> None:
    text = Path(__file__).read_text()
    for path in SCRIPTS.glob("*.sh"):
        assert f'"{path.stem}"' in text, f"{path.name} has no test"
