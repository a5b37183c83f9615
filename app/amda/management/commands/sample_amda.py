"""`manage.py sample_amda`: serve the sample AMDA on this machine until it is stopped."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.amda.sample import cli
from app.amda.sample.faults import BadFaults
from app.amda.sample.server import NotLoopback


class Command(BaseCommand):
    help = "Serve a small AMDA on this machine: real OMNI hours of 1999 to 2001 behind AMDA's own REST calls"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        cli.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            cli.serve(
                host=options["host"],
                port=options["port"],
                ready_file=options["ready_file"],
                accounts=options["account"],
                faults=options["fault"],
            )
        except (BadFaults, NotLoopback, OSError, OverflowError) as error:
            raise CommandError(str(error)) from error
