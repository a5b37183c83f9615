"""The two dialects of AMDA's contract: the plural paths speak the new one, the singular paths the old one.

Objects carry the keys of both wherever both can be had; a class here says what differs.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from app.executions import services as executions
from app.executions.models import Execution, ExecutionArtifact, Role
from app.executions.states import State
from app.modules import services as modules
from app.modules.models import Build, BuildState, Module, Version
from app.wire.times import amda

INSTALL = ("model_version", "python_version", "files", "executable", "pre_process", "post_process")
BUILD_STATUS = {BuildState.FAILED: "error", BuildState.CANCELLED: "error"}
ROLES = {Role.OUTPUT: 0, Role.ANNEX: 1}


class Dialect(Protocol):
    """What differs between the dialects."""

    statuses: Mapping[Any, str]

    def module(self, module: Module, version: Version, build: Build | None) -> dict[str, Any]:
        """One module."""

    def module_in_list(self, module: Module, version: Version, build: Build | None) -> dict[str, Any] | None:
        """One module of the list; None to leave it out."""

    def task(self, execution: Execution) -> dict[str, Any]:
        """One task."""

    def task_in_list(self, execution: Execution) -> Any:
        """One task of the list."""

    def started(self, execution: Execution) -> dict[str, Any]:
        """The answer to `run`."""

    def killed(self, execution: Execution) -> dict[str, Any]:
        """The answer to `kill`."""


class New:
    """The dialect of the newer Orchestra."""

    statuses: Mapping[Any, str] = {
        State.QUEUED: "idle",
        State.SUBMITTED: "idle",
        State.RUNNING: "running",
        State.SUCCEEDED: "done",
        State.FAILED: "error",
        State.LOST: "error",
        State.CANCELLED: "terminated",
    }

    def module(self, module: Module, version: Version, build: Build | None) -> dict[str, Any]:
        shown = _module(module, version, build)
        shown["install"]["requirements"] = version.metadata["install"]["requirements_file"] or "requirements.txt"
        return shown

    def module_in_list(self, module: Module, version: Version, build: Build | None) -> dict[str, Any] | None:
        return self.module(module, version, build)

    def task(self, execution: Execution) -> dict[str, Any]:
        main = execution.version.metadata["output"]["filename"]
        names = [file.name for file in _files(execution)] if execution.state == State.SUCCEEDED else [main]
        shown = _task(execution, self.statuses)
        return shown | {"output": names, "start": amda(execution.start), "stop": amda(execution.stop)}

    def task_in_list(self, execution: Execution) -> Any:
        return self.task(execution)

    def started(self, execution: Execution) -> dict[str, Any]:
        return self.task(execution)

    def killed(self, execution: Execution) -> dict[str, Any]:
        return self.task(execution)


class Old:
    """The dialect of the older Orchestra: requirements as a list, times as numbers, `running` from the start."""

    statuses: Mapping[Any, str] = {**New.statuses, State.QUEUED: "running", State.SUBMITTED: "running"}

    def module(self, module: Module, version: Version, build: Build | None) -> dict[str, Any]:
        shown = _module(module, version, build)
        install = version.metadata["install"]
        shown["install"] |= {"requirements": install["requirements"], "requirements_file": install["requirements_file"]}
        execution = getattr(build, "execution", None)
        log = executions.log(execution) if execution else b""
        return shown | {"build_log": log.decode(errors="replace")}

    def module_in_list(self, module: Module, version: Version, build: Build | None) -> dict[str, Any] | None:
        return {"id": module.pk, "name": module.name} if _status(module, build) == "installed" else None

    def task(self, execution: Execution) -> dict[str, Any]:
        shown = _task(execution, self.statuses)
        shown |= {
            "start": execution.start.timestamp() if execution.start else None,
            "stop": execution.stop.timestamp() if execution.stop else None,
        }
        if execution.state in {State.SUCCEEDED, State.FAILED, State.LOST}:
            shown["output"] = [file.name for file in _files(execution)]
        return shown

    def task_in_list(self, execution: Execution) -> Any:
        return execution.pk

    def started(self, execution: Execution) -> dict[str, Any]:
        return {"status": self.statuses[State(execution.state)], "task": execution.pk}

    def killed(self, execution: Execution) -> dict[str, Any]:
        return {}


def states_of(status: str, dialect: Dialect) -> list[State]:
    """The states that a status word of a dialect, or of Orchestra itself, stands for; empty if it is none."""
    if status in State.values:
        return [State(status)]
    return [state for state, word in dialect.statuses.items() if word == status]


def _module(module: Module, version: Version, build: Build | None) -> dict[str, Any]:
    metadata = version.metadata
    return {
        "id": module.pk,
        "name": module.name,
        "version": version.label,
        "image_docker_tag": modules.image(version) if version.environment_id else "",
        "description": metadata["description"],
        "git_url": version.source_url,
        "commit": version.commit,
        "status": _status(module, build),
        **{key: metadata[key] for key in ("args", "hyperparameters", "defaults", "output", "annexes_outputs")},
        "install": {key: metadata["install"][key] for key in INSTALL},
    }


def _status(module: Module, build: Build | None) -> str:
    """OLD's word for what can be done with a module: it stays `installed` while a newer version is being built."""
    if module.default_id is not None and module.default is not None and module.default.environment_id is not None:
        return "installed"
    return BUILD_STATUS.get(BuildState(build.state), "pending") if build else "pending"


def _task(execution: Execution, statuses: Mapping[Any, str]) -> dict[str, Any]:
    version, module = execution.version, execution.version.module
    state = State(execution.state)
    workflow = f"prediction-{execution.pk}-{execution.attempt}"
    return {
        "task": execution.pk,
        "id": execution.pk,
        "status": statuses[state],
        "state": execution.state,
        "moduleId": str(module.pk),  # a text in the new dialect, a number in the old one
        "module_id": module.pk,
        "version": version.label,
        "arguments": execution.arguments,
        "cmd": command(execution),
        "output_dir": f"executions/{execution.pk}/{execution.attempt}/output",
        "celery_id": workflow,
        "message": execution.message,
        "error": execution.message if statuses[state] == "error" else "",
        "created": amda(execution.created_at.replace(microsecond=0)),
    }


def command(execution: Execution) -> str:
    """The module's command line as the contract defines it, for people to read."""
    options = [
        part for name, value in execution.arguments.items() if value is not None for part in (f"--{name}", str(value))
    ]
    times = ["--start", str(amda(execution.start)), "--stop", str(amda(execution.stop))]
    executable = f"{execution.version.metadata['install']['executable']}.py"
    return shlex.join(["python", executable, "/work/out", *options, *times])


def _files(execution: Execution) -> Iterable[ExecutionArtifact]:
    """The files of the current attempt, the declared output first; reads what was prefetched if it was."""
    files = [file for file in execution.artifacts.all() if file.attempt == execution.attempt]
    return sorted(files, key=lambda file: (ROLES.get(Role(file.role), 2), file.name))
