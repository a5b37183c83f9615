"""Housekeeping by hand: what nothing needs any more, and how much of the disk it takes."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.executions import housekeeping
from app.executions.housekeeping import Found
from app.modules.leftovers import CacheInUse, prune_cache


class Command(BaseCommand):
    help = (
        "List environments, trees, unfinished folders and sent manifests that nothing needs any more; with --delete "
        "remove them. What runs, waits or can be run stays, also if it starts meanwhile; results and "
        "logs are never touched."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--delete", action="store_true", help="remove them, and prune uv's cache")
        parser.add_argument(
            "--older-than",
            type=_seconds,
            default=settings.COLLECT_AFTER,
            metavar="SECONDS",
            help="only what nobody used for so long, an hour at least (default: ORCHESTRA_COLLECT_AFTER, %(default)s)",
        )

    def handle(self, *args: Any, delete: bool, older_than: float, **options: Any) -> None:
        act = housekeeping.collect if delete else housekeeping.look
        found = act(older_than=older_than)
        for one in found:
            self.stdout.write(_line(one))
        total = f"{len(found)} folder{'' if len(found) == 1 else 's'}, {_amount(sum(one.size.freed for one in found))}"
        older = {"older_than": older_than}
        sent = housekeeping.forget_sent(**older) if delete else housekeeping.forgettable(**older).count()
        if sent:
            total += f", {sent} sent manifest{'' if sent == 1 else 's'} that no execution is of"
        if not delete:
            then = "; --delete removes them, and prunes uv's cache" if found or sent else "; --delete prunes uv's cache"
            self.stdout.write(f"Nothing was removed. Not needed: {total}{then}.")
            return
        self.stdout.write(f"Removed {total}.")
        try:
            self.stdout.write(f"uv's cache: {prune_cache()}")
        except CacheInUse as error:
            raise CommandError(str(error)) from None


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError(text)
    return value


def _line(found: Found) -> str:
    leftover, size = found.leftover, found.size
    shared = f" (and {_amount(size.shared)} that stay in uv's cache)" if size.shared else ""
    return f"{leftover.what:<18}{_amount(size.freed):>10}  {leftover.path}  {leftover.why}{shared}"


def _amount(size: float) -> str:
    """Bytes for people: 12 B, 3.4 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
