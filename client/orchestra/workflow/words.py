"""Words for the parts of a manifest, as `orchestra workflow explain` says them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from orchestra.workflow.folder import Json

_WIDTH = 100  # characters of a value that are shown
_LOOPS = ("withItems", "withParam", "withSequence")
_LIMITS = "orchestra/limit-"


def programs(template: Mapping[str, Any]) -> list[Json]:
    """The containers of a template."""
    inside = (template.get("containerSet") or {}).get("containers") or ()
    return [one for one in (template.get("container"), template.get("script"), *inside) if one]


def name_of(holder: Mapping[str, Any]) -> str:
    """What a step, a task or a hook runs: the template's name."""
    if holder.get("inline"):
        return "inline"
    reference = holder.get("templateRef")
    return f"{reference.get('name')}/{reference.get('template')}" if reference else str(holder.get("template") or "")


def in_order(dag: Mapping[str, Any]) -> list[Json]:
    """The tasks of a dag, each after those that it depends on."""
    from orchestra_engine.operate.depends import plan

    found = plan(dag)
    return [found.tasks[name] for name in found.order]


def of_part(part: Mapping[str, Any]) -> str:
    """How a step or task comes to run: after what, when, how often, with which arguments."""
    found = []
    if part.get("depends") or part.get("dependencies"):
        found.append(f"after {part.get('depends') or ', '.join(part['dependencies'])}")
    if part.get("when"):
        found.append(f"when {short(part['when'])}")
    found += [_loop(kind, part[kind]) for kind in _LOOPS if part.get(kind) is not None]
    forgiven = [word for word, yes in (part.get("continueOn") or {}).items() if yes]
    if forgiven:
        found.append(f"going on if {' or '.join(forgiven)}")
    arguments = part.get("arguments") or {}
    given = [f"{one['name']}{value(one)}" for one in arguments.get("parameters") or ()]
    given += [f"{one['name']} = {_origin(one)}" for one in arguments.get("artifacts") or ()]
    if given:
        found.append(f"with {', '.join(given)}")
    return f"  {'; '.join(found)}" if found else ""


def _loop(kind: str, value: Any) -> str:
    if kind == "withItems":
        return (
            f"for each of {len(value)} item{'' if len(value) == 1 else 's'} ({short(', '.join(map(_json, value)), 40)})"
        )
    if kind == "withParam":
        return f"for each of {short(str(value))}"
    if value.get("count") is not None:
        return "once" if str(value["count"]) == "1" else f"{value['count']} times"
    return f"from {value.get('start') or 0} to {value.get('end')}"


def hooks(part: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    """The hooks of a step or task: (when it runs, hook)."""
    for name, hook in sorted((part.get("hooks") or {}).items()):
        yield f"hook {name}" + (f" (when {hook['expression']})" if hook.get("expression") else ""), hook
    if part.get("onExit"):
        yield "at its end", {"template": part["onExit"]}


def strategy(template: Mapping[str, Any]) -> str:
    """How often a template is tried, how many at a time, what it holds; empty if nothing is said."""
    keys = ("retryStrategy", "synchronization", "parallelism")
    found = [policy(key, template[key]) for key in keys if template.get(key) is not None]
    return f"  [{'; '.join(found)}]" if found else ""


def policy(key: str, value: Any) -> str:
    """A field about retries, locks or numbers, in words."""
    if key == "retryStrategy":
        limit = value.get("limit")
        policy = f" {value['retryPolicy']}" if value.get("retryPolicy") else ""
        return f"retried{policy}{_times(limit)}"
    if key == "synchronization":
        names = [f"mutex {one['name']}" for one in value.get("mutexes") or ()]
        references = [one.get("configMapKeyRef") or {} for one in value.get("semaphores") or ()]
        names += [f"semaphore {one.get('name')}/{one.get('key')}" for one in references]
        return ", ".join(names)
    return f"at most {value} at a time" if key == "parallelism" and isinstance(value, int) else str(value)


def _times(limit: Any) -> str:
    if limit is None:
        return " without end"
    return " once" if str(limit) == "1" else f" up to {limit} times"


def inputs(template: Mapping[str, Any]) -> Iterator[str]:
    """What a template is given, a line each."""
    inputs = template.get("inputs") or {}
    for parameter in inputs.get("parameters") or ():
        yield f"parameter   {parameter['name']}{value(parameter)}"
    for artifact in inputs.get("artifacts") or ():
        optional = ", if there is one" if artifact.get("optional") else ""
        yield f"file        {artifact.get('path')}: {artifact['name']}{optional} ({_origin(artifact)})"


def outputs(template: Mapping[str, Any]) -> Iterator[str]:
    """What a template gives out, a line each."""
    outputs = template.get("outputs") or {}
    for parameter in outputs.get("parameters") or ():
        yield f"gives       {parameter['name']}{value(parameter)}"
    for artifact in outputs.get("artifacts") or ():
        key = (artifact.get("s3") or {}).get("key")
        where = f", kept as {key}" if key else ""
        yield f"gives       {artifact['name']}: the file or folder {artifact.get('path')}{where}"


def limits(template: Mapping[str, Any]) -> Iterator[str]:
    """What a template's programs may use, in one line or none."""
    found = []
    for container in programs(template):
        for name, value in ((container.get("resources") or {}).get("limits") or {}).items():
            found.append(f"{name} {value}")
    for key, words in (("activeDeadlineSeconds", "{} s"), ("timeout", "{}")):
        if template.get(key) is not None:
            found.append(f"time {words.format(template[key])}")
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    found += [f"{key.removeprefix(_LIMITS)} {value}" for key, value in annotations.items() if key.startswith(_LIMITS)]
    if found:
        yield f"limits      {', '.join(found)}"


def value(parameter: Mapping[str, Any], missing: str = "") -> str:
    """A parameter's value, or where it comes from."""
    if parameter.get("value") is not None:
        return f" = {short(str(parameter['value']))}"
    origin = source(parameter.get("valueFrom"))
    if origin:
        return f" = {origin}"
    if parameter.get("default") is not None:
        return f" (else {short(str(parameter['default']))})"
    return f" ({missing})" if missing else ""


def source(given: Mapping[str, Any] | None) -> str:
    """Where a value comes from, in words; empty if nowhere."""
    for key, value in (given or {}).items():
        match key:
            case "configMapKeyRef" | "secretKeyRef":
                return f"{value.get('key')} of the {key[:-6]} {value.get('name')}"
            case "path":
                return f"the text of the file {value}"
            case "parameter" | "expression":
                return short(str(value))
            case "supplied":
                return "supplied by `orchestra workflow resume`"
    return ""


def _origin(artifact: Mapping[str, Any]) -> str:
    if artifact.get("raw"):
        return f"the text {short(_json(artifact['raw'].get('data') or ''), 40)}"
    if (artifact.get("s3") or {}).get("key"):
        return f"the object {artifact['s3']['key']}"
    return str(artifact.get("from") or artifact.get("fromExpression") or "from its caller")


def duration(value: Any) -> str:
    """A duration with its unit."""
    return f"{value} s" if str(value).isdigit() else str(value)


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def quoted(word: str) -> str:
    """A word of a command line, so that its end can be seen."""
    return (
        word
        if word and not any(letter in word for letter in " \t\n\"'$;&|<>")
        else json.dumps(word, ensure_ascii=False)
    )


def short(text: str, width: int = _WIDTH) -> str:
    """A text in one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"
