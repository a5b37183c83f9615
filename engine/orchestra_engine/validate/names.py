"""Names in a manifest: what they may look like, and which tags may be used where."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from orchestra_engine.language import LanguageError, tags
from orchestra_engine.language.expr.parser import identifiers

_PARAMETER = re.compile(r"[-a-zA-Z0-9_]+")
_FIELD = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_TAG = re.compile(r"{{[-a-zA-Z0-9]+(\.[-a-zA-Z0-9_]+)*}}")
_CHECKED = ("item.", "steps.", "inputs.", "outputs.", "pod.", "workflow.", "tasks.")
_RUNTIME = ("outputs.", "workflow.creationTimestamp", "workflow.scheduledTime", "workflow.duration")
_EXACT_RUNTIME = ("tasks.name", "steps.name", "node.name")
_MOST = 128
ANY_ITEM, ANY_PARAMETER, ANY_ARTIFACT = "item.*", "workflow.outputs.parameters.*", "workflow.outputs.artifacts.*"


def has_tag(text: str) -> bool:
    """Whether a text holds a simple tag, so that its value is known at run time only."""
    return _TAG.search(text) is not None


def filled(value: Any, values: Mapping[str, str]) -> Any:
    """A value (any JSON) with what is known before the workflow runs put in; as it is if its tags are broken."""
    text = json.dumps(value, ensure_ascii=False)
    if "{{" not in text or not values:
        return value
    try:
        return json.loads(tags.replace(text, values))
    except ValueError:
        return value


def settled(name: str, known: Collection[str]) -> str:
    """A name with `x` for each tag that will have a value; a tag that will not stays, and makes the name a bad one."""

    def stands(tag: re.Match[str]) -> str:
        if tag[1][:1] != "=":
            return "x" if tag[1] in known else tag[0]
        try:
            needed = [name for name in identifiers(tag[1][1:]) if "." in name]
        except LanguageError:
            return tag[0]
        return "x" if all(name in known or name.startswith("sprig.") for name in needed) else tag[0]

    return re.sub(r"{{\s*([^{}]*?)\s*}}", stands, name)


def bad_parameter(name: str) -> str:
    """What is wrong with the name of a parameter or artifact, in Argo's words; empty if nothing is."""
    if _PARAMETER.fullmatch(name):
        return ""
    return "Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-' e.g. my_param_1, MY-PARAM-1"


def bad_field(name: str) -> str:
    """What is wrong with the name of a template, step, task or container, in Argo's words; empty if nothing is."""
    found = []
    if len(name) > _MOST:
        found.append(f"must be no more than {_MOST} characters")
    if not _FIELD.fullmatch(name):
        found.append(
            "name must consist of alpha-numeric characters or '-', and must start with an alpha-numeric character "
            "(e.g. My-name1-2, 123-NAME)"
        )
    return ";".join(found)


def check_list(items: Iterable[Mapping[str, Any]], bad: Callable[[str], str]) -> list[tuple[int, str]]:
    """Names that are missing, badly formed or used twice: (index, Argo's message without the list's own path)."""
    found, seen = [], set()
    for number, item in enumerate(items):
        name = item.get("name") or ""
        if not name:
            found.append((number, f"[{number}].name is required"))
        elif wrong := bad(name):
            found.append((number, f"[{number}].name: '{name}' is invalid: {wrong}"))
        elif name in seen:
            found.append((number, f"[{number}].name '{name}' is not unique"))
        seen.add(name)
    return found


def unresolved(value: Any, scope: Mapping[str, Any] | set[str], known: set[str]) -> list[str]:
    """Argo's messages on the tags of a value (any JSON) that nothing in scope or among the globals will replace."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    if "{{" not in text:
        return []
    try:
        found = tags.names(text)
    except LanguageError as error:
        return [str(error)]
    messages = []
    for tag in found:
        name = tag.strip()
        if name.startswith(_CHECKED) and name not in scope and name not in known and not _later(name, scope, known):
            messages.append(f"failed to resolve {{{{{tag}}}}}")
    return list(dict.fromkeys(messages))


def _later(name: str, scope: Mapping[str, Any] | set[str], known: set[str]) -> bool:
    def allowed(prefix: str, mark: str) -> bool:
        return name.startswith(prefix) and (mark in scope or mark in known)

    return (
        name.startswith(_RUNTIME)
        or name.startswith(_EXACT_RUNTIME)
        or allowed("item.", ANY_ITEM)
        or allowed("workflow.outputs.parameters.", ANY_PARAMETER)
        or allowed("workflow.outputs.artifacts.", ANY_ARTIFACT)
    )
