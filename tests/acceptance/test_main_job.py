"""The main job: a module from git, two dates, a catalog, from real solar wind."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.serving import ROOT, Orchestra

START, STOP = "2001-03-28T00:00:00", "2001-04-14T00:00:00"
GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@localhost")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository that has the sample module in a sub-folder."""
    folder = tmp_path_factory.mktemp("repository")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "modules" / "storms", folder / "modules" / "storms", ignore=ignored)
    for argv in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "The sample module"]):
        subprocess.run([*GIT, *argv], cwd=folder, check=True)
    return folder


@pytest.mark.main_job
def test_a_module_from_git_makes_a_catalog_of_storms_from_real_data(orchestra: Orchestra, repository: Path) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.strip()
    (made,) = orchestra.client.register_git(repository.as_uri(), ref="main", subdirectory="modules/storms")
    assert made["version"]["commit"] == commit
    run = orchestra.client.run("storms", start=START, stop=STOP)  # waits for the build, and for fetch's
    orchestra.built("fetch")
    orchestra.built("storms")
    ended = orchestra.ended(run["id"])
    assert ended["state"] == "SUCCEEDED", orchestra.why(run["id"])

    catalog = orchestra.client.catalog(run["id"])
    assert [column["name"] for column in catalog["columns"]] == ["probability", "dst_min"]
    assert catalog["columns"][1]["unit"] == "nT"
    events = catalog["items"]
    assert events
    assert all(START <= event["start"][:19] < event["stop"][:19] <= STOP for event in events)
    assert all(0 < event["values"][0] <= 1 for event in events)
    # The great storm of 31 March 2001 (Dst -387 nT) is what any predictor has to see.
    assert any(event["start"] < "2001-03-31T12:00:00Z" < event["stop"] for event in events)

    served = orchestra.http.get(f"/tasks/{run['id']}/output")
    assert served.text.startswith("# Name:")
    assert len([line for line in served.text.splitlines() if not line.startswith("#")]) == len(events)
    files = {file["name"]: file for file in ended["outputs"]}
    assert {"storms.txt", "probability.txt", "storms.png"} <= set(files)
    for name, file in files.items():
        data = b"".join(orchestra.client.read_output(run["id"], name=name, original=True))
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
    nodes = {node["display_name"]: node["phase"] for node in ended["nodes"]}
    assert nodes["fetch"] == nodes["predict"] == "Succeeded"


@pytest.mark.main_job
def test_amdas_loop_with_an_argument(orchestra: Orchestra, repository: Path) -> None:
    orchestra.client.register_git(repository.as_uri(), ref="main", subdirectory="modules/storms")
    module = orchestra.built("storms")["id"]
    query = {"start": START, "stop": STOP, "threshold": "0.9"}
    strict = orchestra.http.get(f"/modules/{module}/run", params=query).json()["task"]
    assert orchestra.ended(strict)["state"] == "SUCCEEDED", orchestra.why(strict)
    assert "--threshold 0.9" in orchestra.http.get(f"/tasks/{strict}").json()["cmd"]
