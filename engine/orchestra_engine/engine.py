"""The local engine: runs Argo Workflows in processes of this machine.

    engine = Engine(Config(root=Path("var/engine"), repository=Path("var/artifacts"), images=ImageTable()))
    engine.adopt()
    engine.submit(workflow)
    while not finished:
        for seen in engine.poll(timeout=None):
            ...

All calls but `wake` belong to one thread. What runs goes on when the engine is closed or killed; the next engine with
the same root adopts it.
"""

from __future__ import annotations

import logging
import os
import resource
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import operate
from .admission import Admission, granted, keep_templates, taken
from .cluster import Cluster
from .config import Config, Fault, Grant, NotFound, Observation, Refused, merge
from .loop import Loop
from .nodes import Nodes
from .operate import queues
from .runs import Run
from .sandbox import cgroup, choose
from .store import BadName, Gone, LostClaim, Record, Store
from .workflow import finished, new_status

log = logging.getLogger(__name__)

_LIMITS_SECONDS = 2.0  # between two looks at a semaphore's ConfigMap, while someone waits for it


class Engine:
    """One controller's hold on a root of workflows."""

    def __init__(self, config: Config) -> None:
        """Take the root. Raises LostClaim if a higher claim has it, RuntimeError if the sandbox cannot be had."""
        self.config = config
        root = config.root.absolute()
        self.store = Store(root, claim=config.claim)
        self.store.take()
        self.store.empty_trash()
        self.sandbox = choose(config.sandbox, root)
        config.images.links = root / ".images"
        group = cgroup.delegated(cgroup.own())
        self.loop = Loop()
        self.nodes = Nodes(
            loop=self.loop,
            store=self.store,
            sandbox=self.sandbox,
            repository=config.repository.absolute(),
            images=config.images,
            limits=dict(config.limits),
            grace=config.grace_seconds,
            keep_scratch=config.keep_scratch,
            most=min(
                config.max_pods or max(8, 4 * (os.cpu_count() or 1)),
                max(1, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200),  # each running node takes a descriptor
            ),
            cgroup=str(group) if group and cgroup.divide(group) else "",
        )
        self.cluster = Cluster(root)
        self.admission = Admission(cluster=self.cluster, images=config.images, sandbox=self.sandbox)
        self._limits = self.cluster.configmaps()
        self._runs: dict[str, Run] = {}
        self._changed: dict[str, str] = {}  # name → uid, since the last poll

    # Asking for things

    def submit(
        self,
        workflow: dict[str, Any],
        *,
        grants: Sequence[str] | Mapping[str, Grant] = (),
        as_argo: bool = False,
        workflow_templates: Mapping[str, dict[str, Any]] | None = None,
    ) -> str:
        """Take a workflow and return its uid; if there is one of that name, that one's.

        `grants` are names of Config.grants, or the grants themselves. With `as_argo` what Argo's controller refuses
        becomes a workflow that is Failed with Argo's message, as in a cluster. `workflow_templates` are there for this
        workflow alone, over those of the root, and kept with it. Raises Refused, LostClaim, OSError.
        """
        if not isinstance(workflow, dict):
            raise Refused([Fault(path="", message="a workflow has to be an object")])
        metadata = workflow.get("metadata")
        metadata = dict(metadata) if isinstance(metadata, dict) else {}
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = f"{metadata['generateName']}{secrets.token_hex(3)}"
        name = str(metadata.get("name") or "")
        try:
            there = self._record(name)
        except BadName as error:
            raise Refused([Fault(path="metadata.name", message=str(error).partition(": ")[2])]) from error
        if there is not None:
            return there.uid
        given = granted(grants, self.config.grants)
        others = workflow_templates or {}
        failure = self.admission.check(workflow, grants=set(given), as_argo=as_argo, workflow_templates=others)
        if not failure:
            self.loop.warm_up()
        record = taken({**workflow, "metadata": metadata}, namespace=self.config.namespace, failure=failure)
        record.grants = {key: value.as_dict() for key, value in given.items()}
        if others:
            keep_templates(record, others)
        self.store.create(record)
        uid = record.uid
        if failure:
            self._changed[name] = uid
        else:
            self._runs[name] = Run(record=record)
        return uid

    def stop(self, name: str) -> None:
        """Argo's Stop: end what runs, then run the exit handlers. Raises NotFound."""
        self.patch(name, {"spec": {"shutdown": "Stop"}})

    def terminate(self, name: str) -> None:
        """Argo's Terminate: end what runs, no exit handlers. Raises NotFound."""
        self.patch(name, {"spec": {"shutdown": "Terminate"}})

    def suspend(self, name: str) -> None:
        """Start nothing more until `resume`. Raises NotFound."""
        self.patch(name, {"spec": {"suspend": True}})

    def resume(self, name: str, node: str | None = None, parameters: Mapping[str, str] | None = None) -> None:
        """Go on: the whole workflow, or the Suspend node `node` (name, display name or id). Raises NotFound."""
        run = self._active(name)
        if run is None:
            return
        workflow = run.record.workflow
        if node is None:
            workflow["spec"] = {key: value for key, value in workflow["spec"].items() if key != "suspend"}
        if parameters and node is not None:
            workflow["status"] = operate.set_outputs(workflow, run.status, time.time(), node, dict(parameters))
        workflow["status"] = operate.resume(workflow, run.status, time.time(), node)
        self._touched(run)

    def set(
        self,
        name: str,
        node: str,
        *,
        parameters: Mapping[str, str] | None = None,
        phase: str | None = None,
        message: str | None = None,
    ) -> None:
        """What `argo node set` does: supply output parameters of a node and perhaps finish it. Raises NotFound."""
        run = self._active(name)
        if run is not None:
            workflow = run.record.workflow
            workflow["status"] = operate.set_outputs(
                workflow, run.status, time.time(), node, dict(parameters or {}), phase=phase, message=message
            )
            self._touched(run)

    def patch(self, name: str, merge_patch: Mapping[str, Any]) -> None:
        """Apply a JSON merge patch (RFC 7386) to a workflow that is not finished. Raises NotFound."""
        run = self._active(name)
        if run is not None:
            run.record.workflow = merge(run.record.workflow, merge_patch)
            self._touched(run)

    def _touched(self, run: Run) -> None:
        run.dirty = True
        run.record.version += 1
        self._changed[run.name] = run.uid
        self._save(run, sync=True)
        self.loop.wake()

    def delete(self, name: str) -> None:
        """Remove a finished workflow and its files; nothing happens if there is none. Raises ValueError if it runs."""
        if name in self._runs:
            raise ValueError(f"the workflow {name} is running: stop it first")
        self.store.delete(name)
        self._changed.pop(name, None)

    # Looking

    def get(self, name: str) -> dict[str, Any] | None:
        """The whole workflow with its status (not to be changed), or None."""
        record = self._record(name)
        return record.workflow if record else None

    def names(self) -> list[str]:
        """All workflows that are there."""
        return self.store.names()

    def version(self, name: str) -> int:
        """A number that changes with each change of the status; 0 if there is no such workflow."""
        record = self._record(name)
        return record.version if record else 0

    def log_path(self, name: str, node_id: str, container: str = "") -> Path:
        """Where a node's log is, or will be. Raises BadName."""
        return self.store.log_path(name, node_id, container)

    def node_dir(self, name: str, node_id: str) -> Path:
        """A node's folder. Raises BadName."""
        return self.store.node_dir(name, node_id)

    def _record(self, name: str) -> Record | None:
        run = self._runs.get(name)
        return run.record if run else self.store.load(name)

    def _active(self, name: str) -> Run | None:
        """The run of an unfinished workflow; None if it is finished. Raises NotFound."""
        if name in self._runs:
            return self._runs[name]
        if self.store.load(name) is None:
            raise NotFound(f"there is no workflow {name}")
        return None

    # Running

    def adopt(self) -> list[str]:
        """Take over every unfinished workflow of the root; returns their names. Raises LostClaim."""
        adopted = []
        for name in self.store.names():
            record = self.store.load(name)
            if record is None or name in self._runs:
                continue
            if finished(record.workflow.get("status") or {}):
                continue
            record.workflow.setdefault("status", new_status())
            run = Run(record=record)
            self._runs[name] = run
            adopted.append(name)
            pods = operate.known_pods(record.workflow, run.status, **self._known())
            described = {pod.node_id for pod in pods}
            run.waiting += self.nodes.bring(record, pods)
            run.waiting += self.nodes.watch(record, [one for one in operate.live(run.status) if one not in described])
            run.waiting += self.nodes.kill(record, operate.kills(run.status))
            self._save(run, sync=False)
        return adopted

    def _known(self) -> dict[str, Any]:
        """The cluster's objects, as the core takes them."""
        return {
            "configmaps": self.cluster.configmaps(),
            "secrets": self.cluster.secret_values(),
            "workflow_templates": self.cluster.workflow_templates(),
        }

    def wake(self) -> None:
        """Make a sleeping `poll` return; any thread may call this."""
        self.loop.wake()

    def poll(self, timeout: float | None = None, wake: Sequence[int] = ()) -> list[Observation]:
        """Run the workflows until one changes, a descriptor of `wake` is readable, or `timeout` seconds went by.

        Raises LostClaim once another engine with a higher claim has the root.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            self._step()
            if self._changed:
                events, _ = self.loop.wait(0)
                if events:
                    self._take(events)
                    self._step()
                return self._observations()
            events, woken = self.loop.wait(self._patience(end), wake)
            self._take(events)
            self._on_time()
            if woken or (end is not None and time.monotonic() >= end):
                self._step()
                return self._observations()

    def _observations(self) -> list[Observation]:
        changed, self._changed = self._changed, {}
        seen = ((name, uid, self.get(name)) for name, uid in changed.items())
        return [Observation(name=n, uid=uid, workflow=dict(found) if found else None) for n, uid, found in seen]

    def _patience(self, end: float | None) -> float | None:
        now, wall = time.monotonic(), time.time()
        until = [] if end is None else [end - now]
        for run in self._runs.values():
            if queues.waits_for_configmap(run.stance):
                until.append(_LIMITS_SECONDS)
            if run.wake_at is not None:
                until.append(run.wake_at - wall)
            if run.save_at is not None:
                until.append(run.save_at - now)
        return max(0.0, min(until)) if until else None

    def _take(self, events: Iterable[Any]) -> None:
        for name, status in self.nodes.observe(events):
            run = self._runs.get(name)
            if run is not None:
                run.waiting.append(status)

    def _on_time(self) -> None:
        now, wall = time.monotonic(), time.time()
        limits, self._limits = self._limits, self.cluster.configmaps()
        for run in list(self._runs.values()):
            if run.wake_at is not None and run.wake_at <= wall:
                run.dirty = True
            if limits is not self._limits and queues.waits_for_configmap(run.stance):
                run.dirty = True
            if run.save_at is not None and run.save_at <= now:
                self._save(run, sync=False)

    def _step(self) -> None:
        while any(run.dirty or run.waiting for run in self._runs.values()):
            for run in sorted(self._runs.values(), key=lambda run: run.turn):
                if run.dirty or run.waiting:
                    self._operate(run)

    def _operate(self, run: Run) -> None:
        seen, run.waiting, run.dirty = run.waiting, [], False
        workflow = run.record.workflow
        others = [other.stance for other in self._runs.values() if other is not run]
        decision, error = operate.guarded(
            workflow,
            run.status,
            time.time(),
            seen,
            locks=queues.view(run.stance, others),
            max_nodes=self.config.max_nodes,
            **self._known(),
        )
        if error is not None:
            log.error("%s is given up", run.name, exc_info=error)
        changed = bool(decision.changed) or decision.status != workflow["status"]
        self.cluster.write_entries(decision.configmap_writes)
        workflow["status"] = decision.status
        run.wake_at = decision.wake_at
        self._pass_locks(run)
        run.waiting += self.nodes.bring(run.record, decision.start)
        run.waiting += self.nodes.kill(run.record, decision.kill)
        if changed:  # written after the nodes have their orders: were that lost, the core would decide the same again
            run.record.version += 1
            self._changed[run.name] = run.uid
            over = finished(decision.status)
            self._save(run, sync=over, soon=not over)

    def _pass_locks(self, run: Run, *, over: bool = False) -> None:
        """Note how the workflow stands to locks now; who may go on by that is looked at again."""
        before, now = run.stance, queues.stance(run.record.workflow, {} if over else run.status)
        run.stance = now
        if before.idle and now.idle:
            return
        for name in queues.awoken(before, now, [one.stance for one in self._runs.values() if one is not run]):
            self._runs[name].dirty = True

    def _save(self, run: Run, *, sync: bool, soon: bool = False) -> None:
        try:
            written = run.save(self.store, sync=sync, soon=soon)
        except Gone:
            self._lose(run)
            return
        if written and finished(run.status):
            self._runs.pop(run.name, None)

    def _lose(self, run: Run) -> None:
        """The workflow's folder was removed by someone: end its processes and say that it is gone."""
        log.warning("the folder of %s is gone", run.name)
        self._runs.pop(run.name, None)
        self._pass_locks(run, over=True)
        self.nodes.abandon(self.store.folder(run.name))
        self._changed[run.name] = run.uid

    def close(self) -> None:
        """Let go; running nodes go on and are adopted by the next engine."""
        for run in list(self._runs.values()):
            if run.unsaved:
                try:
                    self.store.save(run.record, sync=False)
                except (OSError, Gone, LostClaim) as error:
                    log.warning("the last status of %s is not written: %s", run.name, error)
        self.loop.close()
        self.store.close()


__all__ = ["Config", "Engine", "Fault", "Grant", "LostClaim", "NotFound", "Observation", "Refused", "merge"]
