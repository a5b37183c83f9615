"""Cancel executions from the server's own machine, also while no web process runs."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.executions import services
from app.executions.models import Execution

LOOK_SECONDS = 0.1


class Command(BaseCommand):
    help = "Cancel executions; the controller, which has to run, ends them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("executions", nargs="*", type=int, metavar="EXECUTION", help="numbers of executions")
        parser.add_argument("--all", action="store_true", help="every execution that has not ended, builds included")
        parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="until all of them have ended")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = Execution.objects.live()
        if not options["all"]:
            rows = rows.filter(pk__in=self._known(options["executions"]))
        numbers = [services.cancel(execution).pk for execution in rows]
        if numbers:
            self.stdout.write(f"Cancelling {len(numbers)} that had not ended")
        elif options["verbosity"]:
            self.stdout.write("There is nothing to cancel.")
        until = time.monotonic() + options["wait"]
        while options["wait"] and (left := Execution.objects.live().filter(pk__in=numbers).count()):
            if time.monotonic() > until:
                raise CommandError(f"{left} have not ended after {options['wait']:g} s. Does the controller run?")
            time.sleep(LOOK_SECONDS)

    def _known(self, numbers: list[int]) -> list[int]:
        if not numbers:
            raise CommandError("Name the executions to cancel, or give --all.")
        found = set(Execution.objects.filter(pk__in=numbers).values_list("pk", flat=True))
        if unknown := sorted(set(numbers) - found):
            raise CommandError(f"There is no execution {', '.join(map(str, unknown))}. Nothing was cancelled.")
        return numbers
