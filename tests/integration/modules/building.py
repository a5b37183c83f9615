"""Builds with the real uv for tests: the steps of `orchestra-build` as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.modules import services
from app.modules.images import PROGRAMS
from app.modules.interpreters import uv_program
from app.modules.models import Build, Environment
from app.modules.services import FolderSource


@dataclass
class Ran:
    """What the nodes of a build did."""

    code: int
    log: str
    steps: list[str]
    report: dict[str, Any]


# The options of each step, which all name a file or folder of that name, and what its grant is called.
STEPS = {
    "lock": ("build", ("request", "locked", "report", "resolved", "known", "checked")),
    "resolve": ("build-apart", ("request", "locked")),
    "sync": ("build", ("report", "wheels", "missing", "complete")),
    "wheels": ("build-apart", ("report", "missing", "wheels")),
    "check": ("build-check", ("report",)),
}


def run(build: Build, folder: Path, *, until: str = "check") -> Ran:
    """The nodes of schemas/build.yaml one after the other, with what their grants give them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "request.json").write_text(json.dumps(services.build_request(build)))
    ran = Ran(0, "", [], {})
    grants = services.grants(build)
    path = os.pathsep.join(map(str, (PROGRAMS, Path(sys.base_prefix) / "bin", uv_program().parent, "/usr/bin", "/bin")))

    def step(name: str) -> None:
        if ran.code:
            return
        ran.steps.append(name)
        grant, options = STEPS[name]
        words = [word for option in options for word in (f"--{option}", str(file(option)))]
        environment = {"PATH": path, "HOME": str(folder), **(grants[grant].env or {})}
        command = [PROGRAMS / "orchestra-build", name, *words]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        ran.code, ran.log = done.returncode, ran.log + done.stdout + done.stderr

    def file(option: str) -> Path:
        return folder / {"request": "request.json", "report": "report.json"}.get(option, option)

    def said(option: str) -> bool:
        return not ran.code and json.loads(file(option).read_text()) is False

    step("lock")
    if said("resolved"):
        step("resolve")
        step("lock")
    if until != "lock" and said("known"):
        step("sync")
        if said("complete"):
            step("wheels")
            step("sync")
    if until == "check" and said("checked"):
        step("check")
    ran.report = json.loads(file("report").read_text()) if file("report").exists() else {}
    return ran


def passed(build: Build, folder: Path) -> tuple[Ran, Environment]:
    """A build that went well."""
    ran = run(build, folder)
    assert ran.code == 0, ran.log
    return ran, services.build_passed(build, report=ran.report, staging=services.staging(build))


def registered(folder: Path) -> Build:
    """The new build of a folder's module."""
    [registration] = services.register(FolderSource(folder))
    assert registration.build is not None
    return registration.build


def install(**values: Any) -> dict[str, Any]:
    return {"python_version": ">=3.11", "requirements": [], "executable": "run"} | values
