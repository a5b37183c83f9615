"""Old Workflows: the engine may forget them once their logs are in the artifact repository."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from app.artifacts import repository
from app.engines import services as engines
from app.executions.models import Attempt
from app.executions.queries import log_key, nodes_of
from app.executions.states import FINAL

_AT_ONCE = 20  # attempts
_CHUNK = 1 << 20  # bytes


def keep_logs(*, older_than: float) -> list[str]:
    """Copy the logs of attempts that ended more than `older_than` seconds ago; the names of their Workflows.

    Runs in a thread of its own, with a connection of its own. Copying again is harmless.
    """
    try:
        return _keep_logs(older_than)
    finally:
        connection.close()


def _keep_logs(older_than: float) -> list[str]:
    ended = Attempt.objects.filter(
        pruned=False, state__in=FINAL, finished_at__lt=timezone.now() - timedelta(seconds=older_than)
    )
    names = []
    for attempt in ended.order_by("finished_at")[:_AT_ONCE]:
        for node in nodes_of(attempt.status):
            if node["has_log"]:
                _keep(attempt, node["id"])
        names.append(attempt.workflow_name)
    return names


def _keep(attempt: Attempt, node_id: str) -> None:
    first = engines.reader().read_log(name=attempt.workflow_name, node_id=node_id, limit=_CHUNK)
    if first is not None:
        repository.write_from(log_key(attempt, node_id), _pieces(attempt.workflow_name, node_id, first))


def _pieces(name: str, node_id: str, first: bytes) -> Iterator[bytes]:
    piece: bytes | None = first
    offset = 0
    while piece:
        yield piece
        offset += len(piece)
        piece = engines.reader().read_log(name=name, node_id=node_id, offset=offset, limit=_CHUNK)


def pruned(name: str) -> None:
    """Note that the engine has forgotten a Workflow: its logs are read from the repository from now on."""
    Attempt.objects.filter(workflow_name=name).update(pruned=True)
