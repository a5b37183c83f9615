"""What Argo takes but cannot read once it runs: conditions, expressions, `depends`, lists of loops.

None of it is refused (Argo does not either): the branch may never be reached. What a tag brings is not known here, so
whatever could be right with some value is left alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from .. import parts
from ..language import LanguageError, conditions, durations, expressions, tags
from ..language.gotext import go_int
from ..operate import loops
from . import support
from .fault import Fault

_STAND_INS = ("1", "x", "true", "==", "")  # what a tag of a condition may turn into
_MOST_TAGS = 4  # of a condition whose tags are all tried
DOUBTFUL = "doubtful"


def doubts(spec: Mapping[str, Any], path: str = "spec") -> Iterator[Fault]:
    """Everything in a spec whose types are right that will fail when it is run."""
    yield from _tags(spec, path)
    yield from _hooks(spec, path)
    yield from _retries(spec, path)
    for where, template in parts.templates(spec, path):
        yield from _retries(template, where)
        yield from _attempts((template.get("containerSet") or {}).get("retryStrategy"), where)
        yield from _outputs(template, where)
        for place, call in parts.calls(template, where):
            yield from _call(call, place)
        for number, task in enumerate((template.get("dag") or {}).get("tasks") or ()):
            if task.get("depends"):
                yield from _depends(task, f"{where}.dag.tasks[{number}].depends")


def _doubt(path: str, message: object) -> Fault:
    first = str(message).split("\n", 1)[0]  # expr-lang draws the place below it
    return Fault(path=path, message=f"fails when it runs: {first}", by="controller", kind=DOUBTFUL)


def _said(path: str, look: Callable[[], object]) -> Iterator[Fault]:
    try:
        look()
    except LanguageError as error:
        yield _doubt(path, error)


def _tags(value: Any, path: str) -> Iterator[Fault]:
    """The expressions `{{=…}}` of all texts below a value."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _tags(item, f"{path}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _tags(item, f"{path}[{number}]")
    elif isinstance(value, str) and "{{=" in value:
        try:
            found = tags.parse(value)[1::2]
        except LanguageError:  # said of the whole template, in Argo's words
            return
        for tag in found:
            if tag.startswith("="):
                for fault in _said(path, partial(expressions.check, tag[1:])):
                    words = fault.message.partition(": ")[2]
                    yield _doubt(path, f"{{{{{tag}}}}}: {words}")


def _expression(holder: Mapping[str, Any], key: str, path: str) -> Iterator[Fault]:
    source = holder.get(key)
    if isinstance(source, str) and source and "{{" not in source:
        yield from _said(f"{path}.{key}", partial(expressions.check, source))


def _hooks(holder: Mapping[str, Any], path: str) -> Iterator[Fault]:
    for name, hook in (holder.get("hooks") or {}).items():
        yield from _expression(hook, "expression", f"{path}.hooks.{name}")


def _retries(holder: Mapping[str, Any], path: str) -> Iterator[Fault]:
    if holder.get("retryStrategy"):
        yield from _expression(holder["retryStrategy"], "expression", f"{path}.retryStrategy")


def _attempts(strategy: Mapping[str, Any] | None, path: str) -> Iterator[Fault]:
    """Of a set's containers: `retries` counts all attempts, and a wrong duration ends each before it starts."""
    if not strategy or strategy.get("retries") is None:
        return
    where, retries = f"{path}.containerSet.retryStrategy", str(strategy["retries"])
    if "{{" not in retries and (go_int(retries) or 0) < 1:
        none = f"starts no program of this set, which then has succeeded: {retries!r} is the number of attempts"
        yield Fault(path=f"{where}.retries", message=none, by="controller", kind=DOUBTFUL)
    pause = strategy.get("duration") or ""
    if pause and "{{" not in pause:
        yield from _said(f"{where}.duration", partial(durations.go, pause))


def _outputs(template: Mapping[str, Any], path: str) -> Iterator[Fault]:
    outputs = template.get("outputs") or {}
    for number, parameter in enumerate(outputs.get("parameters") or ()):
        origin = f"{path}.outputs.parameters[{number}].valueFrom"
        yield from _expression(parameter.get("valueFrom") or {}, "expression", origin)
    for number, artifact in enumerate(outputs.get("artifacts") or ()):
        yield from _expression(artifact, "fromExpression", f"{path}.outputs.artifacts[{number}]")


def _call(call: Mapping[str, Any], path: str) -> Iterator[Fault]:
    yield from _hooks(call, path)
    if call.get("when"):
        yield from _condition(call["when"], f"{path}.when")
    too_long = support.length(call.get("withSequence") or {}) > loops.MAX_ITEMS  # which is told by `support`
    for key in ("withParam", "withSequence"):
        if call.get(key) and "{{" not in str(call[key]) and not (key == "withSequence" and too_long):
            yield from _said(f"{path}.{key}", partial(loops.expand, {"name": "", key: call[key]}, {}))
    for number, parameter in enumerate((call.get("arguments") or {}).get("parameters") or ()):
        origin = f"{path}.arguments.parameters[{number}].valueFrom"
        yield from _expression(parameter.get("valueFrom") or {}, "expression", origin)


def _condition(text: str, path: str) -> Iterator[Fault]:
    """A `when`: it fails whatever its tags turn into."""
    try:
        pieces = tags.parse(text)
    except LanguageError as error:
        yield _doubt(path, error)
        return
    holes = len(pieces) // 2
    choices = itertools.product(_STAND_INS, repeat=holes) if holes <= _MOST_TAGS else [(w,) * holes for w in _STAND_INS]
    said: list[LanguageError] = []
    for words in choices:
        filled = "".join(piece for pair in itertools.zip_longest(pieces[::2], words, fillvalue="") for piece in pair)
        try:
            conditions.evaluate(filled)
            return
        except LanguageError as error:
            if holes and not str(error).startswith("Invalid"):  # it can be read; other values may do
                return
            said.append(error)
    yield _doubt(path, said[0])


def _depends(task: Mapping[str, Any], path: str) -> Iterator[Fault]:
    try:
        # As it is evaluated, but for bare names, which are written out.
        expressions.check(task["depends"].replace("-", "_"))
    except LanguageError as error:
        yield _doubt(path, f"unable to evaluate expression '{task['depends']}': {error}")
