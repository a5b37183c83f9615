"""Tags that have to lead somewhere: which names a template's tags may use."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from orchestra_engine.language import LanguageError, tags
from orchestra_engine.validate.faults import InvalidSpec

ANY_ITEM = "item.*"
ANY_PARAMETER = "workflow.outputs.parameters.*"
ANY_ARTIFACT = "workflow.outputs.artifacts.*"
_ROOTS = ("item.", "steps.", "inputs.", "outputs.", "pod.", "workflow.", "tasks.")
_RUNTIME = (
    "outputs.",
    "workflow.creationTimestamp",
    "workflow.scheduledTime",
    "workflow.duration",
    "tasks.name",
    "steps.name",
    "node.name",
)
_PARAMETER = re.compile(r"{{[-a-zA-Z0-9]+(\.[-a-zA-Z0-9_]+)*}}")


def is_parameter(text: str) -> bool:
    """Whether a text holds a simple tag."""
    return _PARAMETER.search(text) is not None


def placeholder(index: int) -> str:
    """A stand-in for a value that is not known before the workflow runs."""
    return f"{tags.PLACEHOLDER}{index}"


def check(value: Any, known: Collection[str], path: str, *, template_alone: bool = False) -> None:
    """Every simple tag in a value (its JSON) has to be among the known names.

    Raises InvalidSpec "failed to resolve {{…}}". Expressions are not looked at, as in Argo.
    """
    try:
        found = tags.names(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    except LanguageError as error:
        raise InvalidSpec(str(error), path) from None
    for tag in found:
        name = tag.strip()
        if not name.startswith(_ROOTS) or name in known or _allowed(name, known, template_alone):
            continue
        raise InvalidSpec(f"failed to resolve {{{{{_unescaped(tag)}}}}}", path)


def _unescaped(tag: str) -> str:
    return tag.replace('\\"', '"')


def _allowed(name: str, known: Collection[str], template_alone: bool) -> bool:
    if (name == "item" or name.startswith("item.")) and ANY_ITEM in known:
        return True
    if name.startswith("workflow.outputs.parameters.") and ANY_PARAMETER in known:
        return True
    if name.startswith("workflow.outputs.artifacts.") and ANY_ARTIFACT in known:
        return True
    return name.startswith(_RUNTIME) or (template_alone and name.startswith("workflow.parameters"))
