"""Bring an installation's state up to date before it is served."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.executions import services as executions
from app.modules import services as modules
from app.schemas import services as schemas

SHIPPED = ("fetch",)  # modules that others need


class Command(BaseCommand):
    help = "Apply migrations, load the schemas and modules that ship with Orchestra, collect static files."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-modules", action="store_true", help="register none of the shipped modules")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        schemas.load_shipped()
        call_command("collectstatic", interactive=False, verbosity=0)
        if not options["no_modules"]:
            for name in SHIPPED:
                self._register(name)

    def _register(self, name: str) -> None:
        """Register a shipped module, which builds it if no build of it ever passed and none is under way."""
        try:
            executions.register(modules.FolderSource(path=str(settings.BASE_DIR / "modules" / name)))
        except modules.Faulty as faulty:
            told = "\n".join(f"  {fault.path}: {fault.message}" for fault in faulty.faults)
            raise CommandError(f"The shipped module {name} is faulty:\n{told}") from None
