"""What is wrong with a schema, or with the arguments that somebody gives to one."""

from __future__ import annotations

from collections.abc import Sequence

from app.engines.protocol import Fault

_SHOWN = 20


class BadSchema(ValueError):
    """A schema cannot be saved; `faults` has every reason with its path, line and column."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = list(faults)
        shown = [_sentence(fault) for fault in self.faults[:_SHOWN]]
        if len(self.faults) > _SHOWN:
            shown.append(f"and {len(self.faults) - _SHOWN} more")
        super().__init__("; ".join(shown))


class BadArguments(BadSchema):
    """Arguments do not go with a schema's inputs; the paths are their names."""


class BadFile(BadSchema):
    """A file of `schemas/` cannot be loaded; the text names it."""

    def __init__(self, name: str, faults: Sequence[Fault]) -> None:
        super().__init__(faults)
        self.args = (f"schemas/{name}: {self}",)


class NotChangeable(Exception):
    """The schema is Orchestra's own, or in use; the text says what to do instead."""


class InUse(NotChangeable):
    """Other schemas refer to it; the text says which."""


def _sentence(fault: Fault) -> str:
    where = f"line {fault.line}, column {fault.column}: " if fault.line else f"{fault.path}: " if fault.path else ""
    return where + fault.message
