"""Reading manifests: YAML as the API server's client reads it (YAML 1.1 words for booleans), within bounds.

Aliases are expanded under a budget, so that a few lines cannot become gigabytes; depth and size are limited; duplicate
keys are faults. The place of every value is kept for messages of the form `line:column`.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_BYTES = 3 * 2**19  # 1.5 MiB, etcd's limit for one object
_MAX_DEPTH = 60
MAX_VALUES = 100_000
_TRUE = frozenset(["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"])
_FALSE = frozenset(["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"])
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_INT = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]*|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_YAML = re.compile("[^\\t\\n\\r\\x20-\\x7e\\x85\\xa0-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_PAIR = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|.)", re.DOTALL)
_STRANGE = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
Path = tuple[str | int, ...]


class ManifestError(ValueError):
    """A manifest cannot be read; `line` and `column` count from 1 (0: not known)."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"line {line}, column {column}: {message}" if line else message)
        self.message, self.line, self.column = message, line, column


@dataclass
class Marks:
    """Where the values of a document stand: path → (line, column), both counted from 1."""

    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    written: dict[Path, str] = field(default_factory=dict)  # what stands there, of what is no text without quotes

    def text(self, path: str) -> str:
        """What is written at a path, if that means something else than a text; else nothing."""
        return self.written.get(_parts(path), "")

    def of(self, path: str) -> tuple[int, int]:
        """The place of a path such as `spec.templates[0].name`, or of the nearest value above it."""
        parts = _parts(path)
        while parts and parts not in self.places:
            parts = parts[:-1]
        return self.places.get(parts, (1, 1))


def _parts(path: str) -> Path:
    return tuple(int(index) if index else name for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path))


def _scalar(text: str) -> Any:
    """A plain scalar's value by the rules of go-yaml v2."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return _STRANGE.get(text.lower(), text)


def _integer(text: str) -> Any:
    digits = text.replace("_", "")
    body = digits.lstrip("+-")
    try:
        if body[:2].lower() in ("0x", "0b", "0o"):
            value = int(body, 0)
        elif body.startswith("0") and len(body) > 1:
            value = int(body, 8)
        else:
            value = int(body[:300])  # a float holds no more digits
        value = -value if digits.startswith("-") else value
        return value if -(2**63) <= value < 2**64 else float(value)
    except (ValueError, OverflowError):
        return text


class _Reader:
    """Builds values from the event stream; recursion is bounded by `_MAX_DEPTH`."""

    def __init__(self, text: str) -> None:
        self.events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.open: set[str] = set()
        self.count = 0
        self.marks = Marks()

    def fail(self, event: Any, message: str) -> ManifestError:
        mark = event.start_mark
        return ManifestError(message, mark.line + 1, mark.column + 1)

    def documents(self) -> Iterator[tuple[Any, Marks]]:
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.anchors, self.marks = {}, Marks()
                value, _ = self.value(next(self.events), (), 0)
                yield value, self.marks

    def value(self, event: Any, path: Path, depth: int) -> tuple[Any, int]:
        """The value of an event and how many values it holds, itself included."""
        if depth > _MAX_DEPTH:
            raise self.fail(event, f"nested more than {_MAX_DEPTH} deep")
        self.spend(event, 1)
        self.marks.places[path] = (event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if event.anchor:
            self.open.add(event.anchor)
        if isinstance(event, yaml.ScalarEvent):
            found: tuple[Any, int] = self.scalar(event), 1
            if not isinstance(found[0], str):
                self.marks.written[path] = event.value
        elif event.tag not in (None, "!", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"):
            raise self.fail(event, f"the tag {event.tag} is not allowed")
        elif isinstance(event, yaml.SequenceStartEvent):
            found = self.sequence(path, depth)
        else:
            found = self.mapping(path, depth)
        if event.anchor:
            self.open.discard(event.anchor)
            self.anchors[event.anchor] = found
        return found

    def spend(self, event: Any, count: int) -> None:
        self.count += count
        if self.count > MAX_VALUES:
            raise self.fail(event, f"more than {MAX_VALUES} values (aliases count as often as they are used)")

    def alias(self, event: Any) -> tuple[Any, int]:
        if event.anchor in self.open:
            raise self.fail(event, f"the alias *{event.anchor} stands inside what it names")
        if event.anchor not in self.anchors:
            raise self.fail(event, f"unknown anchor '{event.anchor}'")
        value, count = self.anchors[event.anchor]
        self.spend(event, count)
        return _copy(value), count

    def scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag in (None, "!") and event.implicit[0]:
            return _scalar(event.value)
        if tag in (None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:binary"):
            return event.value
        if tag.startswith("tag:yaml.org,2002:"):
            return _scalar(event.value)
        raise self.fail(event, f"the tag {tag} is not allowed")

    def sequence(self, path: Path, depth: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        total = 1
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            value, count = self.value(event, (*path, len(items)), depth + 1)
            items.append(value)
            total += count
        return items, total

    def mapping(self, path: Path, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        total = 1
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self.fail(event, "a key has to be a text")
            key = self.key(event)
            value, count = self.value(next(self.events), (*path, key), depth + 1)
            total += count + 1
            if event.value == "<<" and event.implicit[0]:
                self.merge(event, merged, value)
                continue
            if key in found:
                raise self.fail(event, f"the key '{key}' appears twice")
            found[key] = value
        return ({**merged, **found} if merged else found), total

    def key(self, event: Any) -> str:
        value = self.scalar(event)
        if isinstance(value, bool):
            return "true" if value else "false"
        return event.value if isinstance(value, str | float) or value is None else str(value)

    def merge(self, event: Any, target: dict[str, Any], value: Any) -> None:
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict):
                raise self.fail(event, "<< needs a mapping")
            for key, item in one.items():
                target.setdefault(key, item)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _copy(v) for k, v in value.items()}
    return [_copy(v) for v in value] if isinstance(value, list) else value


def load_marked(text: str | bytes) -> list[tuple[dict[str, Any], Marks]]:
    """The documents of a YAML (or JSON) text, each with the places of its values; empty ones are left out.

    Raises ManifestError: not UTF-8, larger than 1.5 MiB, too deep, an alias bomb, bad syntax, no mapping.
    """
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise ManifestError(f"the manifest has {size} bytes; at most {MAX_BYTES} (1.5 MiB) are allowed")
    decoded = text_of(text)
    found: list[tuple[dict[str, Any], Marks]] = []
    try:
        for value, marks in _Reader(_without_pairs(decoded)).documents():
            if value is None:
                continue
            if not isinstance(value, dict):
                line, column = marks.of("")
                raise ManifestError(f"a manifest has to be a mapping, not {type(value).__name__}", line, column)
            found.append((value, marks))
    except yaml.YAMLError as error:
        raise _syntax(error, decoded) from None
    return found


def text_of(content: str | bytes) -> str:
    """The text of a manifest: UTF-8, or UTF-16 if it begins with that one's mark, as Windows writes it.

    Raises ManifestError.
    """
    if isinstance(content, str):
        return content
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = 0 if wide else content.count(b"\n", 0, error.start) + 1
        word = "UTF-16, as it begins" if wide else "UTF-8"
        raise ManifestError(f"not {word}: {error.reason} at byte {error.start}", line, 1 if line else 0) from None


def _without_pairs(text: str) -> str:
    """JSON without the escapes in two halves that YAML has not (`\\ud83d\\ude00`); any other text as it is."""
    if not text.lstrip().startswith("{") or not any(pair[1] for pair in _PAIR.finditer(text)):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return _PAIR.sub(lambda pair: bytes.fromhex(pair[1] + pair[2]).decode("utf-16-be") if pair[1] else pair[0], text)


def _syntax(error: yaml.YAMLError, text: str) -> ManifestError:
    if isinstance(error, yaml.reader.ReaderError) or "control characters" in str(error):
        return _unreadable(text) or ManifestError(str(error))
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    context = getattr(error, "context", None)
    message = f"{problem} ({context})" if context else str(problem)
    if not mark:
        return ManifestError(message)
    if text[mark.index : mark.index + 1] == "\t":
        message = f"a tab stands here, where YAML wants blanks: {message}"
    return ManifestError(message, mark.line + 1, mark.column + 1)


def _unreadable(text: str) -> ManifestError | None:
    """The first character that YAML does not allow."""
    found = _NO_YAML.search(text)
    if found is None:
        return None
    line, column = text.count("\n", 0, found.start()) + 1, found.start() - text.rfind("\n", 0, found.start())
    hint = "; is it UTF-16? Save it as UTF-8" if "\0" in text[:4] else ""
    return ManifestError(f"the character U+{ord(found[0]):04X} is not allowed in YAML{hint}", line, column)


def load(text: str | bytes) -> list[dict[str, Any]]:
    """The documents of a YAML (or JSON) text, empty ones left out.

    Raises ManifestError (a ValueError) with the line and column where they are known.
    """
    return [value for value, _ in load_marked(text)]
