"""One call of operate as a whole: the workflow's spec and variables, and how a node of any kind is executed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestra_engine.language import LanguageError, tags
from orchestra_engine.operate import deadlines, locks, memoize, parallelism, retries
from orchestra_engine.operate.context import Board, Hopeless, NodeError, is_final, seconds_of
from orchestra_engine.operate.locks import LockView
from orchestra_engine.operate.scope import age
from orchestra_engine.operate.templates import (
    IdentityCache,
    Library,
    merged_inputs,
    process,
    type_of,
    untagged,
    with_defaults,
)
from orchestra_engine.pod import Pod
from orchestra_engine.workflow import pod_name

POD_TYPES = ("container", "containerSet", "script")
_NODE_TYPES = {"steps": "Steps", "dag": "DAG", "suspend": "Suspend"}
_MAX_DEPTH = 100
# Argo's controller sees only the ConfigMaps that have this label; the value says what for.
_LABEL, _PARAMETERS = "workflows.argoproj.io/configmap-type", "Parameter"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Where a node stands: its boundary, its flag, whether it belongs to an exit handler, whose results are read."""

    boundary: str = ""
    flag: Mapping[str, bool] | None = None
    on_exit: bool = False
    results: frozenset[str] = frozenset()
    until: float | None = None
    word: str = "steps"  # what the enclosing template calls its parts: steps or tasks


@dataclass(slots=True, kw_only=True)  # not frozen: that would make each of a thousand twice as dear
class Work:
    """A template ready to run: with its arguments, as a node of that name. Never written to."""

    name: str
    kind: str
    template: dict[str, Any]
    raw: dict[str, Any]
    inputs: dict[str, Any]
    holder: Mapping[str, Any]
    scope: str  # where the holder stands
    inner: str  # where the template's own references are looked up
    options: Options
    expressions_left: bool = False  # in the template
    fixed: bool = False  # nothing had to be replaced: `template` is the same object for all nodes made from it

    @property
    def node_inputs(self) -> dict[str, Any] | None:
        """The inputs as the node shows them."""
        return self.inputs or None


Executor = Callable[["Operation", Work], dict[str, Any] | None]


class Operation:
    """The state of one call beside the board: what the modules for each kind of template work with."""

    def __init__(
        self,
        board: Board,
        workflow: Mapping[str, Any],
        spec: Mapping[str, Any],
        library: Library,
        *,
        configmaps: Mapping[str, Any],
        secrets: Mapping[str, Mapping[str, str]],
        lock_view: LockView | None,
        executors: Mapping[str, Executor],
    ) -> None:
        self.board, self.workflow, self.spec, self.library = board, workflow, spec, library
        self.executors = executors
        self.now = board.now
        self.namespace: str = (workflow.get("metadata") or {}).get("namespace") or "default"
        self.configmaps, self.secrets = configmaps, secrets
        self.locks = lock_view or LockView()
        self.params: dict[str, str] = {}
        self.nested = False
        self.shutdown: str = spec.get("shutdown") or ""
        self.stopping = False  # whether this is the call in which the shutdown is first seen
        started = board.status.get("startedAt")
        limit = spec.get("activeDeadlineSeconds")
        self.deadline = None if limit is None or not started else seconds_of(started) + float(limit)
        self.full = True
        self.held_back = False
        self.collecting: set[str] | None = None
        self.collected: list[Pod] = []
        self.depth = 0
        self.shapes = IdentityCache()  # what the pods of one template have in common
        self.parents: dict[str, dict[str, Any]] = {}  # boundary id → its template, while its children are executed

    def may_run(self, on_exit: bool) -> bool:
        """Whether shutdown lets a pod run: Stop only those of exit handlers, Terminate none."""
        return not self.shutdown or (self.shutdown == "Stop" and on_exit)

    @property
    def late(self) -> bool:
        """Whether the workflow's deadline has passed."""
        return self.deadline is not None and self.now >= self.deadline

    def ended(self, ident: str) -> bool:
        """Whether a node is final (or gone)."""
        node = self.board.nodes.get(ident)
        return node is None or is_final(node)

    def configmap_value(self, parameter: Mapping[str, Any], reference: Mapping[str, Any]) -> str:
        """The value of an input's `configMapKeyRef`, its default if there is none.

        Raises LanguageError if there is neither.
        """
        return self._kept(parameter, reference, f"unable to retrieve inputs.parameters.{parameter.get('name')} from")

    def argument(self, parameter: Mapping[str, Any], reference: Mapping[str, Any]) -> str:
        """The value of a `configMapKeyRef` of the workflow's arguments; as `configmap_value` otherwise."""
        place = f"with name {reference.get('name', '')} and key {reference.get('key', '')}"
        return self._kept(parameter, reference, f"failed to set global parameter {parameter.get('name')} from", place)

    def _kept(self, parameter: Mapping[str, Any], reference: Mapping[str, Any], fault: str, place: str = "") -> str:
        name, key = (tags.replace(str(reference.get(k, "")), self.params) for k in ("name", "key"))
        configmap = self.configmaps.get(name) or {}
        label = ((configmap.get("metadata") or {}).get("labels") or {}).get(_LABEL)
        data = configmap.get("data") or {}
        if label == _PARAMETERS and key in data:
            return str(data[key])
        default = (parameter.get("valueFrom") or {}).get("default")
        if default is not None:
            return str(default)
        if label is None:
            advice = f"Please make sure it has the label {_LABEL}: {_PARAMETERS} to be detectable by the controller"
            missing = f"ConfigMap '{name}' does not exist. {advice}"
        elif label != _PARAMETERS:
            missing = f"ConfigMap '{name}' needs to have the label {_LABEL}: {_PARAMETERS} to load parameters"
        else:
            missing = f"ConfigMap '{name}' does not have the key '{key}'"
        raise LanguageError(f"{fault} {f'configmap {place}' if place else 'ConfigMap'}: {missing}")

    def execute(
        self, name: str, holder: Mapping[str, Any], scope: str, arguments: Mapping[str, Any], options: Options
    ) -> dict[str, Any] | None:
        """Bring a node forward: make it, look after it, or find that it has ended.

        Raises Blocked if it has to wait for a place, NodeError if it cannot run (the node then says so).
        """
        node = self.board.named(name)
        if node is not None and self.rests(node):
            return node
        self.depth += 1
        try:
            if self.depth > _MAX_DEPTH:
                raise Hopeless(
                    f"Maximum recursion depth exceeded: templates call each other more than {_MAX_DEPTH} deep"
                )
            work = self._prepared(name, holder, scope, arguments, options)
            return self._run(work, node)
        except LanguageError as error:
            raise NodeError(str(error), self._refused(node, name, holder, scope, options, str(error))) from None
        finally:
            self.depth -= 1

    def rests(self, node: dict[str, Any]) -> bool:
        """Whether there is nothing to do for a node and all below it: it has ended, or nothing near it has changed."""
        if is_final(node):
            return True
        if self.collecting is not None or "synchronizationStatus" in node:
            return False
        if node["type"] == "Pod":
            return node["id"] in self.board.private.get("live", ())
        if node["type"] == "Suspend":
            return node["id"] in self.board.private.get("waits", ())
        if node["type"] == "Retry" and node.get("children"):
            last = self.board.nodes[node["children"][-1]]
            return last["type"] in ("Pod", "Suspend") and self.rests(last) and not is_final(last)
        return not self.full and node["id"] not in self.board.dirty

    def _prepared(
        self, name: str, holder: Mapping[str, Any], scope: str, arguments: Mapping[str, Any], options: Options
    ) -> Work:
        inner, found = self.library.find(scope, holder)
        template = with_defaults(found, self.spec.get("templateDefaults"))
        kind = type_of(template)
        inputs = merged_inputs(template, arguments, self.configmap_value)
        filled = untagged(template, inputs)
        fixed, expressions_left = filled is not None, False
        if filled is None:
            params = self._variables(name, template, kind, holder, options)
            filled, inputs, expressions_left = process(template, inputs, params, nested=self.nested)
        return Work(
            name=name,
            kind=kind,
            template=filled,
            raw=template,
            inputs=inputs,
            holder=holder,
            scope=scope,
            inner=inner,
            options=options,
            fixed=fixed,
            expressions_left=expressions_left,
        )

    def _variables(
        self, name: str, template: Mapping[str, Any], kind: str, holder: Mapping[str, Any], options: Options
    ) -> dict[str, str]:
        """What a template's tags can refer to; of a pod that may be retried not its name, which each attempt has."""
        params = {**self.params, "node.name": name, f"{options.word}.name": holder.get("name", "")}
        if kind not in POD_TYPES:
            return params
        if self.retry_strategy(template) is None:
            params["pod.name"] = pod_name(self.board.name, name, template.get("name", ""))
        else:
            params.pop("pod.name", None)
        return params

    def retry_strategy(self, template: Mapping[str, Any]) -> dict[str, Any] | None:
        """The template's own retryStrategy, else the workflow's."""
        own = template.get("retryStrategy")
        return own if own is not None else self.spec.get("retryStrategy")

    def again(self, work: Work, name: str, local: Mapping[str, str]) -> Work:
        """The same work as one attempt of a Retry node, with the variables of that attempt."""
        if work.fixed:
            return replace(work, name=name)
        params = {**self.params, "node.name": work.name, **local}
        if work.kind in POD_TYPES:
            params["pod.name"] = pod_name(self.board.name, name, work.raw.get("name", ""))
        params[f"{work.options.word}.name"] = work.holder.get("name", "")
        filled, shown, left = process(work.raw, work.inputs, params, nested=self.nested)
        return replace(work, name=name, template=filled, inputs=shown, expressions_left=left)

    def _run(self, work: Work, node: dict[str, Any] | None) -> dict[str, Any] | None:
        if node is not None:
            self._rename(work, node)
        parallelism.check(self, work, node)
        node, unlocked = self._locked(work, node)
        if node is not None and "synchronizationStatus" in node:
            return node
        node = self._memoized(work, node, unlocked)
        if node is not None and is_final(node):
            return node
        strategy = self.retry_strategy(work.template)
        if strategy is not None:
            return retries.execute(self, work, node, strategy)
        return self.attempt(work)

    def attempt(self, work: Work) -> dict[str, Any] | None:
        """Execute a template that is not, or no longer, wrapped in a Retry node.

        Raises NodeError if it fails at once.
        """
        try:
            executor = self.executors.get(work.kind)
            if executor is None:
                raise LanguageError(f"Template '{work.template.get('name', '')}' missing specification")
            node = executor(self, work)
        except LanguageError as error:
            made = self.board.named(work.name)
            if made is None:
                raise
            raise NodeError(str(error), self.board.mark(made["id"], "Error", str(error))) from None
        if node is not None and is_final(node):
            memoize.save(self, node) if node["type"] != "Pod" else None
        return node

    def _rename(self, work: Work, node: dict[str, Any]) -> None:
        shown = (work.template.get("annotations") or {}).get("workflows.argoproj.io/display-name")
        if shown:
            self.board.put(node["id"], "displayName", shown)

    def _locked(self, work: Work, node: dict[str, Any] | None) -> tuple[dict[str, Any] | None, bool]:
        wanted = work.template.get("synchronization")
        if not wanted:
            return node, False
        if node is None and not self.may_run(work.options.on_exit):
            return None, False  # nothing of it will run, so it waits for nothing
        ident = self.board.id(work.name)
        lock, message = locks.acquire(self, ident, wanted)
        if not lock and node is None:
            return None, True
        if not lock:
            waited = "synchronizationStatus" in self.board.nodes[ident]
            return self.board.wait_for_lock(ident, "", ""), waited
        if node is None:
            node = self.make(work, self.node_type(work), "Pending")
            deadlines.limit_waiting(self, node, work.template)
        return self.board.wait_for_lock(ident, lock, message), False

    def _memoized(self, work: Work, node: dict[str, Any] | None, unlocked: bool) -> dict[str, Any] | None:
        wanted = work.template.get("memoize")
        if not wanted or (node is not None and not unlocked):
            return node
        try:
            status, outputs = memoize.look_up(self, wanted)
        except LanguageError:
            self.board.section("held").pop(self.board.id(work.name), None)
            raise
        if not status["hit"]:
            if node is not None:
                return self.board.put(node["id"], "memoizationStatus", status)
            return None
        if node is None:
            node = self.make(work, self.node_type(work), "Pending")
        self.board.put(node["id"], "memoizationStatus", status)
        self.board.put(node["id"], "outputs", outputs)
        return self.board.mark(node["id"], "Succeeded")

    def node_type(self, work: Work) -> str:
        """The type of the node that stands for a template."""
        if self.retry_strategy(work.template) is not None:
            return "Retry"
        return _NODE_TYPES.get(work.kind, "Pod")

    def make(self, work: Work, kind: str, phase: str, *, flag: Mapping[str, bool] | None = None) -> dict[str, Any]:
        """A new node for a piece of work, with its inputs and its memoization status."""
        node = self.board.create(
            work.name,
            kind,
            scope=work.scope,
            holder=work.holder,
            boundary=work.options.boundary,
            phase=phase,
            flag=flag if flag is not None else work.options.flag,
        )
        if work.node_inputs:
            node["inputs"] = work.node_inputs
        wanted = work.template.get("memoize")
        if wanted:
            cache = wanted["cache"]["configMap"]["name"]
            node["memoizationStatus"] = {"hit": False, "key": wanted.get("key", ""), "cacheName": cache}
        return node

    def _refused(
        self,
        node: dict[str, Any] | None,
        name: str,
        holder: Mapping[str, Any],
        scope: str,
        options: Options,
        message: str,
    ) -> dict[str, Any]:
        node = node if node is not None else self.board.named(name)
        if node is not None:
            return self.board.mark(node["id"], "Error", message)
        self.board.section("held").pop(self.board.id(name), None)
        return self.board.create(
            name,
            "Skipped",
            scope=scope,
            holder=holder,
            boundary=options.boundary,
            phase="Error",
            flag=options.flag,
            message=message,
        )

    def runtime_params(self, phase: str) -> None:
        """Set the variables that change while the workflow runs."""
        self.params["workflow.status"] = phase
        self.params["workflow.duration"] = age(self.board.status, self.now)
        self.nested = any("{{" in value for value in self.params.values())
