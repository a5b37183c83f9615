"""What the API server refuses: fields that Argo's types do not have, wrong types, missing fields, and its few rules.

The types are in argo_types.json (made by script/write-argo-types): JSON Schema of which only `type`, `properties`,
`additionalProperties`, `items`, `required`, `enum`, `pattern`, `$ref` and the limits of length and number are used.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from orchestra_engine.operate.templates import TYPES
from orchestra_engine.validate.faults import Fault

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LOCATIONS = ("s3", "git", "http", "artifactory", "hdfs", "raw", "oss", "gcs", "azure", "plugin")
_MAX_NAME = 253
_LENGTHS = {"string": ("minLength", "maxLength"), "array": ("minItems", "maxItems")}


@cache
def document() -> dict[str, Any]:
    """The JSON Schema document of Argo's types."""
    return json.loads(resources.files(__package__).joinpath("argo_types.json").read_text())  # type: ignore[no-any-return]


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "null")


def _fault(path: str, message: str) -> Fault:
    return Fault(path=path, message=message, by="api-server")


def _walk(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[Fault]:
    name = ""
    while "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = document()["$defs"][name]
    found = _type(value)
    wanted = schema.get("type")
    if wanted is not None and not _fits(found, wanted):
        shown = wanted if isinstance(wanted, str) else " or ".join(wanted)
        yield _fault(path, f'must be of type {shown}: "{found}"{_hint(found, wanted, value)}')
        return
    yield from _limits(value, schema, found, path)
    if found == "object":
        yield from _object(value, schema, path)
        yield from _RULES.get(name, _no_rule)(value, path)
    elif found == "array":
        for index, item in enumerate(value):
            if item is not None and "items" in schema:
                yield from _walk(item, schema["items"], f"{path}[{index}]")


def _fits(found: str, wanted: Any) -> bool:
    allowed = (wanted,) if isinstance(wanted, str) else wanted
    return found in allowed or (found == "integer" and "number" in allowed)


def _hint(found: str, wanted: Any, value: Any) -> str:
    if wanted != "string" or found not in ("integer", "number", "boolean"):
        return ""
    if found == "boolean":
        return ' (put it in quotes; YAML reads y, n, yes, no, on, off, true and false as booleans)'
    return f' (put it in quotes: "{value}")'


def _limits(value: Any, schema: Mapping[str, Any], found: str, path: str) -> Iterator[Fault]:
    if "enum" in schema and value not in schema["enum"]:
        supported = ", ".join(f'"{one}"' for one in schema["enum"])
        yield _fault(path, f'Unsupported value: "{value}": supported values: {supported}')
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        yield _fault(path, f"'{value}' should match '{schema['pattern']}'")
    low, high = _LENGTHS.get(found, ("minimum", "maximum"))
    size = len(value) if found in _LENGTHS else value
    if low in schema and size < schema[low]:
        yield _fault(path, f"must be at least {schema[low]}, not {size}")
    if high in schema and size > schema[high]:
        yield _fault(path, f"must be at most {schema[high]}, not {size}")


def _object(value: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> Iterator[Fault]:
    properties, rest = schema.get("properties"), schema.get("additionalProperties")
    for name in schema.get("required", ()):
        if value.get(name) is None:
            yield _fault(_join(path, name), "Required value")
    for name, item in value.items():
        where = _join(path, name)
        if item is None:
            continue
        if properties is not None and name in properties:
            yield from _walk(item, properties[name], where)
        elif isinstance(rest, dict):
            yield from _walk(item, rest, where)
        elif rest is False:
            near = difflib.get_close_matches(name, properties or (), 1)
            yield _fault(where, f'unknown field "{where}"' + (f"; did you mean {near[0]}?" if near else ""))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _no_rule(_value: Mapping[str, Any], _path: str) -> Iterator[Fault]:
    return iter(())


def _template(value: Mapping[str, Any], path: str) -> Iterator[Fault]:
    found = [kind for kind in TYPES if value.get(kind) is not None]
    if len(found) > 1:
        yield _fault(path, f"template must have at most one template type, not {' and '.join(found)}")
    if "steps" in found or "dag" in found:
        if value.get("activeDeadlineSeconds") is not None:
            yield _fault(f"{path}.activeDeadlineSeconds", "activeDeadlineSeconds is only valid for leaf templates")
        if value.get("timeout"):
            yield _fault(f"{path}.timeout", "timeout cannot be applied to steps or dag templates")


def _task(value: Mapping[str, Any], path: str) -> Iterator[Fault]:
    if value.get("depends") is not None and value.get("dependencies") is not None:
        yield _fault(path, "cannot use both 'depends' and 'dependencies'")
    if value.get("depends") is not None and value.get("continueOn") is not None:
        yield _fault(path, "cannot use 'continueOn' when using 'depends'")
    uses = value.get("depends") is not None or value.get("dependencies") is not None
    if uses and str(value.get("name", ""))[:1].isdigit():
        yield _fault(path, "task name cannot begin with a digit when using 'depends' or 'dependencies'")


def _sequence(value: Mapping[str, Any], path: str) -> Iterator[Fault]:
    if value.get("count") is not None and value.get("end") is not None:
        yield _fault(path, "only one of count or end can be defined")


def _artifact(value: Mapping[str, Any], path: str) -> Iterator[Fault]:
    found = [kind for kind in _LOCATIONS if value.get(kind) is not None]
    if len(found) > 1:
        yield _fault(path, f"at most one artifact location can be specified, not {' and '.join(found)}")


_RULES: dict[str, Callable[[Mapping[str, Any], str], Iterator[Fault]]] = {
    "Template": _template,
    "DAGTask": _task,
    "Sequence": _sequence,
    "Artifact": _artifact,
    "ArtifactLocation": _artifact,
    "ArtifactPaths": _artifact,
}


def _identity(workflow: Mapping[str, Any], kind: str) -> Iterator[Fault]:
    if workflow.get("apiVersion") not in (None, "argoproj.io/v1alpha1"):
        yield _fault("apiVersion", f"'{workflow['apiVersion']}' is not argoproj.io/v1alpha1")
    if workflow.get("kind") not in (None, kind):
        yield _fault("kind", f"'{workflow['kind']}' is not {kind}")
    metadata = workflow.get("metadata")
    if not isinstance(metadata, dict):
        return
    name, prefix = metadata.get("name"), metadata.get("generateName")
    if not name and not prefix:
        yield _fault("metadata.name", "name or generateName is required")
    if isinstance(name, str) and name and (len(name) > _MAX_NAME or not _NAME.fullmatch(name)):
        yield _fault(
            "metadata.name",
            f"'{name[:80]}' is no name: lower case letters, digits, '-' and '.', beginning and ending with a letter or digit",
        )


def faults(workflow: Any, *, kind: str = "Workflow") -> list[Fault]:
    """All that the API server would refuse in a Workflow (or WorkflowTemplate)."""
    if not isinstance(workflow, dict):
        return [_fault("", f'must be of type object: "{_type(workflow)}"')]
    return [*_identity(workflow, kind), *_walk(workflow, {"$ref": f"#/$defs/{kind}"}, "")]
