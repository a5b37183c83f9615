from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.management.base import CommandError
from django.db.models.signals import post_migrate


class SchemasConfig(AppConfig):
    name = "app.schemas"
    label = "schemas"

    def ready(self) -> None:
        post_migrate.connect(_load_shipped, sender=self)


def _load_shipped(**_: Any) -> None:
    """Bring what ships with Orchestra into a database that has just been made or brought up to date."""
    from app.schemas.models import SchemaVersion
    from app.schemas.services import BadFile, load_shipped

    if SchemaVersion._meta.db_table in _tables():
        try:
            load_shipped()
        except BadFile as error:
            raise CommandError(f"A schema that ships with Orchestra cannot be loaded: {error}") from None


def _tables() -> list[str]:
    from django.db import connection

    return connection.introspection.table_names()
