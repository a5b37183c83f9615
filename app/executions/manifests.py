"""From an execution to the Workflow that the engine gets, and to the files that its nodes read."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.conf import settings

from app.engines.protocol import Grant
from app.executions import times
from app.executions.models import Execution, ExecutionArtifact, Kind
from app.executions.queries import folder
from app.executions.requests import workflow_name
from app.modules import services as modules
from app.modules.models import Version
from app.schemas import services as schemas
from app.schemas.models import SchemaVersion


@dataclass(frozen=True, kw_only=True)
class Submission:
    """All that the engine needs: the Workflow, and by name the WorkflowTemplates that it refers to and the grants.

    `objects` are for the artifact repository, by key.
    """

    workflow: dict[str, Any]
    objects: Mapping[str, bytes] = field(default_factory=dict)
    grants: Mapping[str, Grant] = field(default_factory=dict)
    templates: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def submission(execution: Execution) -> Submission:
    """The same for the same attempt, however often it is asked for."""
    if execution.kind == Kind.BUILD:
        return _build(execution)
    if execution.kind == Kind.SCHEMA:
        return _of_schema(execution)
    return _prediction(execution)


def _prediction(execution: Execution) -> Submission:
    version, fetch = execution.version, execution.fetch_version
    if version is None or execution.start is None or execution.stop is None:
        raise ValueError(f"execution {execution.pk} is no prediction")
    key = folder(execution.pk, execution.attempt)
    timeout = version.metadata.get("timeout") or settings.RUN_TIMEOUT
    workflow = _filled(
        execution,
        parameters={
            "image": modules.image(version),
            "fetch": "true" if fetch else "false",
            "fetch-image": modules.image(fetch or version),  # Argo refuses an empty one, also where it is skipped
            "key": key,
        },
        deadlines={"predict": timeout, "fetch": settings.RUN_TIMEOUT},
        resources={"predict": version.metadata.get("resources") or {}},
    )
    objects = {f"{key}/request.json": _request(version, execution, declared_arguments(version, execution.arguments))}
    if fetch:
        inputs = json.dumps(version.metadata["inputs"], ensure_ascii=False)
        arguments = [["inputs", inputs], ["server", settings.AMDA_URL]]
        objects[f"{key}/fetch.json"] = _request(fetch, execution, arguments)
    return Submission(workflow=workflow, objects=objects, grants={"fetch": Grant(env=_amda_account() if fetch else {})})


def _amda_account() -> dict[str, str]:
    """The account at AMDA, for the fetching node alone."""
    if not settings.AMDA_USER:
        return {}
    return {"ORCHESTRA_AMDA_USER": settings.AMDA_USER, "ORCHESTRA_AMDA_PASSWORD": settings.AMDA_PASSWORD}


def _build(execution: Execution) -> Submission:
    if execution.build is None:
        raise ValueError(f"execution {execution.pk} is no build")
    key = folder(execution.pk, execution.attempt)
    workflow = _filled(execution, parameters={"key": key}, deadlines={"": settings.BUILD_TIMEOUT}, resources={})
    request = modules.build_request(execution.build)
    return Submission(
        workflow=workflow,
        objects={f"{key}/request.json": json.dumps(request, ensure_ascii=False).encode()},
        grants=modules.grants(execution.build),
    )


def _of_schema(execution: Execution) -> Submission:
    run = run_of(execution)
    workflow = with_arguments(run, execution.arguments, keys=artifact_keys(execution.arguments))
    _name(workflow, execution)
    return Submission(workflow=workflow, templates=run.objects)


def run_of(execution: Execution) -> schemas.Run:
    """The schema's version that an execution was made from, with the WorkflowTemplates that it keeps."""
    version = _version(execution.schema_version_id, execution.schema_version.digest)
    return schemas.run(version, templates=execution.templates.select_related("schema"))


def artifact_keys(arguments: Mapping[str, Any]) -> dict[int, str]:
    """Where the files lie that arguments name by their numbers; numbers of no file are left out."""
    numbers = [value["artifact"] for value in arguments.values() if isinstance(value, dict)]
    return dict(ExecutionArtifact.objects.filter(pk__in=numbers).values_list("pk", "artifact__key"))


def with_arguments(run: schemas.Run, arguments: Mapping[str, Any], *, keys: Mapping[int, str]) -> dict[str, Any]:
    """A schema's manifest with the values of its inputs; `keys` tells where the files lie that are named by number."""
    workflow: dict[str, Any] = copy.deepcopy(run.manifest)
    declared: dict[str, Any] = copy.deepcopy(run.whole["spec"].get("arguments") or {})
    for parameter in declared.get("parameters") or []:
        if parameter["name"] in arguments:
            parameter.pop("valueFrom", None)
            parameter["value"] = arguments[parameter["name"]]
    if declared.get("artifacts"):  # Argo takes none without content; its template may do without an optional one
        declared["artifacts"] = [
            one for one in declared["artifacts"] if one["name"] in arguments or schemas.has_content(one)
        ]
    for artifact in declared.get("artifacts") or []:
        if (value := arguments.get(artifact["name"])) is None:
            continue
        kept = {name: artifact[name] for name in ("name", "path", "archive", "mode") if name in artifact}
        given = {"raw": {"data": value}} if isinstance(value, str) else {"s3": {"key": keys[value["artifact"]]}}
        artifact.clear()
        artifact.update(kept | given)
    if declared:
        workflow["spec"]["arguments"] = declared
    return workflow


def _request(version: Version, execution: Execution, arguments: list[list[str]]) -> bytes:
    """request.json, as `orchestra-run` reads it."""
    assert execution.start and execution.stop
    install = version.metadata["install"]
    request = {
        "executable": install["executable"],
        "start": times.text(execution.start),
        "stop": times.text(execution.stop),
        "arguments": arguments,
        "pre_process": install.get("pre_process", []),
        "post_process": install.get("post_process", []),
    }
    return json.dumps(request, ensure_ascii=False).encode()


def declared_arguments(version: Version, arguments: Mapping[str, Any]) -> list[list[str]]:
    """The options of the command line, [[name, value as text], …] in declared order; without a value, left out."""
    names = [one["name"] for key in ("args", "hyperparameters") for one in version.metadata.get(key, [])]
    return [[name, _text(arguments[name])] for name in names if arguments.get(name) is not None]


def _text(value: Any) -> str:
    """A value as a command line has it: Python's own text of numbers and of True and False."""
    return value if isinstance(value, str) else repr(value)


def _filled(
    execution: Execution,
    *,
    parameters: Mapping[str, str],
    deadlines: Mapping[str, int],
    resources: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """The schema's manifest with names, parameters, deadlines (s, by template, "" the Workflow's) and limits."""
    manifest = copy.deepcopy(_version(execution.schema_version_id, execution.schema_version.digest).manifest)
    _name(manifest, execution)
    spec = manifest["spec"]
    for parameter in spec.get("arguments", {}).get("parameters", []):
        if parameter["name"] in parameters:
            parameter["value"] = parameters[parameter["name"]]
    if "" in deadlines:
        spec["activeDeadlineSeconds"] = deadlines[""]
    for template in spec["templates"]:
        if template["name"] in deadlines:
            template["activeDeadlineSeconds"] = deadlines[template["name"]]
        if limits := resources.get(template["name"]):
            template["container"].setdefault("resources", {}).setdefault("limits", {}).update(limits)
    return manifest


def _name(workflow: dict[str, Any], execution: Execution) -> None:
    """Give a Workflow the attempt's name and labels, whatever the manifest had."""
    metadata = workflow.get("metadata") or {}
    labels = {"orchestra/execution": str(execution.pk), "orchestra/attempt": str(execution.attempt)}
    kept = {key: value for key, value in metadata.items() if key not in ("generateName", "namespace")}
    workflow["metadata"] = {
        **kept,
        "name": workflow_name(execution),
        "labels": {**(metadata.get("labels") or {}), **labels},
    }


@lru_cache(maxsize=64)
def _version(schema_version_id: int, digest: str) -> SchemaVersion:
    """A schema's version never changes, so it is read once for each process and digest."""
    return SchemaVersion.objects.select_related("schema").defer("text").get(pk=schema_version_id)
