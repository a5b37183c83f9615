"""Checking JSON bodies against a JSON Schema: every fault at once, each with its path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from app.wire.errors import Refusal, sentence


@dataclass(frozen=True, kw_only=True)
class BodyFault:
    """What is wrong with one member of a body."""

    path: str
    message: str


def schema(*, required: tuple[str, ...] = (), **members: dict[str, Any]) -> Draft202012Validator:
    """A checker of objects with these members and no others."""
    described = {"type": "object", "properties": members, "required": list(required), "additionalProperties": False}
    Draft202012Validator.check_schema(described)
    return Draft202012Validator(described)


def checked(value: Any, checker: Draft202012Validator) -> dict[str, Any]:
    """The body, if it is what the checker describes; raises `Refusal` 422 with every fault."""
    faults = [
        BodyFault(path=".".join(str(part) for part in error.absolute_path), message=_shortened(error))
        for error in sorted(checker.iter_errors(value), key=lambda error: [str(part) for part in error.absolute_path])
    ]
    if faults:
        raise Refusal(422, sentence(faults), faults=faults)
    return value


def _shortened(error: ValidationError) -> str:
    return error.message if len(error.message) <= 300 else f"{error.message[:300]}…"
