"""Serving what an execution gave out, the same in every contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from app.executions import services
from app.executions.models import Execution, ExecutionArtifact, Role
from app.executions.states import State
from app.wire.downloads import Opened, serve, serve_zip
from app.wire.errors import Refusal

WITH_HEADER = ("TT", "CAT")  # these are served with AMDA's header, so their bytes are not the original's


def artifact(request: HttpRequest, found: ExecutionArtifact, *, original: bool = False) -> HttpResponseBase:
    """One file: as AMDA wants it, or as the module wrote it."""
    digest = found.artifact.sha256
    return serve(
        request,
        etag=digest if original or found.type not in WITH_HEADER else f"{digest}-amda",
        opening=lambda: _opened(found, original=original),
    )


def output(request: HttpRequest, execution: Execution, *, everything: bool, what: str) -> HttpResponseBase:
    """The declared output, or with `everything` a zip of all files if there are several; `?name=` picks one file.

    Raises `Refusal` 409 while there is no result, 404 for an unknown name.
    """
    name = request.GET.get("name")
    if execution.state != State.SUCCEEDED and not (name and execution.final):
        raise unfinished(execution, what=what)
    files = list(services.outputs(execution))
    if name:
        return artifact(request, _named(files, name, execution=execution, what=what))
    mains = files if everything else [file for file in files if file.role == Role.OUTPUT] or files
    if not mains:
        raise Refusal(404, f"{what.capitalize()} {execution.pk} gave out no files.")
    if len(mains) == 1:
        return artifact(request, mains[0])
    filename = f"{what}-{execution.pk}.zip"
    return serve_zip(request, filename=filename, opening=lambda: services.zip_outputs(execution))


def _opened(found: ExecutionArtifact, *, original: bool) -> Opened:
    try:
        return services.open_artifact(found, original=original)
    except FileNotFoundError:
        raise Refusal(404, f"The file {found.name} is gone from the artifact repository.") from None


def unfinished(execution: Execution, *, what: str, more: Mapping[str, Any] | None = None) -> Refusal:
    """The answer to who wants the result of an execution that has none, or none yet."""
    reason = f": {execution.message}" if execution.message else ""
    message = f"{what.capitalize()} {execution.pk} has no output, it is {execution.state}{reason}"
    return Refusal(409, message, more={"state": execution.state, **(more or {})})


def _named(files: list[ExecutionArtifact], name: str, *, execution: Execution, what: str) -> ExecutionArtifact:
    for file in files:
        if file.name == name:
            return file
    there = ", ".join(file.name for file in files[:20]) or "none"
    raise Refusal(404, f"{what.capitalize()} {execution.pk} gave out no file {name[:80]!r}; its files are: {there}.")
