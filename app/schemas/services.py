"""The Workflow manifests that executions are made from: those that ship with Orchestra, and saving new ones."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max

from app.schemas.models import Schema, SchemaVersion

FOLDER: Path = settings.BASE_DIR / "schemas"  # the manifests that ship with Orchestra
INPUTS = "orchestra/inputs"  # annotation: what is to be known of the arguments beyond their defaults, as JSON Schema
_MAX_BYTES = 2**20


class BadSchema(ValueError):
    """A text is not the manifest of a Workflow; says why."""


def load_shipped() -> list[SchemaVersion]:
    """Save every manifest of `schemas/` that is not the latest version already; returns the new versions."""
    loaded = []
    for path in sorted(FOLDER.glob("*.yaml")):
        version, created = save(path.stem, path.read_text(encoding="utf-8"), shipped=True)
        if created:
            loaded.append(version)
    return loaded


def current(name: str) -> SchemaVersion:
    """The latest version of a schema; raises `Schema.DoesNotExist`."""
    schema = Schema.objects.select_related("latest").filter(name=name).exclude(latest=None).first()
    if schema is None or schema.latest is None:
        raise Schema.DoesNotExist(
            f"there is no schema {name!r}; manage.py migrate loads those that ship with Orchestra"
        )
    schema.latest.schema = schema
    return schema.latest


def save(name: str, text: str, *, shipped: bool = False) -> tuple[SchemaVersion, bool]:
    """Make a text the latest version of a schema; a text that is so already changes nothing (False).

    Raises `BadSchema`.
    """
    manifest = _manifest(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    with transaction.atomic():
        schema = _locked(name, shipped=shipped)
        if schema.latest is not None and schema.latest.digest == digest:
            return schema.latest, False
        last = schema.versions.aggregate(last=Max("number"))["last"] or 0
        version = SchemaVersion.objects.create(
            schema=schema, number=last + 1, manifest=manifest, text=text, digest=digest, inputs=_inputs(manifest)
        )
        schema.latest = version
        schema.shipped = shipped
        schema.save(update_fields=["latest", "shipped"])
    return version, True


def _locked(name: str, *, shipped: bool) -> Schema:
    """The schema of that name, made if need be; its row is locked, so that versions are numbered one by one."""
    schemas = Schema.objects.select_for_update()
    if schema := schemas.filter(name=name).first():
        return schema
    try:
        with transaction.atomic():
            return Schema.objects.create(name=name, shipped=shipped)
    except IntegrityError:  # somebody else made it at the same time
        return schemas.get(name=name)


def _manifest(text: str) -> dict[str, Any]:
    if len(text) > _MAX_BYTES:
        raise BadSchema(f"the manifest is larger than {_MAX_BYTES} characters")
    try:
        manifest = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  (both are safe)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadSchema(f"the manifest is not YAML: {error}") from None
    if (
        not isinstance(manifest, dict)
        or manifest.get("kind") != "Workflow"
        or not isinstance(manifest.get("spec"), dict)
    ):
        raise BadSchema("the manifest is not a Workflow: it needs kind: Workflow and a spec")
    return manifest


def _inputs(manifest: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a manifest's arguments: each parameter is text, optional where it has a value."""
    parameters = (manifest["spec"].get("arguments") or {}).get("parameters") or []
    properties: dict[str, Any] = {}
    for parameter in parameters:
        one: dict[str, Any] = {"type": "string"}
        if parameter.get("value") is not None:
            one["default"] = str(parameter["value"])
        if parameter.get("description"):
            one["description"] = parameter["description"]
        if parameter.get("enum"):
            one["enum"] = [str(choice) for choice in parameter["enum"]]
        properties[parameter["name"]] = one
    for name, more in _annotated(manifest).items():
        properties[name] = properties.get(name, {}) | more
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": [name for name, one in properties.items() if "default" not in one],
        "additionalProperties": False,
    }


def _annotated(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the annotation says of single arguments."""
    text = ((manifest.get("metadata") or {}).get("annotations") or {}).get(INPUTS, "{}")
    try:
        found = json.loads(text)
    except (TypeError, ValueError) as error:
        raise BadSchema(f"the annotation {INPUTS} is not JSON: {error}") from None
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise BadSchema(f"the annotation {INPUTS} is not an object with a JSON Schema for each argument")
    return found
