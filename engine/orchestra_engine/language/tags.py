"""Tags: `{{name}}` and `{{=expression}}` in a text that is JSON, replaced as Argo's util/template does.

The text is the JSON of a template, a step or a task, so a value is escaped when it is put in. What a value brings along
is only seen by the next replacement (Argo replaces a template twice: first globals, then inputs).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from orchestra_engine.language import LanguageError, MissingVariable, Refused, expressions, gojson

_LATE = frozenset(
    (
        "item",
        "retries",
        "lastRetry.exitCode",
        "lastRetry.status",
        "lastRetry.duration",
        "lastRetry.message",
        "workflow.status",
        "workflow.failures",
    )
)
PLACEHOLDER = "__argo__internal__placeholder-"
_MAX_TEXT = 8 * 2**20


@lru_cache(maxsize=4096)
def parse(text: str) -> tuple[str, ...]:
    """Literal, tag, literal, tag, …, literal. A tag is what stands between `{{` and the next `}}`.

    Raises LanguageError if a `{{` is never closed.
    """
    parts: list[str] = []
    at = 0
    while (start := text.find("{{", at)) >= 0:
        end = text.find("}}", start + 2)
        if end < 0:
            near = text[start : start + 60]
            raise LanguageError(f'Cannot find end tag="}}}}" in the template starting from {gojson.quote(near)}')
        parts += (text[at:start], text[start + 2 : end])
        at = end + 2
    parts.append(text[at:])
    return tuple(parts)


def names(text: str) -> list[str]:
    """The simple tags of a text, as written (expressions left out)."""
    return [tag for tag in parse(text)[1::2] if not tag.startswith("=")]


@lru_cache(maxsize=4096)
def escape(value: str) -> str:
    """A value as it stands inside a JSON string."""
    return gojson.quote(value)[1:-1]


Strict = Callable[[str], bool]


def everything(_name: str) -> bool:
    """Every tag has to be resolved."""
    return True


def nodes_only(name: str) -> bool:
    """Tags that begin with `steps` or `tasks` have to be resolved."""
    return re.match(r"(?:steps|tasks)(?:\.|$)", name) is not None


class _Replacement:
    def __init__(self, values: Mapping[str, Any], strict: Strict | None, artifacts_later: bool) -> None:
        self.values, self.strict, self.artifacts_later = values, strict, artifacts_later
        self.env: dict[str, Any] | None = None

    def simple(self, tag: str) -> str:
        name = tag.strip()
        if name in self.values:
            value = self.values[name]
            if value is None:
                raise LanguageError(
                    f"unable to substitute {{{{{tag}}}}}: output is an absent optional "
                    "(skipped/omitted node with no default)"
                )
            if not isinstance(value, str):
                raise LanguageError(f"failed to resolve {{{{{tag}}}}} to string")
            return escape(value)
        inner = tag.rfind("{{")
        if inner > 0 and tag[inner + 2 :] in self.values:
            nested = self.values[tag[inner + 2 :]]
            if nested is None:
                raise LanguageError(
                    f'unable to substitute nested tag {{{{{tag}}}}}: "{tag[inner + 2 :]}" is an absent optional'
                )
            if isinstance(nested, str):
                return "{{" + tag[:inner] + escape(nested)
        later = self.artifacts_later and ".outputs.artifacts." in name
        if self.strict is not None and self.strict(name) and not later:
            raise MissingVariable(f"failed to resolve {{{{{tag}}}}}")
        return "{{" + tag + "}}"

    def expression(self, tag: str) -> str:
        if self.env is None:
            self.env = expressions.environment(self.values)
        escaped = tag[1:].replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&")
        kept = "{{=" + escaped + "}}"
        try:
            source = gojson.loads(f'"{escaped}"')
        except LanguageError as error:
            raise LanguageError(f"failed to unmarshall JSON expression: {error}") from None
        try:
            absent, broken = expressions.absent(source, self.env), False
        except LanguageError:
            absent, broken = [], True
        for name in absent:
            if self.strict is not None and self.strict(name):
                raise MissingVariable(f"failed to evaluate expression: {name} is missing")
        lenient = not broken and (bool(absent) or self.strict is None)
        if lenient and any(name in _LATE for name in absent):
            return kept
        return self.evaluated(source, kept, lenient)

    def evaluated(self, source: str, kept: str, lenient: bool) -> str:
        assert self.env is not None
        try:
            result = expressions.evaluate(source, self.env)
            if result is None:
                raise LanguageError(f"failed to evaluate expression {gojson.quote(source)}")
            written = self.written(result)
        except LanguageError as error:
            refused = isinstance(error, Refused)
            if not refused and (lenient or self.mocked()):
                return kept
            text = str(error)
            raise (Refused if refused else LanguageError)(
                text if text.startswith("failed to") else f"failed to evaluate expression: {text}"
            ) from None
        if len(written) > 1 and written[0] == '"':
            return written[1:-1]
        return gojson.quote(written)[1:-1]

    def written(self, result: Any) -> str:
        try:
            return gojson.dumps(result)
        except LanguageError as error:
            raise LanguageError(f"failed to marshal evaluated expression: {error}") from None

    def mocked(self) -> bool:
        return any(isinstance(v, str) and v.startswith(PLACEHOLDER) for v in self.values.values())


def replace(text: str, values: Mapping[str, Any], *, strict: Strict | None = None, artifacts_later: bool = True) -> str:
    """Replace the tags of a JSON text by `values` (text, or None for an output that is absent).

    A tag without a value stays as it is, unless `strict` says that it must have one.
    Raises MissingVariable for those, LanguageError for absent outputs and failing expressions.
    """
    if "{{" not in text:
        return text
    parts = parse(text)
    if len(parts) == 1:
        return text
    replacement = _Replacement(values, strict, artifacts_later)
    out = list(parts)
    for i in range(1, len(parts), 2):
        tag = parts[i]
        out[i] = replacement.expression(tag) if tag.startswith("=") else replacement.simple(tag)
    replaced = "".join(out)
    if len(replaced) > _MAX_TEXT:
        raise LanguageError(f"the text with its tags replaced has more than {_MAX_TEXT} characters")
    return replaced
