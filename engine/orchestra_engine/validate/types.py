"""Argo's types: unknown fields, wrong types, what the CRDs demand of values. The API server refuses these.

The schema is `argo_types.json`, written by `script/write-argo-types`; only the words that occur in it are understood
here, which is ten times faster than a general validator and lets messages name the field as the API server does.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from .. import parts
from ..manifest import MAX_BYTES, MAX_VALUES
from ..workflow import bad_name
from .fault import Fault

_KINDS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}
_LEAVES = ("container", "containerSet", "script", "resource", "data", "http", "plugin", "suspend")
TEMPLATE_TYPES = (*_LEAVES, "steps", "dag")
_LOCATIONS = ("s3", "git", "http", "artifactory", "hdfs", "raw", "oss", "gcs", "azure", "plugin")
DIGITS = frozenset("0123456789")
MOST_FAULTS = 100
MOST_DEEP = 100  # values in values
_MOST_BITS = 1024  # of a whole number; no floating-point number is larger
_MOST_QUOTED = 40  # characters of a value that a hint repeats
_UNSPEAKABLE = re.compile("[\\0\ud800-\udfff\ufdd0\ufdd1]")


@cache
def definitions() -> dict[str, Any]:
    """The types by name, as JSON Schema."""
    text = resources.files(__package__).joinpath("argo_types.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)["$defs"]
    return found


@cache
def _matches(pattern: str) -> Callable[[str], Any]:
    return re.compile(pattern).search


def name_of(value: Any) -> str:
    """JSON's word for the type of a value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    words = {float: "number", str: "string", dict: "object", list: "array", type(None): "null"}
    return words.get(type(value), type(value).__name__)


def check(workflow: Mapping[str, Any], kind: str = "Workflow") -> list[Fault]:
    """All faults that the API server would find in an object of that kind, 100 at most.

    Kinds: Workflow, WorkflowTemplate, CronWorkflow.
    """
    faults: list[Fault] = []
    if workflow.get("apiVersion") != "argoproj.io/v1alpha1":
        faults.append(_fault("apiVersion", "has to be argoproj.io/v1alpha1"))
    if workflow.get("kind") != kind:
        faults.append(_fault("kind", f"has to be {kind}"))
    for fault in (*_walk(workflow, definitions()[kind], ""), *_named(workflow.get("metadata"))):
        faults.append(fault)
        if len(faults) >= MOST_FAULTS:
            faults.append(_fault("", f"more than {MOST_FAULTS} faults; the rest is left out"))
            return faults
    if not faults:
        faults += _rules(workflow)
    return faults


def _named(metadata: Any) -> Iterator[Fault]:
    """Names that no object can have."""
    for key in ("name", "generateName"):
        name = metadata.get(key) if isinstance(metadata, dict) else None
        if isinstance(name, str) and name:
            wrong = bad_name(name, prefix=key == "generateName")
            if wrong:
                yield _fault(f"metadata.{key}", f'Invalid value: "{name[:100]}": {wrong}')


def unspeakable(workflow: Any) -> Fault | None:
    """The first fault of what no manifest can say: too much, too deep, or what JSON or programs cannot be given."""
    if not isinstance(workflow, dict):
        return _fault("", f"has to be of type object, not {name_of(workflow)}")
    waiting: list[tuple[Any, str, int]] = [
        (inner, str(key), 1)
        for key, inner in workflow.items()
        if key != "status"  # which Argo stores elsewhere
    ]
    count = size = 0
    while waiting:
        item, path, depth = waiting.pop()
        count += 1
        size += len(item) if isinstance(item, str) else 1
        if count > MAX_VALUES or size > MAX_BYTES:
            return _fault("", f"has more than {MAX_VALUES} values or {MAX_BYTES} bytes (1.5 MiB)")
        if depth > MOST_DEEP:
            return _fault(path[:200], f"is nested more than {MOST_DEEP} deep")
        if message := _unsaid(item):
            return _fault(path, message)
        if isinstance(item, dict):
            waiting += [(inner, _join(path, str(key)), depth + 1) for key, inner in item.items()]
        elif isinstance(item, list):
            waiting += [(inner, f"{path}[{number}]", depth + 1) for number, inner in enumerate(item[: MAX_VALUES + 1])]
    return None


def _unsaid(item: Any) -> str:
    """Why a value, or a name in it, can be in no manifest; empty if it can."""
    for text in [item] if isinstance(item, str) else item if isinstance(item, dict) else ():
        if not isinstance(text, str):
            return f"has a name of type {name_of(text)}; names are text"
        if _UNSPEAKABLE.search(text):
            return "holds a NUL, half a surrogate pair or a noncharacter, which no program can be given"
    if isinstance(item, int) and item.bit_length() > _MOST_BITS:
        return f"is a number of more than {_MOST_BITS} bits"
    return ""


def _fault(path: str, message: str) -> Fault:
    return Fault(path=path, message=message, by="api-server")


def _walk(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[Fault]:
    while "$ref" in schema:
        found = definitions()[schema["$ref"].rpartition("/")[2]]
        extra = {key: item for key, item in schema.items() if key != "$ref"} if len(schema) > 1 else {}
        schema = {**found, **extra} if extra else found
    if "anyOf" in schema:
        yield from _any_of(value, schema["anyOf"], path)
        return
    kind = schema.get("type")
    if kind is None:
        return
    if not _KINDS[kind](value):
        yield _fault(path, f"has to be of type {kind}, not {name_of(value)}{_hint(value, kind, path)}")
    elif kind == "object":
        yield from _object(value, schema, path)
    elif kind == "array":
        yield from _array(value, schema, path)
    else:
        yield from _scalar(value, schema, path)


def _hint(value: Any, kind: str, path: str) -> str:
    if kind == "string" and isinstance(value, bool | int | float):
        return f' (write it in quotes: "{json.dumps(value)}")'
    if kind == "array" and isinstance(value, str):
        plain = len(value) <= _MOST_QUOTED and len(value.split()) == 1
        return f" (write it as a list: {json.dumps([value], ensure_ascii=False) if plain else '[a, b]'})"
    if kind == "array" and isinstance(value, dict):
        return f" (write {'one more' if path.endswith(']') else 'a'} - before it: it is a list)"
    return ""


def _any_of(value: Any, variants: list[Any], path: str) -> Iterator[Fault]:
    found = [list(_walk(value, variant, path)) for variant in variants]
    if all(found):
        kinds = [variant.get("type") for variant in variants]
        if any(_KINDS[kind](value) for kind in kinds if kind):
            yield found[[bool(kind and _KINDS[kind](value)) for kind in kinds].index(True)][0]
        else:
            yield _fault(path, f"has to be of type {' or '.join(map(str, kinds))}, not {name_of(value)}")


def _object(value: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> Iterator[Fault]:
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for key in schema.get("required", ()):
        if value.get(key) is None:
            yield _fault(_join(path, key), "is required")
    for key, item in value.items():
        where = _join(path, key)
        if item is None:  # null means absent
            continue
        if key in properties:
            yield from _walk(item, properties[key], where)
        elif others is False:
            yield _fault(where, _unknown(where, key, properties))
        elif isinstance(others, Mapping):
            yield from _walk(item, others, where)


def _unknown(path: str, key: str, properties: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(str(key), list(properties), n=1)
    return f'unknown field "{path}"' + (f", did you mean {near[0]}?" if near else "")


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _array(value: list[Any], schema: Mapping[str, Any], path: str) -> Iterator[Fault]:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if least is not None and len(value) < least:
        yield _fault(path, f"needs at least {least} item{'s' if least > 1 else ''}")
    if most is not None and len(value) > most:
        yield _fault(path, f"has {len(value)} items; Argo allows {most} at most")
    items = schema.get("items")
    if items is not None:
        for number, item in enumerate(value):
            yield from _walk(item, items, f"{path}[{number}]")


def _scalar(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[Fault]:
    allowed, pattern = schema.get("enum"), schema.get("pattern")
    if allowed is not None and value not in allowed:
        words = ", ".join(f'"{word}"' for word in allowed if word)
        yield _fault(path, f'Unsupported value: "{value}": supported values: {words}')
    if pattern is not None and not _matches(pattern)(value):
        yield _fault(path, f'Invalid value: "{value[:100]}": should match {pattern}')
    shortest, longest = schema.get("minLength"), schema.get("maxLength")
    if shortest is not None and len(value) < shortest:
        yield _fault(path, f"needs at least {shortest} character{'s' if shortest > 1 else ''}")
    if longest is not None and len(value) > longest:
        yield _fault(path, f"has {len(value)} characters; at most {longest} are allowed")
    for bound, wrong in (("minimum", lambda least: value < least), ("maximum", lambda most: value > most)):
        if bound in schema and wrong(schema[bound]):
            yield _fault(path, f"has to be {'at least' if bound == 'minimum' else 'at most'} {schema[bound]}")


def _rules(workflow: Mapping[str, Any]) -> Iterator[Fault]:
    """What the CRDs' CEL rules say, in their words."""
    for number, template in enumerate((workflow.get("spec") or {}).get("templates") or ()):
        path = f"spec.templates[{number}]"
        kinds = [kind for kind in TEMPLATE_TYPES if template.get(kind) is not None]
        if len(kinds) > 1:
            yield _fault(path, f"template must have at most one template type, not {' and '.join(kinds)}")
        if "steps" in kinds or "dag" in kinds:
            if template.get("activeDeadlineSeconds") is not None:
                yield _fault(f"{path}.activeDeadlineSeconds", "activeDeadlineSeconds is only valid for leaf templates")
            if template.get("timeout"):
                yield _fault(f"{path}.timeout", "timeout cannot be applied to steps or dag templates")
        yield from _locations(template, path)
        for where, step in parts.calls(template, path):
            yield from _step_rules(step, where)


def _step_rules(step: Mapping[str, Any], path: str) -> Iterator[Fault]:
    depends, dependencies = step.get("depends") is not None, step.get("dependencies") is not None
    if depends and dependencies:
        yield _fault(path, "cannot use both 'depends' and 'dependencies'")
    if depends and step.get("continueOn") is not None:
        yield _fault(path, "cannot use 'continueOn' when using 'depends'")
    if (depends or dependencies) and step["name"][:1] in DIGITS:
        yield _fault(f"{path}.name", "task name cannot begin with a digit when using 'depends' or 'dependencies'")
    sequence = step.get("withSequence") or {}
    if sequence.get("count") is not None and sequence.get("end") is not None:
        yield _fault(f"{path}.withSequence", "only one of count or end can be defined")


def _locations(template: Mapping[str, Any], path: str) -> Iterator[Fault]:
    for side in ("inputs", "outputs"):
        for number, artifact in enumerate((template.get(side) or {}).get("artifacts") or ()):
            if sum(artifact.get(name) is not None for name in _LOCATIONS) > 1:
                yield _fault(f"{path}.{side}.artifacts[{number}]", "at most one artifact location can be specified")
