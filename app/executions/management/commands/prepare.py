"""Bring an installation's state up to date before it is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.utils.module_loading import import_string

from app.executions import services as executions
from app.modules import services as modules
from app.schemas import services as schemas

SHIPPED = ("fetch",)  # modules that others need


class Command(BaseCommand):
    help = "Apply migrations, load the schemas and modules that ship with Orchestra, collect static files."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-modules", action="store_true", help="register none of the shipped modules")

    def handle(self, *args: Any, **options: Any) -> None:
        self._check_the_ground()
        call_command("migrate", interactive=False, verbosity=0)
        schemas.load_shipped()
        call_command("collectstatic", interactive=False, verbosity=0)
        if not options["no_modules"]:
            for name in SHIPPED:
                self._register(name)

    def _check_the_ground(self) -> None:
        """Say what is wrong with the database, the folders or the engine before anything is changed."""
        try:
            connection.ensure_connection()
        except DatabaseError as error:
            raise CommandError(f"The database (DATABASE_URL) cannot be used: {error}") from None
        try:
            Path(settings.CACHE_DIR).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(f"The folder ORCHESTRA_CACHE cannot be used: {error}") from None
        try:
            import_string(settings.ENGINE)
        except ImportError as error:
            raise CommandError(f"ORCHESTRA_ENGINE names no engine: {error}") from None

    def _register(self, name: str) -> None:
        """Register a shipped module, which builds it if no build of it ever passed and none is under way."""
        try:
            executions.register(modules.FolderSource(path=str(settings.BASE_DIR / "modules" / name)))
        except modules.Faulty as faulty:
            told = "\n".join(f"  {fault.path}: {fault.message}" for fault in faulty.faults)
            raise CommandError(f"The shipped module {name} is faulty:\n{told}") from None
