"""Names of templates, steps, tasks, parameters and artifacts, as Argo's controller checks them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from orchestra_engine.language.tags import PLACEHOLDER
from orchestra_engine.validate.faults import InvalidSpec

_FIELD = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_PARAMETER = re.compile(r"[-a-zA-Z0-9_]+")
_PLACEHOLDER = re.compile(re.escape(PLACEHOLDER) + r"\d+")
_FIELD_RULE = (
    "name must consist of alpha-numeric characters or '-', and must start with an alpha-numeric character "
    "(e.g. My-name1-2, 123-NAME)"
)
_PARAMETER_RULE = (
    "Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-' e.g. my_param_1, MY-PARAM-1"
)
_MAX_FIELD = 128


def field_faults(name: str) -> str:
    """Why a text is no name of a template, step or task; empty if it is one."""
    found = []
    if len(name) > _MAX_FIELD:
        found.append(f"must be no more than {_MAX_FIELD} characters")
    if not _FIELD.fullmatch(name):
        found.append(_FIELD_RULE)
    return ";".join(found)


def step_faults(name: str) -> str:
    """As `field_faults`, for a name in which placeholders stand for what is not known yet."""
    return field_faults(_PLACEHOLDER.sub("x", name))


def parameter_faults(name: str) -> str:
    """Why a text is no name of a parameter or artifact; empty if it is one."""
    return "" if _PARAMETER.fullmatch(name) else _PARAMETER_RULE


def check(items: Sequence[Any], path: str, *, parameters: bool = False) -> None:
    """Names have to be there, valid and unique.

    Raises InvalidSpec, its message beginning with `[INDEX].name`.
    """
    seen: set[str] = set()
    for index, item in enumerate(items):
        name = item.get("name") or ""
        where = f"{path}[{index}].name"
        if not name:
            raise InvalidSpec(f"[{index}].name is required", where)
        wrong = parameter_faults(name) if parameters else field_faults(name)
        if wrong:
            raise InvalidSpec(f"[{index}].name: '{name}' is invalid: {wrong}", where)
        if name in seen:
            raise InvalidSpec(f"[{index}].name '{name}' is not unique", where)
        seen.add(name)


def check_parameters(items: Sequence[Any], path: str) -> None:
    """As `check`, for parameters and artifacts."""
    check(items, path, parameters=True)
