"""What the tags and expressions of a steps or dag template can refer to, and the workflow's own variables."""

from __future__ import annotations

import json
import posixpath
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from orchestra_engine.language import LanguageError, expressions, gojson, tags
from orchestra_engine.operate.context import Board, failed, rfc3339, seconds_of
from orchestra_engine.operate.templates import ABSENT
from orchestra_engine.workflow import pod_name

_FORMATS = {char: f"%{char}" for char in "BbmAadHIMSYyp"} | {"Z": "UTC", "z": "+0000", "L": ".000"}


class Scope:
    """Names and values: `params` are texts (None: an output that is absent), `artifacts` are artifacts."""

    __slots__ = ("artifacts", "params")

    def __init__(self, inputs: Mapping[str, Any] | None = None) -> None:
        self.params: dict[str, str | None] = {}
        self.artifacts: dict[str, dict[str, Any]] = {}
        for parameter in (inputs or {}).get("parameters") or ():
            self.params[f"inputs.parameters.{parameter['name']}"] = parameter.get("value")
        for artifact in (inputs or {}).get("artifacts") or ():
            self.artifacts[f"inputs.artifacts.{artifact['name']}"] = artifact

    def with_globals(self, params: Mapping[str, str]) -> dict[str, Any]:
        """The texts of this scope over the workflow's variables."""
        return {**params, **self.params}

    def environment(self) -> dict[str, Any]:
        """What `valueFrom.expression` and `fromExpression` see."""
        return expressions.environment({**self.params, **self.artifacts})

    def resolve(self, reference: str) -> Any:
        """What a single reference such as `{{steps.a.outputs.parameters.x}}` stands for.

        Raises LanguageError with Argo's "Unable to resolve".
        """
        tag = reference.removeprefix("{{").removesuffix("}}").strip()
        if tag.startswith("="):
            value = expressions.evaluate(tag[1:], self.environment())
            if value is None:
                raise LanguageError(f'Unable to resolve: "{tag}"')
            return value
        if tag in self.artifacts:
            return self.artifacts[tag]
        if tag not in self.params:
            raise LanguageError(f'Unable to resolve: "{tag}"')
        return self.params[tag]

    def mark_absent(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Arguments that are nothing but a reference to an absent output, marked as not supplied."""
        if None not in self.params.values():
            return arguments
        parameters = [self._marked(parameter) for parameter in arguments.get("parameters") or []]
        return {**arguments, "parameters": parameters} if parameters else arguments

    def _marked(self, parameter: dict[str, Any]) -> dict[str, Any]:
        value = parameter.get("value")
        if isinstance(value, str) and value.startswith("{{") and value.endswith("}}"):
            name = value[2:-2].strip()
            if name in self.params and self.params[name] is None:
                return {**parameter, "value": ABSENT}
        return parameter

    def artifact(self, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
        """The artifact that `from` or `fromExpression` refers to, with `subPath` appended to its key.

        Raises LanguageError if there is none.
        """
        if wanted.get("fromExpression"):
            found = expressions.evaluate(wanted["fromExpression"], self.environment())
        elif wanted.get("from"):
            found = self.resolve(wanted["from"])
        else:
            return None
        if not isinstance(found, dict):
            raise LanguageError(
                f"Variable {{{{{wanted.get('from') or wanted.get('fromExpression')}}}}} is not an artifact"
            )
        sub_path = wanted.get("subPath")
        if not sub_path:
            return dict(found)
        key = (found.get("s3") or {}).get("key")
        if key is None:
            raise LanguageError(f"artifact {found.get('name')} has no key to append '{sub_path}' to")
        quoted = tags.replace(json.dumps(sub_path), self.params)
        return {**found, "s3": {**found["s3"], "key": posixpath.normpath(posixpath.join(key, json.loads(quoted)))}}


def add_node(scope: Scope, prefix: str, board: Board, node: Mapping[str, Any]) -> None:
    """What later steps can refer to of a node: id, times, status, outputs (of a Retry node: its last attempt's)."""
    node = last_attempt(board, node) or node
    params = scope.params
    params[f"{prefix}.id"] = node["id"]
    params[f"{prefix}.startedAt"] = node["startedAt"]
    if node.get("finishedAt"):
        params[f"{prefix}.finishedAt"] = node["finishedAt"]
    params[f"{prefix}.status"] = node["phase"]
    add_outputs(scope, prefix, node.get("outputs"))


def add_outputs(scope: Scope, prefix: str, outputs: Mapping[str, Any] | None) -> None:
    """A node's outputs under `PREFIX.outputs`, its exit code as `PREFIX.exitCode`."""
    if not outputs:
        return
    if outputs.get("result") is not None:
        scope.params[f"{prefix}.outputs.result"] = outputs["result"]
    if outputs.get("exitCode") is not None:
        scope.params[f"{prefix}.exitCode"] = outputs["exitCode"]
    for parameter in outputs.get("parameters") or ():
        if parameter.get("value") is not None:
            scope.params[f"{prefix}.outputs.parameters.{parameter['name']}"] = parameter["value"]
    for artifact in outputs.get("artifacts") or ():
        scope.artifacts[f"{prefix}.outputs.artifacts.{artifact['name']}"] = artifact


def add_skipped(
    scope: Scope, prefix: str, node: Mapping[str, Any], template: Mapping[str, Any], *, with_artifacts: bool
) -> None:
    """The declared outputs of a node that was skipped: their defaults, or nothing (None)."""
    if node.get("outputs") is not None or node["phase"] not in ("Skipped", "Omitted"):
        return
    outputs = template.get("outputs") or {}
    for parameter in outputs.get("parameters") or []:
        name = f"{prefix}.outputs.parameters.{parameter['name']}"
        scope.params[name] = (parameter.get("valueFrom") or {}).get("default")
    if with_artifacts:
        for artifact in outputs.get("artifacts") or []:
            scope.artifacts[f"{prefix}.outputs.artifacts.{artifact['name']}"] = {}


def add_workflow_outputs(scope: Scope, outputs: Mapping[str, Any] | None) -> None:
    """The workflow's own outputs so far, as `workflow.outputs.*`."""
    for parameter in (outputs or {}).get("parameters") or ():
        if parameter.get("value") is not None:
            scope.params[f"workflow.outputs.parameters.{parameter['name']}"] = parameter["value"]
    for artifact in (outputs or {}).get("artifacts") or ():
        scope.artifacts[f"workflow.outputs.artifacts.{artifact['name']}"] = artifact


def last_attempt(board: Board, node: Mapping[str, Any]) -> dict[str, Any] | None:
    """The last attempt of a Retry node; None of any other."""
    if node["type"] != "Retry" or (node.get("memoizationStatus") or {}).get("hit"):
        return None
    for child in reversed(node.get("children", [])):
        if not (board.nodes[child].get("nodeFlag") or {}).get("hooked"):
            return board.nodes[child]
    return None


def aggregate(scope: Scope, prefix: str, nodes: Iterable[Mapping[str, Any]]) -> None:
    """The outputs of a loop's items, in the order of their indices, as JSON lists.

    Raises LanguageError if a result is no JSON.
    """
    items = [n for n in nodes if not (n.get("nodeFlag") or {}).get("hooked")]
    items = [n for n in items if not (n.get("nodeFlag") or {}).get("retried")]
    if not items:
        return
    results: list[Any] = []
    lists: list[dict[str, str]] = []
    by_name: dict[str, list[str]] = {}
    for node in sorted(items, key=lambda n: loop_index(n["name"])):
        outputs = node.get("outputs")
        if not outputs or node["phase"] != "Succeeded":
            continue
        values = {p["name"]: p.get("value", "") for p in outputs.get("parameters") or ()}
        if values:
            lists.append(values)
        for name, value in values.items():
            by_name.setdefault(name, []).append(value)
        if outputs.get("result") is not None:
            results.append(gojson.loads(outputs["result"], raw=True))
    scope.params[f"{prefix}.outputs.result"] = gojson.dumps(results)
    scope.params[f"{prefix}.outputs.parameters"] = gojson.dumps(lists)
    for name, found in by_name.items():
        scope.params[f"{prefix}.outputs.parameters.{name}"] = gojson.dumps(_embedded(found))


def _embedded(values: list[str]) -> list[Any]:
    """The values themselves, or what they stand for if every one is a JSON object or list."""
    found = []
    for value in values:
        if not value.lstrip()[:1] or value.lstrip()[0] not in "[{":
            return values
        try:
            found.append(gojson.loads(value, raw=True))
        except LanguageError:
            return values
    return found


def loop_index(name: str) -> int:
    """The index of a loop's item by its node name (`a(3:x)` → 3)."""
    index = name.rpartition("(")[2].partition(":")[0].rstrip(")")
    return int(index) if index.isdigit() else 0


@lru_cache(maxsize=64)
def _timestamps(created: float) -> tuple[tuple[str, str], ...]:
    moment = datetime.fromtimestamp(created, UTC)
    found = [(f"workflow.creationTimestamp.{c}", moment.strftime(form)) for c, form in _FORMATS.items()]
    stamp = rfc3339(created)
    found.append(("workflow.creationTimestamp.s", str(int(created))))
    found += [("workflow.creationTimestamp", stamp), ("workflow.creationTimestamp.RFC3339", stamp)]
    return tuple(found)


def workflow_params(
    workflow: Mapping[str, Any],
    spec: Mapping[str, Any],
    status: Mapping[str, Any],
    created: float,
    configmap_value: Any,
) -> dict[str, str]:
    """The workflow's variables: `workflow.name`, `workflow.parameters.*`, …

    Raises LanguageError if a parameter has no value.
    """
    metadata = workflow.get("metadata") or {}
    name = metadata.get("name", "")
    params: dict[str, str] = dict(_timestamps(created))
    params |= {
        "workflow.name": name,
        "workflow.namespace": metadata.get("namespace") or "default",
        "workflow.mainEntrypoint": spec.get("entrypoint") or "",
        "workflow.serviceAccountName": spec.get("serviceAccountName") or "",
        "workflow.uid": metadata.get("uid") or str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {created}")),
    }
    if spec.get("priority") is not None:
        params["workflow.priority"] = str(spec["priority"])
    arguments = (spec.get("arguments") or {}).get("parameters") or []
    listed = gojson.dumps([_ordered(p) for p in arguments], sort=False)
    params["workflow.parameters"] = params["workflow.parameters.json"] = listed
    for parameter in arguments:
        params[f"workflow.parameters.{parameter['name']}"] = _argument(parameter, configmap_value)
    added = spec.get("workflowMetadata") or {}
    for kind in ("annotations", "labels"):
        values = {**(metadata.get(kind) or {}), **(added.get(kind) or {})}
        params[f"workflow.{kind}"] = params[f"workflow.{kind}.json"] = gojson.dumps(values)
        params |= {f"workflow.{kind}.{k}": v for k, v in values.items()}
    for label, source in (added.get("labelsFrom") or {}).items():
        params[f"workflow.labels.{label}"] = str(
            expressions.evaluate(source["expression"], expressions.environment(params))
        )
    for parameter in (status.get("outputs") or {}).get("parameters") or ():
        if parameter.get("value") is not None:
            params[f"workflow.outputs.parameters.{parameter['name']}"] = parameter["value"]
    return params


def _ordered(parameter: Mapping[str, Any]) -> dict[str, Any]:
    order = ("name", "default", "value", "valueFrom", "globalName", "enum", "description")
    return {k: parameter[k] for k in order if parameter.get(k) is not None}


def _argument(parameter: Mapping[str, Any], configmap_value: Any) -> str:
    if parameter.get("value") is not None:
        return str(parameter["value"])
    reference = (parameter.get("valueFrom") or {}).get("configMapKeyRef")
    if reference:
        return str(configmap_value(parameter, reference))
    raise LanguageError(
        f"either value or valueFrom must be specified in order to set global parameter {parameter['name']}"
    )


def failures(board: Board) -> str:
    """`workflow.failures`: the failed nodes as a JSON list in quotes; `null` in quotes if there are none."""
    found = [
        {
            "displayName": node["displayName"],
            "message": node.get("message", ""),
            "templateName": node.get("templateName", ""),
            "phase": node["phase"],
            "podName": pod_name(board.name, node["name"], node.get("templateName", "")),
            "finishedAt": node.get("finishedAt"),
        }
        for node in board.nodes.values()
        if failed(node)
    ]
    return gojson.quote(gojson.dumps(found, sort=False) if found else "null")


def age(status: Mapping[str, Any], now: float) -> str:
    """`workflow.duration` in seconds, as Go prints a float with %f."""
    started = status.get("startedAt")
    return f"{max(now - seconds_of(started), 0.0) if started else 0.0:f}"
