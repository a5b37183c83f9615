"""What a manifest declares: its inputs as a JSON Schema, and its outputs.

`spec.arguments` names the inputs; the annotation `orchestra/inputs` (JSON text: a JSON Schema for each name) or a side
file adds types, bounds and descriptions. Outputs are those of the entrypoint and all that have a global name; the
annotation `orchestra/outputs` adds a description, and a type for files: TT and CAT are parsed, TS and IMAGE shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from app.engines.manifests import Look
from app.engines.protocol import Fault
from app.schemas import json_schemas, notes
from app.schemas.values import TYPES, as_text, convert

INPUTS = "orchestra/inputs"
OUTPUTS = "orchestra/outputs"
SIDE = "inputs"  # the path of what comes beside a manifest
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
_LOCATIONS = ("raw", "s3", "from", "fromExpression", "http", "git", "oss", "gcs", "hdfs", "azure", "artifactory")


def parameters(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parameters in `spec.arguments`."""
    return list((manifest["spec"].get("arguments") or {}).get("parameters") or [])


def artifacts(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The artifacts in `spec.arguments`."""
    return list((manifest["spec"].get("arguments") or {}).get("artifacts") or [])


def inputs(seen: Look, side: Mapping[str, Any] | None) -> tuple[dict[str, Any], list[Fault]]:
    """The JSON Schema (2020-12) of a manifest's arguments, and what is wrong with what is declared of them.

    Every parameter is text unless its type is declared, and optional where it has a value. `seen.manifest` has all that
    it takes from a WorkflowTemplate.
    """
    told, faults = _told(seen, INPUTS, side)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in parameters(seen.manifest):
        name = str(parameter["name"])
        properties[name], wrong = _property(parameter, told.pop(name, {}))
        faults += [_fault(seen, INPUTS, side, name, message) for message in wrong]
        if "default" not in properties[name] and not parameter.get("valueFrom"):
            required.append(name)
    for artifact in artifacts(seen.manifest):
        name = str(artifact["name"])
        if name in properties:
            message = f"there is a parameter {name!r} too; inputs need names of their own"
            faults.append(seen.fault("spec.arguments.artifacts", message))
            continue
        noted = told.pop(name, {})
        faults += [_fault(seen, INPUTS, side, name, message) for message in notes.wrong("inputs", noted)]
        properties[name] = {**ARTIFACT, **noted}
        if not artifact.get("optional") and not has_content(artifact):
            required.append(name)
    faults += [_fault(seen, INPUTS, side, name, "there is no such name in spec.arguments") for name in told]
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
    text = {"type": "string"}
    type_ = more.get("type", "string")
    if not isinstance(type_, str) or type_ not in TYPES:
        return text, [f"its type has to be one of {', '.join(TYPES)}"]
    one: dict[str, Any] = {"type": type_}
    try:
        if parameter.get("value", parameter.get("default")) is not None:
            one["default"] = convert(as_text(parameter.get("value", parameter.get("default"))), type_)
        if parameter.get("enum"):
            one["enum"] = [convert(as_text(choice), type_) for choice in parameter["enum"]]
    except ValueError as error:
        return text, [f"its value in the manifest: {error}"]
    if parameter.get("description"):
        one["description"] = parameter["description"]
    one |= more
    if wrong := json_schemas.faults(one):
        return text, wrong
    try:
        return one, list(_impossible(one))
    except ValueError as error:
        return one, [f"its default {error}"]


def _impossible(one: Mapping[str, Any]) -> Iterator[str]:
    """What no argument could ever be."""
    if "default" in one and (wrong := json_schemas.first_fault(one, one["default"])):
        yield f"its default is none of the values that it may have: {wrong.message[:200]}"
    for choice in one.get("enum", ()):
        if json_schemas.first_fault({"type": one["type"]}, choice):
            yield f"{str(choice)[:80]!r} in its enum is not {TYPES[one['type']]}"


def outputs(seen: Look) -> tuple[dict[str, Any], list[Fault]]:
    """{"parameters": {name: {…}}, "artifacts": {name: {…}}} that a run gives out, and what is wrong with them.

    What the annotation names is promised (`required`), unless it says otherwise or the manifest calls it optional.
    """
    told, faults = _told(seen, OUTPUTS, None)
    found: dict[str, dict[str, Any]] = {"parameters": {}, "artifacts": {}}
    known = set()
    for kind, name, output in _given_out(seen.manifest):
        known.add(name)
        more = dict(told.get(name, {}))
        faults += [_fault(seen, OUTPUTS, None, name, wrong) for wrong in _wrong(kind, more, output)]
        if name in told:
            more.setdefault("required", not output.get("optional"))
        found[kind][name] = {**found[kind].get(name, {}), **more}
    faults += [
        _fault(seen, OUTPUTS, None, name, "no output of the workflow has this name")
        for name in told
        if name not in known
    ]
    return found, faults


def _wrong(kind: str, more: Mapping[str, Any], output: Mapping[str, Any]) -> Iterator[str]:
    """What cannot be declared of an output."""
    if found := list(notes.wrong(kind, more)):
        yield from found
        return
    packed = output.get("path") and (output.get("archive") or {}).get("none") is None
    if packed and kind == "artifacts" and more.get("type") in notes.PARSED:
        yield f"a {more['type']} is read as it is stored; add archive: {{none: {{}}}} to the artifact"


def _given_out(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(parameters or artifacts, name, output) of the entrypoint's outputs, and of all that have a global name."""
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
                        yield kind, name, output


def _told(seen: Look, annotation: str, side: Mapping[str, Any] | None) -> tuple[dict[str, Any], list[Fault]]:
    """What the annotation, and over it the side file, say of single names."""
    text = ((seen.manifest.get("metadata") or {}).get("annotations") or {}).get(annotation, "{}")
    path = f"metadata.annotations.{annotation}"
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except (TypeError, ValueError, RecursionError) as error:
        return {}, [seen.fault(path, f"is not JSON: {error}")]
    if problem := json_schemas.unusable(found):
        return {}, [seen.fault(path, problem)]
    if not _is_by_name(found):
        return {}, [seen.fault(path, "is not an object with an object for each name")]
    if problem := json_schemas.unusable(side):
        return {}, [Fault(path=SIDE, message=problem)]
    if side is not None and not _is_by_name(side):
        return {}, [Fault(path=SIDE, message="is not an object with a JSON Schema for each name")]
    return {name: {**found.get(name, {}), **(side or {}).get(name, {})} for name in [*found, *(side or {})]}, []


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _is_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())


def _fault(seen: Look, annotation: str, side: Mapping[str, Any] | None, name: str, message: str) -> Fault:
    """A fault of what is declared of a name, said of the side file if that names it, else of the annotation."""
    if name in (side or {}):
        return Fault(path=SIDE, message=f"{name}: {message}")
    return seen.fault(f"metadata.annotations.{annotation}", f"{name}: {message}")
