"""Memoized templates: entries of ConfigMaps, looked up when a node is made and written when it has succeeded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import LanguageError, durations, gojson
from orchestra_engine.operate.context import rfc3339, seconds_of
from orchestra_engine.workflow import bad_name

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation

_KEY = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_LABEL = "workflows.argoproj.io/configmap-type"


def look_up(op: Operation, memoize: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The memoization status of a new node, and, for a hit, the outputs of the entry.

    Raises LanguageError for a bad key, a ConfigMap that is no cache, a broken entry or a bad maxAge.
    """
    key, cache = memoize.get("key", ""), memoize["cache"]["configMap"]["name"]
    if not _KEY.fullmatch(key):
        raise LanguageError(f"invalid cache key: {key}")
    if bad_name(cache):
        raise LanguageError(f"invalid name of a cache's ConfigMap: {cache}")
    entry = _entry(op, cache, key)
    fresh = True
    if memoize.get("maxAge"):
        try:
            age = durations.go(memoize["maxAge"])
        except LanguageError as error:
            raise LanguageError(f"invalid maxAge: {error}") from None
        fresh = entry is not None and op.now - seconds_of(entry.get("creationTimestamp")) <= age
    hit = bool(entry and entry.get("nodeID") and fresh)
    if entry is not None:
        _write(op, cache, key, {**entry, "lastHitTimestamp": rfc3339(op.now)})
    return {"hit": hit, "key": key, "cacheName": cache}, (entry or {}).get("outputs") if hit else None


def _entry(op: Operation, cache: str, key: str) -> dict[str, Any] | None:
    for written in reversed(op.board.writes):
        if (written["name"], written["key"]) == (cache, key):
            return gojson.loads(written["value"])
    configmap = op.configmaps.get(cache)
    if configmap is None:
        return None
    label = ((configmap.get("metadata") or {}).get("labels") or {}).get(_LABEL)
    if label is None:
        raise LanguageError(f"memoization configmap doesn't have {_LABEL} label, refusing to use it")
    if label != "Cache":
        raise LanguageError(f"memoization configmap doesn't have label {_LABEL} = Cache, refusing to use it")
    text = (configmap.get("data") or {}).get(key)
    if not text:
        return None
    try:
        entry = gojson.loads(text)
    except LanguageError as error:
        raise LanguageError(f"malformed cache entry: could not unmarshal JSON; unable to parse: {error}") from None
    if not isinstance(entry, dict):
        raise LanguageError("malformed cache entry: could not unmarshal JSON; unable to parse: no object")
    _check(entry)
    return entry


def _check(entry: Mapping[str, Any]) -> None:
    """Raise LanguageError for an entry that a person has written and that is none."""
    try:
        seconds_of(entry.get("creationTimestamp"))
    except (TypeError, ValueError):
        raise LanguageError("malformed cache entry: creationTimestamp is no time") from None
    outputs = entry.get("outputs") or {}
    lists = [outputs.get(kind) or [] for kind in ("parameters", "artifacts")] if isinstance(outputs, dict) else [None]
    if not all(isinstance(each, list) and all(isinstance(item, dict) for item in each) for each in lists):
        raise LanguageError("malformed cache entry: outputs are no outputs")


def save(op: Operation, node: Mapping[str, Any]) -> None:
    """Write the entry of a memoized node that has succeeded by running."""
    status = node.get("memoizationStatus")
    if status is None or status["hit"] or node["phase"] != "Succeeded":
        return
    moment = rfc3339(op.now)
    entry = {
        "nodeID": node["id"],
        "outputs": node.get("outputs"),
        "creationTimestamp": moment,
        "lastHitTimestamp": moment,
    }
    _write(op, status["cacheName"], status["key"], entry)


def _write(op: Operation, cache: str, key: str, entry: Mapping[str, Any]) -> None:
    writes = op.board.writes
    writes[:] = [w for w in writes if (w["name"], w["key"]) != (cache, key)]
    writes.append({"name": cache, "labels": {_LABEL: "Cache"}, "key": key, "value": gojson.dumps(entry, sort=False)})
