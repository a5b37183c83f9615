"""The parts of a template that Argo's controller looks at one by one: inputs, outputs, loops, the leaf itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import names, tasks

if TYPE_CHECKING:
    from .semantics import Validation

LOCATIONS = ("raw", "s3", "git", "http", "artifactory", "hdfs", "oss", "gcs", "azure", "plugin")
_POD_TYPES = ("container", "containerSet", "script", "resource", "data")
_LEAF_TYPES = (*_POD_TYPES, "http", "plugin")
_WORDS = {"containerSet": "ContainerSet", "dag": "DAG", "http": "HTTP"}
_VALUE_TYPES = ("path", "jqFilter", "jsonPath", "parameter", "expression")
_RESERVED = ("wait", "supervisor")


def has_location(artifact: Mapping[str, Any]) -> bool:
    """Whether an artifact says itself where it is."""
    return any(artifact.get(name) is not None for name in LOCATIONS)


def type_word(kind: str) -> str:
    """Argo's word for a kind of template."""
    return _WORDS.get(kind, kind.capitalize())


def argument_value(validation: Validation, path: str, name: str, parameter: Mapping[str, Any]) -> None:
    """A parameter that is handed over has a value, from an allowed source, and one of its `enum`."""
    value, source, enum = parameter.get("value"), parameter.get("valueFrom"), parameter.get("enum")
    if source is None and value is None:
        validation.fail(path, f"{name}.value or {name}.valueFrom is required")
        return
    if source is not None:
        allowed = source.get("configMapKeyRef") is not None or source.get("event") or source.get("supplied") is not None
        if not allowed or any(source.get(key) for key in ("path", "jsonPath", "parameter", "expression")):
            validation.fail(f"{path}.valueFrom", f"{name}.valueFrom only allows: default, configMapKeyRef and supplied")
    if enum is not None:
        if value is None:
            validation.fail(f"{path}.value", f"{name}.value is required")
        elif value not in enum:
            validation.fail(f"{path}.value", f"{name}.value should be present in {name}.enum list")


def argument_artifact(validation: Validation, path: str, name: str, artifact: Mapping[str, Any]) -> None:
    """An artifact that is handed over says where it comes from, once."""
    source, expression = artifact.get("from"), artifact.get("fromExpression")
    if not source and not has_location(artifact):
        validation.fail(path, f"{name}.from, artifact location, or key is required")
    if source and expression:
        validation.fail(path, f"{name} shouldn't have both `from` and `fromExpression` in Artifact")


def argument_dependencies(validation: Validation, path: str, arguments: Mapping[str, Any], before: set[str]) -> None:
    """A task that takes what another gives out has to depend on it."""
    for kind, field, word in (("parameters", "value", "parameter"), ("artifacts", "from", "artifact")):
        for item in arguments.get(kind) or ():
            text = item.get(field) or ""
            if text.startswith("{{tasks.") and (task := text.split(".")[1]) not in before:
                validation.fail(path, f"missing dependency '{task}' for {word} '{item.get('name')}'")


def inline_inputs(step: Mapping[str, Any]) -> set[str]:
    """The tags that an inline template brings to the step or task that it stands in."""
    inputs = ((step.get("inline") or {}).get("inputs") or {}).get("parameters") or ()
    return {f"inputs.parameters.{item.get('name')}" for item in inputs}


def loop(validation: Validation, path: str, step: Mapping[str, Any], scope: set[str]) -> None:
    """A step or task repeats itself in one way at most; its items may then be referred to."""
    items, param, sequence = step.get("withItems"), step.get("withParam"), step.get("withSequence")
    if sum((bool(items), bool(param), sequence is not None)) > 1:
        validation.fail(path, "only one of withItems, withParam, withSequence can be specified")
        return
    if items:
        for item in items:
            if isinstance(item, dict):
                scope |= {f"item.{key}" for key in item}
            elif isinstance(item, list):
                scope |= {f"item.[{number}]" for number in range(len(item))}
        scope.add("item")
    elif param:
        scope |= {"item", names.ANY_ITEM}
    elif sequence is not None:
        if sequence.get("count") is not None and sequence.get("end") is not None:
            validation.fail(f"{path}.withSequence", "only one of count or end can be defined in withSequence")
        scope.add("item")


def inputs(validation: Validation, path: str, template: Mapping[str, Any], kind: str) -> set[str]:
    """Check a template's inputs; returns the tags that may be used inside it."""
    name, given = template.get("name") or "", template.get("inputs") or {}
    scope: set[str] = {"pod.name"} if kind in _POD_TYPES else set()
    for sort in ("parameters", "artifacts"):
        for number, message in names.check_list(given.get(sort) or (), names.bad_parameter):
            validation.fail(f"{path}.inputs.{sort}[{number}].name", f"templates.{name}.inputs.{sort}{message}")
    parameters = given.get("parameters") or ()
    scope |= {f"inputs.parameters.{item.get('name')}" for item in parameters}
    scope.add("inputs.parameters")
    for number, artifact in enumerate(given.get("artifacts") or ()):
        own = f"inputs.artifacts.{artifact.get('name')}"
        where = f"{path}.inputs.artifacts[{number}]"
        scope.add(own)
        if kind in _LEAF_TYPES:
            if wrong := bad_path(artifact):
                validation.fail(f"{where}.path", f"error in templates.{name}.{own}: {wrong}")
            scope.add(f"{own}.path")
        elif artifact.get("path"):
            validation.fail(f"{where}.path", f"templates.{name}.{own}.path only valid in container/script templates")
        if artifact.get("from"):
            validation.fail(f"{where}.from", f"templates.{name}.{own}.from not valid in inputs")
    if kind in _LEAF_TYPES:
        out = template.get("outputs") or {}
        scope |= {
            f"outputs.artifacts.{item.get('name')}.path" for item in out.get("artifacts") or () if item.get("path")
        }
        for item in out.get("parameters") or ():
            if (item.get("valueFrom") or {}).get("path"):
                scope.add(f"outputs.parameters.{item.get('name')}.path")
    return scope


def bad_path(artifact: Mapping[str, Any]) -> str:
    """What is wrong with the path of a leaf's artifact; empty if nothing is."""
    path = artifact.get("path") or ""
    if not path:
        return f"Artifact '{artifact.get('name')}' did not specify a path"
    safe = path.partition("/../")[0] if "/../" in path else path.removesuffix("/..") if path.endswith("/..") else None
    if safe is not None and not names.has_tag(path):
        parts: list[str] = []
        for part in path.split("/"):
            if part == "..":
                del parts[-1:]
            elif part not in ("", "."):
                parts.append(part)
        if safe and not ("/" + "/".join(parts) + "/").startswith(safe.rstrip("/") + "/"):
            name = artifact.get("name")
            return f"Artifact '{name}' attempted to use a path containing '..'. Directory traversal is not permitted"
    return ""


def outputs(validation: Validation, path: str, template: Mapping[str, Any], kind: str, scope: set[str]) -> None:
    """Check a template's outputs: names, tags, and that each says where its value comes from."""
    name, given = template.get("name") or "", template.get("outputs") or {}
    for sort in ("parameters", "artifacts"):
        for number, message in names.check_list(given.get(sort) or (), names.bad_parameter):
            validation.fail(f"{path}.outputs.{sort}[{number}].name", f"templates.{name}.outputs.{sort} {message}")
    for message in names.unresolved(given, scope, validation.known):
        validation.fail(f"{path}.outputs", f"templates.{name}.outputs {message}")
    for number, artifact in enumerate(given.get("artifacts") or ()):
        own, where = f"outputs.artifacts.{artifact.get('name')}", f"{path}.outputs.artifacts[{number}]"
        if kind in _LEAF_TYPES:
            if wrong := bad_path(artifact):
                validation.fail(f"{where}.path", f"error in templates.{name}.{own}: {wrong}")
        elif artifact.get("path"):
            validation.fail(f"{where}.path", f"templates.{name}.{own}.path only valid in container/script templates")
        _global_name(validation, where, f"templates.{name}.{own}", artifact)
    for number, parameter in enumerate(given.get("parameters") or ()):
        own, where = (
            f"templates.{name}.outputs.parameters.{parameter.get('name')}",
            f"{path}.outputs.parameters[{number}]",
        )
        _output_parameter(validation, where, own, parameter, kind)
        _global_name(validation, where, own, parameter)


def _global_name(validation: Validation, path: str, name: str, item: Mapping[str, Any]) -> None:
    shared = item.get("globalName") or ""
    if shared and not names.has_tag(shared) and (wrong := names.bad_parameter(shared)):
        validation.fail(f"{path}.globalName", f"{name}.globalName: {wrong}")


def _output_parameter(validation: Validation, path: str, name: str, parameter: Mapping[str, Any], kind: str) -> None:
    value, source = parameter.get("value"), parameter.get("valueFrom")
    if source is None:
        if value is None:
            validation.fail(path, f"{name} does not have valueFrom or value specified")
        return
    if value is not None:
        validation.fail(path, f"{name} has both valueFrom and value specified, choose one")
        return
    count = sum(bool(source.get(key)) for key in _VALUE_TYPES) + (source.get("supplied") is not None)
    where = f"{path}.valueFrom"
    if count != 1:
        many = "multiple valueFrom types specified. choose one of: path, jqFilter, jsonPath, parameter, raw"
        none = "valueFrom type unspecified. choose one of: path, jqFilter, jsonPath, parameter, raw, expression"
        validation.fail(where, many if count else none)
    elif kind in ("container", "containerSet", "script") and not source.get("path"):
        validation.fail(where, f"{name}.path must be specified for {type_word(kind)} templates")
    elif kind in ("dag", "steps") and not (source.get("parameter") or source.get("expression")):
        validation.fail(where, f"{name}.parameter or expression must be specified for {type_word(kind)} templates")


def targets(validation: Validation, path: str, template: Mapping[str, Any], scope: set[str]) -> None:
    """The targets of a dag are tasks of it."""
    name, target = template.get("name") or "", template["dag"].get("target") or ""
    for message in names.unresolved(target, scope, validation.known):
        validation.fail(f"{path}.dag.target", f"templates.{name}.targets {message}")
    known = {task.get("name") for task in template["dag"]["tasks"]}
    for one in target.split(" ") if target else ():
        if not names.has_tag(one) and one not in known:
            validation.fail(f"{path}.dag.target", f"templates.{name}.targets: target '{one}' is not defined")


def leaf(validation: Validation, path: str, template: Mapping[str, Any], kind: str, scope: set[str]) -> None:
    """A template that runs something itself: its tags, mount points, image, deadline."""
    name = template.get("name") or ""
    for message in names.unresolved(template, scope, validation.known):
        validation.fail(path, f"templates.{name}: {message}")
    if kind in ("container", "script"):
        body = template[kind]
        if kind == "container":
            _mounts(validation, path, template)
        default = ((validation.spec.get("templateDefaults") or {}).get(kind) or {}).get("image")
        if not body.get("image") and not default:
            validation.fail(f"{path}.{kind}.image", f"templates.{name}.{kind}.image may not be empty")
    if kind == "containerSet":
        _container_set(validation, path, template)
    timeout = template.get("timeout") or ""
    if timeout.isdecimal():
        validation.fail(f"{path}.timeout", f"{name} has invalid duration format in timeout")
    _deadline(validation, path, template)
    if template.get("parallelism") is not None:
        validation.fail(
            f"{path}.parallelism", f"templates.{name}.parallelism is only valid for steps and dag templates"
        )


def _deadline(validation: Validation, path: str, template: Mapping[str, Any]) -> None:
    deadline = template.get("activeDeadlineSeconds")
    if deadline is None or (isinstance(deadline, str) and "{{" in deadline):
        return
    try:
        wrong = int(deadline) < 0
    except ValueError:
        wrong = True
    if wrong:
        validation.fail(
            f"{path}.activeDeadlineSeconds",
            f"templates.{template.get('name')}.activeDeadlineSeconds must be a positive integer > 0 "
            "or an argo variable",
        )


def _mounts(validation: Validation, path: str, template: Mapping[str, Any]) -> None:
    name = template.get("name")
    taken: dict[Any, str] = {}
    for number, mount in enumerate(template["container"].get("volumeMounts") or ()):
        where, label = mount.get("mountPath"), f"templates.{name}.container.volumeMounts[{number}].mountPath"
        if where in taken:
            validation.fail(
                f"{path}.container.volumeMounts[{number}].mountPath",
                f"{label} '{where}' already mounted in {taken[where]}",
            )
        taken[where] = f"container.volumeMounts.{mount.get('name')}"
    for number, artifact in enumerate((template.get("inputs") or {}).get("artifacts") or ()):
        where = artifact.get("path")
        if where in taken:
            validation.fail(
                f"{path}.inputs.artifacts[{number}].path",
                f"templates.{name}.inputs.artifacts[{number}].path '{where}' already mounted in {taken[where]}",
            )
        taken[where] = f"inputs.artifacts.{artifact.get('name')}"


def _container_set(validation: Validation, path: str, template: Mapping[str, Any]) -> None:
    label = f"templates.{template.get('name')}.containerSet."
    containers = template["containerSet"].get("containers") or ()
    where = f"{path}.containerSet.containers"
    if not containers:
        validation.fail(where, f"{label}containers must have at least one container")
        return
    for number, message in names.check_list(containers, names.bad_field):
        validation.fail(f"{where}[{number}].name", f"{label}containers{message}")
    known = [container.get("name") for container in containers]
    for number, container in enumerate(containers):
        for needed in container.get("dependencies") or ():
            if needed not in known:
                validation.fail(
                    f"{where}[{number}].dependencies",
                    f"{label}containers.{container.get('name')} dependency '{needed}' not defined",
                )
        if container.get("name") in _RESERVED:
            validation.fail(
                f"{where}[{number}].name", f'{label}containers: "{container["name"]}" is a reserved Argo container name'
            )
    if len(set(known)) == len(known) and tasks.in_order(containers)[1] == "graph with cycle":
        validation.fail(where, f"{label}containers dependency cycle detected")
    given, out = template.get("inputs") or {}, template.get("outputs") or {}
    if (given.get("artifacts") or out.get("parameters") or out.get("artifacts")) and "main" not in known:
        validation.fail(where, f'{label}containers must have a container named "main" for input or output')
