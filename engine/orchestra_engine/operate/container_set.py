"""containerSet templates: one Pod node, and below it a node for each container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra_engine.operate import pod

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation, Work


def execute(op: Operation, work: Work) -> dict[str, Any] | None:
    """Make the nodes and start the pod. Raises LanguageError if it cannot be described."""
    node, starts = pod.begin(op, work)
    if not starts:
        return node
    pod.start(op, work, node)
    containers = work.template["containerSet"]["containers"]
    for container in containers:
        op.board.create(
            f"{work.name}.{container['name']}",
            "Container",
            scope=work.scope,
            holder=work.holder,
            boundary=node["id"],
            phase="Pending",
            flag=work.options.flag,
        )
    for container in containers:
        child = op.board.id(f"{work.name}.{container['name']}")
        for parent in container.get("dependencies") or [None]:
            op.board.add_child(node["id"] if parent is None else op.board.id(f"{work.name}.{parent}"), child)
    return op.board.nodes[node["id"]]
