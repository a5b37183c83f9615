from __future__ import annotations

import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from app.engines.protocol import LostClaim, Unavailable
from app.executions.controller import Controller


class Command(BaseCommand):
    """Works a queue until it is told to stop."""

    help = (
        "Run the executions of a queue. One controller works a queue, others stand by. SIGTERM and SIGINT end it in "
        "order; what runs goes on and is adopted by the next one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queue", default="default", help="the queue to work")
        parser.add_argument("--until-idle", action="store_true", help="end when nothing is queued and nothing runs")

    def handle(self, *args: Any, queue: str, until_idle: bool, **options: Any) -> None:
        controller = Controller(queue=queue)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: controller.stop())
        try:
            controller.run(until_idle=until_idle)
        except LostClaim as error:
            raise CommandError(f"this controller ends, it may write nothing more: {error}") from error
        except Unavailable as error:
            raise CommandError(str(error)) from error
