"""The two dialects of AMDA's contract: the plural paths speak the new one, the singular paths the old one.

Objects carry the keys of both wherever both can be had; a class here says what differs.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from app.executions import services as executions
from app.executions.manifests import declared_arguments
from app.executions.models import Execution, ExecutionArtifact, Role
from app.executions.states import State
from app.modules import services as modules
from app.modules.models import Version
from app.wire.shown import ShownModule
from app.wire.times import amda

INSTALL = (
    "model_version", "python_version", "requirements_file", "files", "executable", "pre_process", "post_process",
)  # fmt: skip
LOG_MOST = 2**20  # bytes of a build's log within a module
ROLES = {Role.OUTPUT: 0, Role.ANNEX: 1}


class Dialect(Protocol):
    """What differs between the dialects."""

    statuses: Mapping[Any, str]

    def module(self, row: ShownModule, version: Version) -> dict[str, Any]:
        """One module as this version of it describes it."""

    def module_in_list(self, row: ShownModule) -> dict[str, Any] | None:
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

    def module(self, row: ShownModule, version: Version) -> dict[str, Any]:
        shown = _module(row, version)
        shown["install"]["requirements"] = shown["install"]["requirements_file"] or "requirements.txt"
        return shown

    def module_in_list(self, row: ShownModule) -> dict[str, Any] | None:
        return self.module(row, row.described)

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

    def module(self, row: ShownModule, version: Version) -> dict[str, Any]:
        shown = _module(row, version)
        shown["install"]["requirements"] = version.metadata["install"]["requirements"]
        return shown

    def module_in_list(self, row: ShownModule) -> dict[str, Any] | None:
        return {"id": row.module.pk, "name": row.module.name} if row.status == "installed" else None

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


def build_log(row: ShownModule) -> str:
    """The log of a module's newest build, which both dialects tell of one module and neither in a list."""
    execution = getattr(row.build, "execution", None)
    return executions.log(execution, limit=LOG_MOST).decode(errors="replace") if execution else ""


def states_of(status: str, dialect: Dialect) -> list[State]:
    """The states that a status word of a dialect, or of Orchestra itself, stands for; empty if it is none."""
    if status in State.values:
        return [State(status)]
    return [state for state, word in dialect.statuses.items() if word == status]


def _module(row: ShownModule, version: Version) -> dict[str, Any]:
    module, metadata = row.module, version.metadata
    return {
        "id": module.pk,
        "name": module.name,
        "version": version.label,
        "image_docker_tag": modules.image(version) if version.environment_id else "",
        "description": metadata["description"],
        "git_url": version.source_url,
        "commit": version.commit,
        "status": row.status,
        **{key: metadata[key] for key in ("args", "hyperparameters", "defaults", "output", "annexes_outputs")},
        "install": {key: metadata["install"][key] for key in INSTALL},
    }


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
    declared = declared_arguments(execution.version, execution.arguments)
    options = [part for name, value in declared for part in (f"--{name}", value)]
    times = ["--start", str(amda(execution.start)), "--stop", str(amda(execution.stop))]
    executable = f"{execution.version.metadata['install']['executable']}.py"
    return shlex.join(["python", executable, "/work/out", *times, *options])


def _files(execution: Execution) -> Iterable[ExecutionArtifact]:
    """The files of the current attempt, the declared output first; reads what was prefetched if it was."""
    files = [file for file in execution.artifacts.all() if file.attempt == execution.attempt]
    return sorted(files, key=lambda file: (ROLES.get(Role(file.role), 2), file.name))
