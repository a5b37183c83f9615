"""What stands for the cluster's objects: files below the root.

`configmaps/*.yaml` (or .yml, .json) hold ConfigMap manifests, several in a file if need be; `secrets/` holds Secrets
and `workflowtemplates/` WorkflowTemplates likewise. A ConfigMap that the engine itself writes (a memoization cache) is
`configmaps/NAME.json`; of two of one name that of a .json file counts. What is no such object is left out, and logged.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .store import write_atomically

log = logging.getLogger(__name__)

_SUFFIXES = (".yaml", ".yml", ".json")


class Cluster:
    """The objects below one root; files are read again when they change."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read: dict[str, tuple[object, dict[str, dict[str, Any]]]] = {}

    def configmaps(self) -> Mapping[str, dict[str, Any]]:
        """ConfigMaps by name."""
        return self._objects("configmaps", "ConfigMap")

    def secrets(self) -> list[str]:
        """The names of the Secrets."""
        return list(self._objects("secrets", "Secret"))

    def secret_values(self) -> Mapping[str, Mapping[str, str]]:
        """The data of the Secrets by name, decoded; what is no base64 or no UTF-8 is left out."""
        return {name: _decoded(secret) for name, secret in self._objects("secrets", "Secret").items()}

    def workflow_templates(self) -> Mapping[str, dict[str, Any]]:
        """WorkflowTemplates by name."""
        return self._objects("workflowtemplates", "WorkflowTemplate")

    def write_entries(self, writes: Iterable[Mapping[str, Any]]) -> None:
        """Carry out a decision's `configmap_writes`: {name, labels, key, value} each; what cannot be kept is logged."""
        changed: dict[str, dict[str, Any]] = {}
        for each in writes:
            name = each["name"]
            found = changed.get(name) or self.configmaps().get(name) or {"metadata": {"labels": each["labels"]}}
            changed[name] = {**found, "data": {**(found.get("data") or {}), each["key"]: each["value"]}}
        for name, content in changed.items():
            try:
                self.write_configmap(name, content)
            except (OSError, ValueError) as error:
                log.warning("the cache %s cannot be written, its nodes will run again: %s", name, error)

    def write_configmap(self, name: str, content: Mapping[str, Any]) -> None:
        """Replace or make a ConfigMap. Raises OSError; ValueError for a name that would lead out of the folder."""
        if not name or "/" in name or "\0" in name or name.startswith("."):
            raise ValueError(f"{name!r} is no name of a ConfigMap")
        folder = self.root / "configmaps"
        folder.mkdir(exist_ok=True)
        whole = {"apiVersion": "v1", "kind": "ConfigMap", **content}
        whole["metadata"] = {**(content.get("metadata") or {}), "name": name}
        write_atomically(folder / f"{name}.json", json.dumps(whole, ensure_ascii=False, indent=1).encode(), sync=False)
        self._read.pop("configmaps", None)

    def _objects(self, folder: str, kind: str) -> dict[str, dict[str, Any]]:
        stamp = _stamp(self.root / folder)
        known = self._read.get(folder)
        if known is None or known[0] != stamp:
            found = {}
            for name, *_ in stamp:
                for each in _readable(self.root / folder / name, kind):
                    found[str(each["metadata"]["name"])] = each
            self._read[folder] = known = (stamp, found)
        return known[1]


def _stamp(folder: Path) -> list[tuple[str, int, int]]:
    """The files of a folder, those that the engine writes last, and what tells that one has changed."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.endswith(_SUFFIXES):
                with contextlib.suppress(OSError):
                    about = entry.stat()
                    found.append((entry.name, about.st_mtime_ns, about.st_size))
    return sorted(found, key=lambda each: (each[0].endswith(".json"), each[0]))


def _readable(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    """The objects of a kind in a file; one that is broken must not keep all workflows from running."""
    try:
        documents = _documents(path)
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s is left out: it cannot be read: %s", path, " ".join(str(error).split()))
        return
    for each in documents:
        if isinstance(each, dict) and each.get("kind", kind) == kind:
            fault = _fault(each)
            if fault:
                log.warning("%s is left out: %s", path, fault)
            else:
                yield each


def _fault(each: Mapping[str, Any]) -> str:
    metadata = each.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("name"):
        return "metadata.name is missing"
    for field in ("data", "stringData", "spec"):
        if each.get(field) is not None and not isinstance(each[field], dict):
            return f"{field} has to be a mapping"
    if not isinstance(metadata.get("labels") or {}, dict):
        return "metadata.labels has to be a mapping"
    return ""


def _decoded(secret: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in (secret.get("data") or {}).items():
        with contextlib.suppress(ValueError):
            found[key] = base64.b64decode(str(value), validate=True).decode()
    return found | {key: str(value) for key, value in (secret.get("stringData") or {}).items()}


def _documents(path: Path) -> list[Any]:
    if path.suffix == ".json":
        return [json.loads(path.read_bytes())]
    import yaml

    try:
        return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
