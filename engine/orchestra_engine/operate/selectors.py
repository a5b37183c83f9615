"""Field selectors of nodes, as `--node-field-selector displayName=approve,phase!=Failed`.

Source: `fields.ParseSelector` of k8s.io/apimachinery, and `SelectorMatchesNode` of Argo Workflows 4.1.2 for the fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

FIELDS = ("name", "displayName", "id", "phase", "templateName", "templateRef.name", "templateRef.template")
_OPERATOR = re.compile(r"!=|==|=")
_TERM = re.compile(r"(?:\\.?|[^\\,])*", re.DOTALL)
_VALUE = re.compile(r"(?:\\[\\,=]|[^\\=])*", re.DOTALL)
_INPUT = re.compile(r"inputs\.parameters\..+\.value")

Node = Mapping[str, Any]


class BadSelector(ValueError):
    """A selector that cannot be read, or one for a field that no node has."""


def selected(nodes: Mapping[str, Node], selector: str) -> list[str]:
    """The ids of the nodes that a selector is right for; what a node has not counts as empty. Raises BadSelector."""
    terms = list(_terms(selector))
    return [ident for ident, node in nodes.items() if all(_holds(_fields(node), *term) for term in terms)]


def _holds(fields: Mapping[str, str], name: str, operator: str, value: str) -> bool:
    return (fields.get(name, "") == value) == (operator != "!=")


def _fields(node: Node) -> dict[str, str]:
    reference = node.get("templateRef") or {}
    found = {
        "name": str(node.get("name") or ""),
        "displayName": str(node.get("displayName") or ""),
        "id": str(node.get("id") or ""),
        "phase": str(node.get("phase") or ""),
        "templateName": str(reference.get("template") or node.get("templateName") or ""),
        "templateRef.name": str(reference.get("name") or ""),
        "templateRef.template": str(reference.get("template") or ""),
    }
    for parameter in (node.get("inputs") or {}).get("parameters") or ():
        found[f"inputs.parameters.{parameter['name']}.value"] = str(parameter.get("value") or "")
    return found


def _terms(selector: str) -> Iterator[tuple[str, str, str]]:
    """(field, operator, value) of each term; a backslash keeps `,`, `=` and itself from being read."""
    at = 0
    while at <= len(selector):
        found = _TERM.match(selector, at)
        term = found[0] if found else ""
        at += len(term) + 1
        if not term:
            continue
        operator = _OPERATOR.search(term)
        if operator is None:
            raise BadSelector(f"{term!r} is no selector: it has to be FIELD=VALUE or FIELD!=VALUE")
        name = term[: operator.start()]
        if name not in FIELDS and not _INPUT.fullmatch(name):
            raise BadSelector(
                f"{name!r} is no field of a node to select by: there are {', '.join(FIELDS)} and "
                "inputs.parameters.NAME.value"
            )
        yield name, operator[0], _unescaped(term[operator.end() :], term)
    if not selector.strip(","):
        raise BadSelector("the selector is empty: it has to be FIELD=VALUE")


def _unescaped(value: str, term: str) -> str:
    if not _VALUE.fullmatch(value):
        raise BadSelector(f"{term!r} is no selector: a '=' or '\\' in a value has to have a '\\' before it")
    return re.sub(r"\\(.)", r"\1", value)
