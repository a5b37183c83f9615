from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SchemasConfig(AppConfig):
    name = "app.schemas"
    label = "schemas"

    def ready(self) -> None:
        post_migrate.connect(_load_shipped, sender=self)


def _load_shipped(**_: Any) -> None:
    """Bring what ships with Orchestra into a database that has just been made or brought up to date."""
    from app.schemas.models import SchemaVersion
    from app.schemas.services import load_shipped

    if SchemaVersion._meta.db_table in _tables():
        load_shipped()


def _tables() -> list[str]:
    from django.db import connection

    return connection.introspection.table_names()
