"""Settings read from the environment: a value that cannot be used is named, with what it should be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

MAY_BE_ZERO = {
    "ORCHESTRA_CANCEL_GRACE", "ORCHESTRA_WORKFLOW_KEEP", "ORCHESTRA_COLLECT_EVERY", "ORCHESTRA_COLLECT_AFTER",
}  # fmt: skip
YES_AND_NO = {"true", "false", "yes", "no", "on", "off", "1", "0", "y", "n", "ok"}
DATABASES = ("sqlite", "postgres", "postgresql", "psql", "pgsql")
WORDS = {int: "a whole number", float: "a number", bool: "true or false"}


class Environment(environ.Env):
    """The variables of the environment. A faulty one is read as its default and told by `check`."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def get_value(self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, **options: Any) -> Any:
        """The value of a variable as django-environ reads it, `default` for what cannot be read."""
        given = self.ENVIRON.get(var)
        if given is None or cast not in WORDS:
            return super().get_value(var, cast=cast, default=default, **options)
        if not given.strip():
            return default
        try:
            value = super().get_value(var, cast=cast, default=default, **options)
        except ValueError:
            value = None
        if fault := self._fault(var, given, cast, value):
            self.faults.append(f"{var} is {given!r}; it has to be {fault}.")
            return default
        return value

    def one_of(self, name: str, value: str, allowed: Sequence[str]) -> str:
        """`value` if it is allowed, else the first that is."""
        if value in allowed:
            return value
        self.faults.append(f"{name} is {value!r}; it has to be one of {', '.join(allowed)}.")
        return allowed[0]

    def database(self, name: str, *, default: str) -> dict[str, Any]:
        """Django's description of the database whose URL this variable holds; the URL itself is never shown."""
        url = self.str(name, default="") or default
        if url.partition("://")[0] not in DATABASES:
            self.faults.append(f"{name} is no URL of a database, such as postgres://user:password@host/name.")
            url = default
        return dict(self.db_url_config(url))

    def read_file(self, path: str) -> None:
        """Take variables from a file of `NAME=value` lines; those that are set already win."""
        try:
            with open(path, encoding="utf-8") as file:
                self.read_env(file)
        except (OSError, ValueError) as error:
            self.faults.append(f"The file that ORCHESTRA_ENV_FILE names cannot be read: {error}.")

    def check(self) -> None:
        """Raise ImproperlyConfigured with everything that was found, a line each."""
        if self.faults:
            raise ImproperlyConfigured("\n".join(self.faults))

    def _fault(self, name: str, given: str, cast: Any, value: Any) -> str:
        """What the value should have been; empty if it is."""
        if cast is bool:
            return "" if given.strip().lower() in YES_AND_NO else WORDS[bool]
        if value is None or not math.isfinite(value):
            return WORDS[cast]
        if name in MAY_BE_ZERO:
            return "" if value >= 0 else f"{WORDS[cast]}, not less than 0"
        return "" if value > 0 else f"{WORDS[cast]}, more than 0"
