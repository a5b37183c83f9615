"""metadata.json, in both known dialects, read into one normal form; every fault at once, each with its path.

The JSON Schema beside this file says what the file may hold; what a schema cannot say (files that must be there, names
used twice, commands, requirements) is checked by `normal`. Nothing of a module is ever run or evaluated here.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from app.engines.protocol import Fault
from app.modules.arguments import shorten
from app.modules.faults import Faulty, Steps, fault, near_miss, path_of
from app.modules.normal import normalise
from app.modules.normal_form import Metadata

FILENAME = "metadata.json"
MAX_BYTES = 2**20
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_SCHEMA_PATH = Path(__file__).with_name("metadata.schema.json")


def read(folder: Path) -> Metadata:
    """The normal form of a folder's metadata.json; raises `Faulty` with every fault."""
    data = _parse(folder / FILENAME)
    if unstorable := list(_unstorable(data, ())):
        raise Faulty(unstorable)
    faults, unsound = _schema_faults(data)
    if () in unsound:  # not an object
        raise Faulty(faults)
    faults += _suspicious_keys(data)
    metadata = normalise(data, folder=folder, faults=faults, unsound=unsound)
    if faults:
        raise Faulty(faults)
    return metadata


def digest(metadata: Metadata) -> str:
    """SHA-256 of the normal form as canonical JSON."""
    text = json.dumps(metadata, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=1)
def json_schema() -> dict[str, Any]:
    """The published JSON Schema (2020-12) of metadata.json."""
    return cast(dict[str, Any], json.loads(_SCHEMA_PATH.read_text(encoding="utf-8")))


def _parse(path: Path) -> Any:
    if not path.is_file():
        raise fault(FILENAME, "there is no such file; a module is a folder with a metadata.json")
    if path.stat().st_size > MAX_BYTES:
        raise fault(FILENAME, f"is larger than {MAX_BYTES} bytes")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise fault(FILENAME, f"is not UTF-8: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        hint = "; JSON has no comments" if text[error.pos : error.pos + 1] in {"/", "#"} else ""
        raise fault(FILENAME, f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}{hint}") from None
    except RecursionError:
        raise fault(FILENAME, "is nested too deeply") from None
    except ValueError as error:
        raise fault(FILENAME, f"is not JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return data


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _unstorable(value: Any, where: Steps) -> Iterator[Fault]:
    """What JSON can write and no database takes, wherever it stands."""
    if isinstance(value, str) and _NO_TEXT.search(value):
        yield Fault(path=path_of(where), message="holds a NUL or half a surrogate pair")
    elif isinstance(value, float) and not math.isfinite(value):
        yield Fault(path=path_of(where), message="is too large a number")
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _unstorable(one, (*where, index))
    elif isinstance(value, dict):
        for key, one in value.items():
            if _NO_TEXT.search(key):
                yield Fault(path=path_of(where), message="has a key with a NUL or half a surrogate pair")
            yield from _unstorable(one, (*where, _plain(key)))


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    """`pattern` as JSON Schema means it: `$` is the end, which in Python may have a line break behind it."""
    if isinstance(value, str) and not re.search(re.sub(r"\$\Z", r"\\Z", pattern), value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


_Validator = validators.extend(Draft202012Validator, {"pattern": _pattern})


def _schema_faults(data: Any) -> tuple[list[Fault], set[Steps]]:
    """The faults that the JSON Schema finds, and the places that must not be read further."""
    faults: dict[str, Fault] = {}  # one for each place: what is empty need not also match a pattern
    unsound: set[Steps] = set()
    for error in _Validator(json_schema()).iter_errors(data):
        where: Steps = tuple(error.absolute_path)
        for key, message in _translate(error):
            path = path_of((*where, *key))
            faults.setdefault(path, Fault(path=path, message=message))
            if error.validator != "additionalProperties":
                unsound.add((*where, *key))
    return sorted(faults.values(), key=lambda one: one.path), unsound


def _translate(error: ValidationError) -> Iterator[tuple[Steps, str]]:
    """What jsonschema found, for people: the key within the place, if it is about one, and a sentence."""
    schema = cast(Mapping[str, Any], error.schema)
    value, limit = cast(Any, error.instance), cast(Any, error.validator_value)
    if error.validator == "required":
        # jsonschema reports each missing key by itself, and names it only in its sentence
        yield (next(key for key in limit if error.message.startswith(repr(key))),), "is missing"
    elif error.validator == "additionalProperties" and limit is False:
        known = schema["properties"]
        for key in set(value) - set(known):
            hint = near_miss(key, set(known) - set(value)) or f"; there are {', '.join(known)}"
            yield (key,), f"unknown key {_plain(key)}{hint}"
    else:
        about = schema.get("description") or (f"it has to match {limit}" if error.validator == "pattern" else "")
        yield (), _sentence(str(error.validator), value, limit) + (f" ({about})" if about else "")


_KINDS = {
    "object": "an object", "array": "a list", "string": "text", "number": "a number", "null": "null",
    "integer": "a whole number", "boolean": "true or false",
}  # fmt: skip


def _sentence(keyword: str, value: Any, limit: Any) -> str:
    shown = shorten(value)
    if keyword == "type":
        wanted = " or ".join(_KINDS[kind] for kind in ([limit] if isinstance(limit, str) else limit))
        return f"{shown} is not {wanted}"
    if keyword == "enum":
        hint = near_miss(value, limit) if isinstance(value, str) else ""
        return f"{shown} is none of {', '.join(limit)}{hint}"
    if keyword == "maxItems" and not limit:
        return "takes an object, or an empty list for none"
    return {
        "minItems": "is empty",
        "minLength": "is empty",
        "maxItems": f"takes at most {limit} entries",
        "maxLength": f"is longer than {limit} characters",
        "minimum": f"{shown} is less than {limit}",
        "exclusiveMinimum": f"{shown} is not more than {limit}",
        "maximum": f"{shown} is more than {limit}",
    }.get(keyword, f"{shown} is not allowed here")


def _suspicious_keys(data: Mapping[str, Any]) -> list[Fault]:
    """Unknown keys that look like a misspelt known one; other unknown keys are the author's own and are ignored."""
    properties = json_schema()["properties"]
    annex = properties["annexes_outputs"]["items"]["properties"]
    places: list[tuple[Steps, Any, Mapping[str, Any]]] = [
        ((), data, properties),
        (("output",), data.get("output"), properties["output"]["properties"]),
        (("install",), data.get("install"), properties["install"]["properties"]),
    ]
    if isinstance(annexes := data.get("annexes_outputs"), list):
        places += [(("annexes_outputs", index), one, annex) for index, one in enumerate(annexes)]
    return [
        Fault(path=path_of((*where, key)), message=f"unknown key {_plain(key)}{hint}")
        for where, value, known in places
        if isinstance(value, dict)
        for key in value
        if key not in known and (hint := near_miss(key, set(known) - set(value)))
    ]


def _plain(key: str) -> str:
    """A key as it can stand in a sentence."""
    return re.sub(r"[^ -~]", "?", key)[:80]
