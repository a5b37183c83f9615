"""The engine that the settings name: one to run with, which the controller has, and a reader that anyone may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from app.engines.protocol import Engine, Fault, Reader


def engine(*, claim: int, images: Callable[[str], dict[str, Any]]) -> Engine:
    """The engine under a controller's claim; the caller closes it. Only one process may have it at a time.

    `images` says what stands behind the names of Orchestra's own images: {path, readonly, env}; it raises LookupError.
    Raises `LostClaim`, `Unavailable`.
    """
    made: Engine = _class().open(claim=claim, images=images)
    return made


def refusals(
    workflow: dict[str, Any],
    *,
    images: Callable[[str], dict[str, Any]],
    templates: Mapping[str, dict[str, Any]] = MappingProxyType({}),
) -> list[Fault]:
    """Why the engine would not take a Workflow, as far as that can be told without it; in any process."""
    found: list[Fault] = _class().refusals(workflow, images=images, templates=templates)
    return found


def reader() -> Reader:
    """What reads the engine's logs, in any process and without an engine."""
    made: Reader = _class().reader()
    return made


@cache
def _class() -> Any:
    return import_string(settings.ENGINE)
