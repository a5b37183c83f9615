"""What a manifest declares: its inputs as a JSON Schema, and its outputs.

`spec.arguments` names the inputs; the annotation `orchestra/inputs` (JSON text: a JSON Schema for each name) or a side
file adds types, bounds and descriptions. Outputs are those of the entrypoint and all that have a global name; the
annotation `orchestra/outputs` adds a description, and a type for files: TT and CAT are parsed, TS and IMAGE shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from app.engines.manifests import Look
from app.engines.protocol import Fault
from app.schemas.values import TYPES, as_text, convert

INPUTS = "orchestra/inputs"
OUTPUTS = "orchestra/outputs"
FILE_TYPES = ("TT", "CAT", "TS", "IMAGE")
ARTIFACT = {
    "anyOf": [
        {"type": "string", "description": "the file's content"},
        {
            "type": "object",
            "description": "a file that an execution gave out, by its number",
            "properties": {"artifact": {"type": "integer", "minimum": 1}},
            "required": ["artifact"],
            "additionalProperties": False,
        },
    ]
}
_REFERENCES = ("$ref", "$dynamicRef", "$schema", "$id", "$defs")
_LOCATIONS = ("raw", "s3", "from", "fromExpression", "http", "git", "oss", "gcs", "hdfs", "azure", "artifactory")


def parameters(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parameters in `spec.arguments`."""
    return list((manifest["spec"].get("arguments") or {}).get("parameters") or [])


def artifacts(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The artifacts in `spec.arguments`."""
    return list((manifest["spec"].get("arguments") or {}).get("artifacts") or [])


def inputs(seen: Look, side: Mapping[str, Any] | None) -> tuple[dict[str, Any], list[Fault]]:
    """The JSON Schema (2020-12) of a manifest's arguments, and what is wrong with what is declared of them.

    Every parameter is text unless its type is declared, and optional where it has a value.
    """
    told, faults = _told(seen, INPUTS, side, "inputs")
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in parameters(seen.manifest):
        name = str(parameter["name"])
        properties[name], wrong = _property(parameter, told.pop(name, {}))
        faults += [_fault(seen, INPUTS, side, "inputs", f"{name}: {message}") for message in wrong]
        if "default" not in properties[name] and not parameter.get("valueFrom"):
            required.append(name)
    for artifact in artifacts(seen.manifest):
        name = str(artifact["name"])
        if name in properties:
            message = f"there is a parameter {name!r} too; inputs need names of their own"
            faults.append(seen.fault("spec.arguments.artifacts", message))
            continue
        description = told.pop(name, {}).get("description")
        properties[name] = {**ARTIFACT, **({"description": str(description)} if description else {})}
        if not artifact.get("optional") and not has_content(artifact):
            required.append(name)
    faults += [
        _fault(seen, INPUTS, side, "inputs", f"{name}: there is no such name in spec.arguments") for name in told
    ]
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return schema, faults


def has_content(artifact: Mapping[str, Any]) -> bool:
    """Whether a manifest says itself where an artifact comes from."""
    return any(artifact.get(kind) for kind in _LOCATIONS)


def _property(parameter: Mapping[str, Any], more: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """One parameter's JSON Schema, and what is wrong with what was declared of it."""
    type_ = more.get("type", "string")
    if type_ not in TYPES:
        return {"type": "string"}, [f"its type has to be one of {', '.join(TYPES)}"]
    if wrong := [key for key in _REFERENCES if key in json.dumps(more)]:
        return {"type": "string"}, [f"{wrong[0]} is not taken here; write the schema out"]
    one: dict[str, Any] = {"type": type_}
    try:
        if parameter.get("value", parameter.get("default")) is not None:
            one["default"] = convert(as_text(parameter.get("value", parameter.get("default"))), type_)
        if parameter.get("enum"):
            one["enum"] = [convert(as_text(choice), type_) for choice in parameter["enum"]]
    except ValueError as error:
        return {"type": "string"}, [f"its value in the manifest: {error}"]
    if parameter.get("description"):
        one["description"] = parameter["description"]
    one |= more
    try:
        Draft202012Validator.check_schema(one)
    except SchemaError as error:
        return {"type": "string"}, [f"is no JSON Schema: {error.message[:300]}"]
    if "default" in one and not Draft202012Validator(one).is_valid(one["default"]):
        return one, ["its default is none of the values that it may have"]
    return one, []


def outputs(seen: Look) -> tuple[dict[str, Any], list[Fault]]:
    """{"parameters": {name: {…}}, "artifacts": {name: {…}}} that a run gives out, and what is wrong with them."""
    told, faults = _told(seen, OUTPUTS, None, "")
    found: dict[str, dict[str, Any]] = {"parameters": {}, "artifacts": {}}
    for kind, name in _given_out(seen.manifest):
        more = told.pop(name, {})
        if kind == "artifacts" and more.get("type") not in (None, *FILE_TYPES):
            message = f"{name}: the type of a file is one of {', '.join(FILE_TYPES)}"
            faults.append(_fault(seen, OUTPUTS, None, "", message))
        found[kind][name] = {**found[kind].get(name, {}), **more}
    faults += [_fault(seen, OUTPUTS, None, "", f"{name}: no output of the workflow has this name") for name in told]
    return found, faults


def _given_out(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(parameters or artifacts, name) of the entrypoint's outputs, and of all that have a global name."""
    spec = manifest["spec"]
    seen: set[tuple[str, str]] = set()
    for template in spec.get("templates") or []:
        for kind in ("parameters", "artifacts"):
            for output in (template.get("outputs") or {}).get(kind) or []:
                names = [output.get("globalName")]
                if template.get("name") == spec.get("entrypoint"):
                    names.append(output.get("name"))
                for name in names:
                    if name and "{{" not in name and (kind, name) not in seen:
                        seen.add((kind, name))
                        yield kind, name


def _told(
    seen: Look, annotation: str, side: Mapping[str, Any] | None, place: str
) -> tuple[dict[str, Any], list[Fault]]:
    """What the annotation, and over it the side file, say of single names."""
    text = ((seen.manifest.get("metadata") or {}).get("annotations") or {}).get(annotation, "{}")
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        return {}, [_fault(seen, annotation, None, "", f"is not JSON: {error}")]
    if not _is_by_name(found):
        return {}, [_fault(seen, annotation, None, "", "is not an object with an object for each name")]
    if not _is_by_name(side or {}):
        return {}, [Fault(path=place, message="is not an object with a JSON Schema for each name")]
    return {name: {**found.get(name, {}), **(side or {}).get(name, {})} for name in [*found, *(side or {})]}, []


def _is_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())


def _fault(seen: Look, annotation: str, side: Mapping[str, Any] | None, place: str, message: str) -> Fault:
    if side:
        return Fault(path=place, message=message)
    return seen.fault(f"metadata.annotations.{annotation}", message)
