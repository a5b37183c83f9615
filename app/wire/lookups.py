"""What a path names; raises `Refusal` 404 where it names nothing."""

from __future__ import annotations

from collections.abc import Iterable

from app.executions.models import Execution
from app.modules.faults import near_miss
from app.modules.models import Module, ModuleQuerySet, Version
from app.schemas.models import Schema, SchemaVersion
from app.wire.errors import Refusal
from app.wire.reading import NUMBER, UNSTORABLE, identifier


def module(text: str, *, modules: ModuleQuerySet | None = None) -> Module:
    """The module of this number or name."""
    present = Module.objects.present() if modules is None else modules
    found = present.filter(pk=int(text)).first() if NUMBER.fullmatch(text) else None
    found = found or present.filter(name=text).first()
    if found is None:
        raise _absent("module", text, present.values_list("name", flat=True))
    return found


def version(module: Module, text: str) -> Version:
    """The module's version of this number, or the newest of this label."""
    versions = module.versions.select_related("module", "environment")
    found = versions.filter(number=int(text)).first() if NUMBER.fullmatch(text) and int(text) < 2**31 else None
    found = found or versions.filter(label=text).order_by("-number").first()
    if found is None:
        raise Refusal(404, f"Module {module.name} has no version {text[:80]!r}.")
    return found


def schema(text: str) -> Schema:
    """The schema of this name, with its latest version."""
    found = None if UNSTORABLE.search(text) else Schema.objects.present().filter(name=text).first()
    if found is None:
        raise _absent("schema", text, Schema.objects.listed().values_list("name", flat=True))
    return found


def schema_version(schema: Schema, number: object) -> SchemaVersion:
    """The schema's version of this number, the latest if none is named."""
    text = str(schema.latest.number if number is None and schema.latest else number)
    found = schema.versions.filter(number=int(text)).first() if NUMBER.fullmatch(text) and int(text) < 2**31 else None
    if found is None:
        raise Refusal(404, f"Schema {schema.name} has no version {text[:80]!r}.")
    found.schema = schema
    return found


def execution(text: str, *, what: str = "execution", tasks: bool = False) -> Execution:
    """The execution of this number; with `tasks` only one that AMDA's contract knows."""
    number = identifier(text, what=what)
    executions = Execution.objects.tasks() if tasks else Execution.objects.shown()
    if (found := executions.filter(pk=number).first()) is None:
        raise Refusal(404, f"There is no {what} {number}.")
    return found


def _absent(kind: str, text: str, known: Iterable[str]) -> Refusal:
    return Refusal(404, f"There is no {kind} {text[:80]!r}{near_miss(text[:80], known) or '.'}")
