"""Arguments: their names, values, sources and enums, as Argo's controller checks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestra_engine.operate.templates import has_location
from orchestra_engine.validate import names
from orchestra_engine.validate.faults import InvalidSpec

_ONLY = "valueFrom only allows: default, configMapKeyRef and supplied"


def check(prefix: str, arguments: Mapping[str, Any], path: str, *, allow_empty: bool = False) -> None:
    """The arguments of the workflow, a step or a task; `prefix` begins the messages.

    Raises InvalidSpec.
    """
    for kind in ("parameters", "artifacts"):
        try:
            names.check_parameters(arguments.get(kind) or [], f"{path}.{kind}")
        except InvalidSpec as error:
            raise InvalidSpec(f"{prefix}{kind}{error.message}", error.path) from None
    for index, parameter in enumerate(arguments.get("parameters") or []):
        _parameter(f"{prefix}{parameter['name']}", parameter, f"{path}.parameters[{index}]", allow_empty)
    for index, artifact in enumerate(arguments.get("artifacts") or []):
        where = f"{path}.artifacts[{index}]"
        if not artifact.get("from") and not artifact.get("fromExpression") and not has_location(artifact):
            raise InvalidSpec(f"{prefix}{artifact['name']}.from, artifact location, or key is required", where)
        if artifact.get("from") and artifact.get("fromExpression"):
            raise InvalidSpec(
                f"{prefix}{artifact['name']} shouldn't have both `from` and `fromExpression` in Artifact", where
            )


def _parameter(name: str, parameter: Mapping[str, Any], path: str, allow_empty: bool) -> None:
    source, value, enum = parameter.get("valueFrom"), parameter.get("value"), parameter.get("enum")
    if source is None and value is None and not allow_empty:
        raise InvalidSpec(f"{name}.value or {name}.valueFrom is required", path)
    if source is not None:
        if "configMapKeyRef" not in source and not source.get("event") and "supplied" not in source:
            raise InvalidSpec(f"{name}.{_ONLY}", f"{path}.valueFrom")
        if any(source.get(k) for k in ("path", "jsonPath", "parameter", "expression")):
            raise InvalidSpec(f"{name}.{_ONLY}", f"{path}.valueFrom")
    if enum is None:
        return
    if not enum:
        raise InvalidSpec(f"{name}.enum should contain at least one value", f"{path}.enum")
    if value is None and not allow_empty:
        raise InvalidSpec(f"{name}.value is required", path)
    if value is not None and value not in enum:
        raise InvalidSpec(f"{name}.value should be present in {name}.enum list", f"{path}.value")
