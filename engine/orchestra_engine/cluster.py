"""What stands for the cluster's objects: files below the root.

`configmaps/*.yaml` (or .yml, .json) hold ConfigMap manifests, several in a file if need be; `secrets/` holds Secrets
and `workflowtemplates/` WorkflowTemplates likewise. A ConfigMap that the engine itself writes (a memoization cache) is
`configmaps/NAME.json`.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .store import write_atomically

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
        """Carry out a decision's `configmap_writes`: {name, labels, key, value} each."""
        changed: dict[str, dict[str, Any]] = {}
        for each in writes:
            name = each["name"]
            found = changed.get(name) or self.configmaps().get(name) or {"metadata": {"labels": each["labels"]}}
            changed[name] = {**found, "data": {**(found.get("data") or {}), each["key"]: each["value"]}}
        for name, content in changed.items():
            self.write_configmap(name, content)

    def write_configmap(self, name: str, content: Mapping[str, Any]) -> None:
        """Replace or make a ConfigMap."""
        folder = self.root / "configmaps"
        folder.mkdir(exist_ok=True)
        whole = {"apiVersion": "v1", "kind": "ConfigMap", **content}
        whole["metadata"] = {**(content.get("metadata") or {}), "name": name}
        write_atomically(folder / f"{name}.json", json.dumps(whole, ensure_ascii=False, indent=1).encode(), sync=False)
        self._read.pop("configmaps", None)

    def _objects(self, folder: str, kind: str) -> dict[str, dict[str, Any]]:
        try:
            files = sorted(path for path in (self.root / folder).iterdir() if path.suffix in _SUFFIXES)
        except FileNotFoundError:
            return {}
        stamp = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files]
        known = self._read.get(folder)
        if known is None or known[0] != stamp:
            found = {}
            for path in files:
                for each in _documents(path):
                    if (
                        isinstance(each, dict)
                        and each.get("kind", kind) == kind
                        and (each.get("metadata") or {}).get("name")
                    ):
                        found[str(each["metadata"]["name"])] = each
            self._read[folder] = known = (stamp, found)
        return known[1]


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

    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
