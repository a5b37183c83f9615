"""Letting go on what waits for somebody: asked for here, passed on to the engine by the controller.

A node of a `suspend` template without a duration waits until it is resumed, perhaps with values for its outputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from django.db import transaction
from django.utils import timezone

from app.engines.protocol import Engine, Fault
from app.executions.errors import NotAllowed
from app.executions.models import Attempt, Execution, Resumption
from app.executions.queries import waiting
from app.executions.wakeup import wake_after_commit
from app.modules.faults import Faulty, fault, near_miss
from app.schemas import services as schemas


@transaction.atomic
def resume(
    execution: Execution, *, node: str | None = None, parameters: Mapping[str, Any] = MappingProxyType({})
) -> Execution:
    """Let the waiting nodes of an execution go on, or the one with that id, name or display name.

    `parameters` are values for the outputs that it takes from people; they need a node unless only one waits. Asking
    again for what goes on already changes nothing. Raises `NotAllowed` if nothing waits, `Faulty` with every fault.
    """
    row = Execution.objects.select_for_update().get(pk=execution.pk)
    nodes = waiting(row)
    if not nodes:
        raise NotAllowed(f"execution {row.pk} is {row.state}, and nothing of it waits to be resumed")
    chosen = _chosen(nodes, node)
    if parameters and len(chosen) > 1:
        raise fault("node", f"{len(chosen)} nodes wait ({_names(chosen)}): say which one takes these parameters")
    values = {one["id"]: _values(one, parameters) for one in chosen}
    for ident, given in values.items():
        Resumption.objects.get_or_create(
            execution=row, attempt=row.attempt, node_id=ident, defaults={"parameters": given}
        )
    wake_after_commit()
    return row


def _chosen(nodes: list[dict[str, Any]], node: str | None) -> list[dict[str, Any]]:
    """The waiting nodes that are meant. Raises `Faulty`."""
    if node is None:
        return nodes
    chosen = [one for one in nodes if node in (one["id"], one["name"], one["displayName"])]
    if not chosen:
        hint = near_miss(node, [one["displayName"] for one in nodes])
        raise fault("node", f"no node {node[:80]!r} waits{hint or f'; these do: {_names(nodes)}'}")
    return chosen


def _names(nodes: Iterable[Mapping[str, Any]]) -> str:
    names = sorted({str(one["displayName"]) for one in nodes})
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")


def _values(node: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, str]:
    """The values as text, for all that has no default. Raises `Faulty`."""
    taken = {one["name"]: one for one in (node.get("outputs") or {}).get("parameters") or ()}
    faults, values = [], {}
    for name, value in parameters.items():
        try:
            if name not in taken:
                known = f"it takes {', '.join(taken)}" if taken else "it takes none"
                raise ValueError(f"is no parameter of {node['displayName']}{near_miss(name, taken) or f'; {known}'}")
            values[name] = schemas.parameter_text(value)
            if (choices := taken[name].get("enum")) and values[name] not in choices:
                raise ValueError(f"is one of {', '.join(map(str, choices))}")
        except ValueError as error:
            faults.append(Fault(path=f"parameters.{name[:80]}", message=str(error)))
    for name, one in taken.items():
        source = one.get("valueFrom") or {}
        if name not in parameters and "supplied" in source and source.get("default") is None:
            faults.append(Fault(path=f"parameters.{name}", message=f"{node['displayName']} waits for this value"))
    if faults:
        raise Faulty(faults)
    return values


def pass_on(*, engine: Engine, queue: str, claim: int) -> None:
    """Tell the engine what may go on, of the Workflows that are held under this claim.

    After a crash it may be told twice, which changes nothing: a node goes on once.
    """
    for one in Resumption.objects.to_pass_on(queue=queue, claim=claim):
        attempt = Attempt.objects.only("workflow_name").get(execution=one.execution_id, number=one.attempt)
        engine.resume(name=attempt.workflow_name, node_id=one.node_id, parameters=one.parameters)
        Resumption.objects.filter(pk=one.pk).update(passed_on_at=timezone.now())
