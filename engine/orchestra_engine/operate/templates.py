"""Templates: where they are found, and what they become when arguments, globals and locals are put in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from operator import is_
from typing import Any

from orchestra_engine.language import LanguageError, gojson, tags
from orchestra_engine.pod import PATH_MARK

ABSENT = tags.PLACEHOLDER + "absent-optional"
TYPES = ("container", "containerSet", "steps", "dag", "script", "resource", "data", "suspend", "http", "plugin")
_MERGED_BY_NAME = ("parameters", "artifacts", "volumes", "env", "initContainers", "sidecars", "templates", "ports")
_PARAMETER_ORDER = ("name", "default", "value", "valueFrom", "globalName", "enum", "description")
_ALL_INPUTS = re.compile(r"inputs\.parameters(?![.\w])")
_KEPT = 4096

Params = Mapping[str, str]


class IdentityCache:
    """Remembers what was made from objects, by their identity (manifests are not changed in place)."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, ...], tuple[tuple[Any, ...], Any]] = {}

    def get(self, key: tuple[Any, ...]) -> Any:
        """What was kept for exactly these objects, or None."""
        entry = self._found.get(tuple(map(id, key)))
        return entry[1] if entry is not None and all(map(is_, entry[0], key)) else None

    def put(self, key: tuple[Any, ...], value: Any) -> Any:
        """Keep a value for these objects."""
        if len(self._found) > _KEPT:
            self._found.clear()
        self._found[tuple(map(id, key))] = (key, value)
        return value


_texts = IdentityCache()
_merged = IdentityCache()


def type_of(template: Mapping[str, Any]) -> str:
    """The kind of a template by the field it has; empty if it has none."""
    for kind in TYPES:
        if template.get(kind) is not None:
            return kind
    return ""


def deep_merge(base: Any, over: Any, key: str = "") -> Any:
    """`over` on top of `base`: mappings are merged, lists of named things by name, everything else is replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {
            k: deep_merge(base[k], over[k], k) if k in base and k in over else (over[k] if k in over else base[k])
            for k in [*over, *(k for k in base if k not in over)]
        }
    if key in _MERGED_BY_NAME and isinstance(base, list) and isinstance(over, list):
        named = {item["name"]: item for item in base if isinstance(item, dict) and "name" in item}
        mine = [deep_merge(named[i["name"]], i) if i.get("name") in named else i for i in over]
        return mine + [item for name, item in named.items() if name not in {i.get("name") for i in over}]
    return over


def with_defaults(template: dict[str, Any], defaults: dict[str, Any] | None) -> dict[str, Any]:
    """A template on top of `spec.templateDefaults`, of which only the part of its own type counts."""
    if not defaults:
        return template
    found = _merged.get((template, defaults))
    if found is None:
        kind = type_of(template)
        fitting = {k: v for k, v in defaults.items() if k not in TYPES or k == kind}
        found = _merged.put((template, defaults), deep_merge(fitting, template))
    return found


class Library:
    """Finds templates: those of the workflow, and those of the WorkflowTemplates that it refers to."""

    def __init__(self, name: str, spec: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> None:
        self.local_scope = f"local/{name}"
        self.others = others
        self._local = {t.get("name", ""): t for t in spec.get("templates") or []}

    def find(self, scope: str, holder: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The template of a step, a task or a node, and the scope in which its own references are looked up.

        Raises LanguageError if there is none.
        """
        if holder.get("inline"):
            return scope, holder["inline"]
        reference = holder.get("templateRef")
        if reference:
            kind = "cluster" if reference.get("clusterScope") else "namespaced"
            scope, name = f"{kind}/{reference.get('name', '')}", reference.get("template", "")
        else:
            name = holder.get("template", "") or holder.get("templateName", "")
        found = self.named(scope, name)
        if found is None:
            if reference:
                raise LanguageError(f"template {name} not found in workflow template {reference.get('name')}")
            raise LanguageError(f"template {name} not found")
        if not type_of(found):
            raise LanguageError(f"template '{name}' type is unknown")
        return scope, found

    def named(self, scope: str, name: str) -> dict[str, Any] | None:
        """A template by name in a scope ("local/W", "namespaced/X", "cluster/X")."""
        if scope == self.local_scope:
            return self._local.get(name)
        other = self.others.get(scope.partition("/")[2])
        templates = (other or {}).get("spec", {}).get("templates") or []
        return next((t for t in templates if t.get("name") == name), None)


def text_of(template: Mapping[str, Any]) -> str:
    """The JSON of a template, or of a task, without its inputs."""
    found = _texts.get((template,))
    if found is None:
        body = {k: v for k, v in template.items() if k != "inputs"}
        found = _texts.put((template,), json.dumps(body, ensure_ascii=False))
    return found


@lru_cache(maxsize=512)
def _wants_all_inputs(text: str) -> bool:
    return _ALL_INPUTS.search(text) is not None


@lru_cache(maxsize=1024)
def shared_json(text: str) -> Any:
    """The value of a JSON text; shared, so never written to."""
    return json.loads(text)


def _given(arguments: Mapping[str, Any], kind: str, name: str) -> dict[str, Any] | None:
    return next((item for item in arguments.get(kind) or [] if item.get("name") == name), None)


def has_location(artifact: Mapping[str, Any]) -> bool:
    """Whether an artifact says where its content is: raw text or a key."""
    return (
        "raw" in artifact
        or bool((artifact.get("s3") or {}).get("key"))
        or any(
            isinstance(artifact.get(kind), dict)
            for kind in ("http", "git", "gcs", "oss", "azure", "hdfs", "artifactory")
        )
    )


def merged_inputs(
    template: Mapping[str, Any], arguments: Mapping[str, Any], configmap_value: Any, *, validating: bool = False
) -> dict[str, Any]:
    """A template's inputs with the arguments that were given for them.

    Raises LanguageError if one that is needed was not supplied.
    """
    inputs = template.get("inputs") or {}
    merged: dict[str, Any] = {}
    if inputs.get("parameters"):
        merged["parameters"] = [_parameter(p, arguments, configmap_value) for p in inputs["parameters"]]
    if inputs.get("artifacts"):
        merged["artifacts"] = [_artifact(a, arguments, validating) for a in inputs["artifacts"]]
    return merged


def _parameter(declared: Mapping[str, Any], arguments: Mapping[str, Any], configmap_value: Any) -> dict[str, Any]:
    parameter = dict(declared)
    name = parameter["name"]
    if parameter.get("value") is None and parameter.get("default") is not None:
        parameter["value"] = parameter["default"]
    given = _given(arguments, "parameters", name)
    if given is not None and given.get("value") == ABSENT:
        if parameter.get("value") is None and parameter.get("valueFrom") is None:
            raise LanguageError(
                f"inputs.parameters.{name}: argument references an absent optional "
                "(skipped/omitted node output with no default)"
            )
    elif given is not None and given.get("value") is not None:
        parameter["value"] = given["value"]
        parameter.pop("valueFrom", None)
    elif given is not None:
        parameter.pop("value", None)
        parameter["valueFrom"] = given.get("valueFrom")
    reference = (parameter.get("valueFrom") or {}).get("configMapKeyRef")
    if reference:
        parameter["value"] = configmap_value(parameter, reference)
    elif parameter.get("value") is None:
        raise LanguageError(f"inputs.parameters.{name} was not supplied")
    return {k: parameter[k] for k in _PARAMETER_ORDER if parameter.get(k) is not None}


def _artifact(declared: Mapping[str, Any], arguments: Mapping[str, Any], validating: bool) -> dict[str, Any]:
    name = declared["name"]
    given = _given(arguments, "artifacts", name)
    if not declared.get("optional") and not has_location(declared):
        if given is None:
            raise LanguageError(f"inputs.artifacts.{name} was not supplied")
        if not has_location(given) and not validating:
            raise LanguageError(f"inputs.artifacts.{name} missing location information")
    if given is None:
        return dict(declared)
    merged = {k: v for k, v in given.items() if k not in ("path", "mode", "recurseMode")}
    return merged | {k: declared[k] for k in ("path", "mode", "recurseMode") if k in declared}


def untagged(template: dict[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """What `process` makes of a template if there is nothing to replace in it and in its inputs; else None."""
    body = text_of(template)
    if "{{" in body or (inputs and _tagged(inputs)):
        return None
    found: dict[str, Any] = shared_json(body)
    return found


def process(
    template: dict[str, Any], inputs: Mapping[str, Any], params: Params, *, nested: bool
) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """A template and its inputs with every tag replaced that can be: first globals and locals, then inputs.

    The third value says whether expressions are left in the template.
    `nested` says that a value of `params` holds tags itself: then, as in Argo, they are replaced in a second round.
    Paths of artifacts are left as marks (see pod.PATH_MARK). The template that comes back is shared: never write to it.
    """
    body = text_of(template)
    tagged = bool(inputs) and _tagged(inputs)
    filled = json.loads(tags.replace(json.dumps(inputs, ensure_ascii=False), params)) if tagged else inputs
    values = dict(params)
    for parameter in filled.get("parameters", ()):
        if parameter.get("value") is not None:
            values[f"inputs.parameters.{parameter['name']}"] = parameter["value"]
    if _wants_all_inputs(body):
        values["inputs.parameters"] = gojson.dumps(filled.get("parameters", []), sort=False)
    for artifact in filled.get("artifacts", ()):
        if artifact.get("path"):
            values[f"inputs.artifacts.{artifact['name']}.path"] = PATH_MARK % artifact["path"]
    if nested:
        body = tags.replace(body, params)
    _output_paths(template, body, values)
    text = tags.replace(body, values)
    return json_of(text), _second(filled, values), "{{=" in text


def json_of(text: str) -> dict[str, Any]:
    """Large templates (steps, dags) are read once; a pod's own text is short and never seen again."""
    return shared_json(text) if '"steps":' in text or '"dag":' in text else json.loads(text)


def _second(inputs: Mapping[str, Any], values: Params) -> dict[str, Any]:
    if not inputs or not _tagged(inputs):
        return dict(inputs)
    return json.loads(tags.replace(json.dumps(inputs, ensure_ascii=False), values))


def _tagged(inputs: Mapping[str, Any]) -> bool:
    """Whether anything in a template's inputs may hold a tag."""
    for parameter in inputs.get("parameters", ()):
        for value in parameter.values():
            if "{{" in value if isinstance(value, str) else value:
                return True
    return "artifacts" in inputs and "{{" in json.dumps(inputs["artifacts"], ensure_ascii=False)


def _output_paths(template: Mapping[str, Any], body: str, values: dict[str, str]) -> None:
    outputs = template.get("outputs") or {}
    if not outputs or "{{" not in body:
        return
    for artifact in outputs.get("artifacts") or []:
        if artifact.get("path"):
            values[f"outputs.artifacts.{artifact['name']}.path"] = PATH_MARK % artifact["path"]
    for parameter in outputs.get("parameters") or []:
        path = (parameter.get("valueFrom") or {}).get("path")
        if path:
            values[f"outputs.parameters.{parameter['name']}.path"] = PATH_MARK % path
