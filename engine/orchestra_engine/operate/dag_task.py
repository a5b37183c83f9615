"""One task of a dag: its dependencies, its condition, its items, its hooks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import LanguageError, conditions
from orchestra_engine.operate import dag, depends, graph, hooks, loops, scope, step_group
from orchestra_engine.operate.context import Blocked, NodeError, completed, failed, is_final
from orchestra_engine.operate.scope import Scope
from orchestra_engine.operate.templates import text_of

if TYPE_CHECKING:
    from orchestra_engine.operate.depends import Plan
    from orchestra_engine.operate.operation import Operation, Options, Work

_TASKS = re.compile(r"tasks(?:\.([\w-]+)|\[[\\'\"]+([\w-]+)[\\'\"]+\])")


class Visit:
    """One look at a dag whose plan is known."""

    def __init__(self, op: Operation, work: Work, plan: Plan, options: Options) -> None:
        self.op, self.work, self.plan, self.options = op, work, plan, options
        self.board, self.where = op.board, work.inner
        self.sound: set[str] = set()  # loops whose outputs make lists
        self.groups: list[tuple[str, tuple[dict[str, Any], ...]]] = []

    def name(self, task: str) -> str:
        """The node name of a task."""
        return f"{self.work.name}.{task}"

    def task(self, name: str) -> bool:
        """Bring a task forward; whether it and its hooks have ended for good.

        Raises LanguageError if a hook's expression fails: of a target that ends the dag.
        """
        task, full = self.plan.tasks[name], self.name(name)
        if is_final(self.board.nodes[self.options.boundary]):
            return False
        node = self.board.named(full)
        if not hooks.has_any(task):
            ended = is_final(node) or self.forward(name, task, node)
            if name in self.plan.ends and self.board.named(full) is not None:
                self.check_loops(name)
            return ended
        if node is not None and (is_final(node) or node["phase"] == "Running"):
            if not self.hooks_done(task, node) and self.op.collecting is None:
                self.op.held_back = True  # what changes below it meanwhile is looked at when the hook has ended
                return False
            node = self.board.nodes[node["id"]]
        over = is_final(node)
        if node is None or not over:
            self.forward(name, task, node)
            if node is None and self.runs(full) and task.get("hooks") and name not in self.plan.targets:
                self.board.unsettled = True  # its hooks look at it at the next visit
        elif completed(node):
            over = self.items_done(task, node)
            over = self.exit_done(task, node) and over
        node = self.board.named(full)
        if node is not None and name in self.plan.ends:
            self.check_loops(name)
            over = self.lifecycle(task, node) and over
        return over

    def items_done(self, task: Mapping[str, Any], group: Mapping[str, Any]) -> bool:
        """Bring the exit handlers of a loop's items to their end that were begun before the loop ended."""
        done = True
        for child in group.get("children", ()) if group["type"] == "TaskGroup" else ():
            item = self.board.nodes[child]
            handler = self.board.named(f"{item['name']}.onExit")
            if handler is not None and not is_final(handler):
                done = self.exit_done(task, item) and done
        return done

    def runs(self, name: str) -> bool:
        """Whether there is a node of that name that is Running."""
        node = self.board.named(name)
        return node is not None and node["phase"] == "Running"

    def check_loops(self, task: str | None = None) -> None:
        """Raise LanguageError if what the loops before a task (of the whole dag if None) gave out makes no list.

        As in Argo that ends whatever could refer to it, be it referred to or not.
        """
        before = self.plan.ancestors(task) if task is not None and self.plan.loops else None
        for name in self.plan.loops:
            node = self.board.named(self.name(name)) if before is None or name in before else None
            if node is None or node["type"] != "TaskGroup":
                continue
            if self.plan.tasks[name].get("inline") and task is not None:
                raise LanguageError("failed to get a template")
            if name in self.options.results and name not in self.sound:
                items = [self.board.nodes[child] for child in node.get("children", ()) if child in self.board.nodes]
                scope.aggregate(Scope(), "", items)
                self.sound.add(name)

    def forward(self, name: str, task: dict[str, Any], node: dict[str, Any] | None) -> bool:
        """Start a task if it may, or look after it; whether it has ended."""
        held = node is None and not self.may_start(name, task)
        if not held:
            self.start(name, task, node)
        node = self.board.named(self.name(name))
        return node is not None and is_final(node) and not (held and completed(node))

    def lifecycle(self, task: Mapping[str, Any], node: dict[str, Any]) -> bool:
        """Run the hooks whose expressions hold; whether they have ended. Raises LanguageError if one cannot."""
        try:
            return hooks.lifecycle(self.owner(task, node))
        except NodeError as error:
            raise LanguageError(error.message) from None

    def hooks_done(self, task: Mapping[str, Any], node: dict[str, Any]) -> bool:
        """As `lifecycle`; a hook that cannot run is the task's error."""
        try:
            return self.lifecycle(task, node)
        except LanguageError as error:
            self.board.mark(node["id"], "Error", str(error))
        return True

    def exit_done(self, task: Mapping[str, Any], node: dict[str, Any]) -> bool:
        """Run the exit handler of a task or item that has ended; whether it has ended too.

        As in Argo, one that cannot run changes nothing in a dag.
        """
        try:
            return hooks.on_exit(self.owner(task, node))
        except (LanguageError, NodeError):
            return True

    def owner(self, task: Mapping[str, Any], node: dict[str, Any]) -> hooks.Owner:
        """A task, or an item of it, as the owner of the task's hooks."""
        seen = self.scope(task["name"], task)
        seen.params[f"tasks.{task['name']}.status"] = node["phase"]
        return hooks.Owner(self.op, seen, task, node, self.where, self.options)

    def may_start(self, name: str, task: Mapping[str, Any]) -> bool:
        """Whether all that a task depends on has ended as it wishes; if not as it wishes, it is omitted."""
        if self.op.shutdown and not self.options.on_exit and not self.op.stopping:
            return False
        needs = self.plan.needs[name]
        if not needs:
            return True
        results: dict[str, dict[str, bool]] = {}
        for one in needs:
            node = self.board.named(self.name(one))
            if not is_final(node) or not self.hooks_ended(node):
                return False
            assert node is not None
            results[one] = self.results(node)
        try:
            if depends.holds(self.plan.conditions[name], results):
                return True
        except LanguageError as error:
            self.unmade(name, task, "Error", str(error))
            return False
        self.unmade(name, task, "Omitted", "omitted: depends condition not met")
        return False

    def hooks_ended(self, node: Mapping[str, Any] | None) -> bool:
        """Whether no hook of a node still runs."""
        for child in (node or {}).get("children", ()):
            hook = self.board.nodes.get(child)
            if hook is not None and (hook.get("nodeFlag") or {}).get("hooked") and not is_final(hook):
                return False
        return True

    def results(self, node: Mapping[str, Any]) -> dict[str, bool]:
        """How a task ended, in the words of `depends`."""
        phase = node["phase"]
        phases = []
        if node["type"] == "TaskGroup":
            phases = [self.board.nodes[c]["phase"] for c in node.get("children", ()) if c in self.board.nodes]
        words = {"Error": "Errored"}
        found = dict.fromkeys(depends.RESULTS, False) | {words.get(phase, phase): True}
        found["AnySucceeded"] = "Succeeded" in phases
        found["AllFailed"] = bool(phases) and all(p == "Failed" for p in phases)
        return found

    def unmade(self, name: str, task: Mapping[str, Any], phase: str, message: str) -> None:
        """A node for a task that does not run."""
        made = self.board.named(self.name(name))
        if made is not None:
            self.board.mark(made["id"], phase, message)
            return
        made = self.board.create(
            self.name(name),
            "Skipped",
            scope=self.where,
            holder=task,
            boundary=self.options.boundary,
            phase=phase,
            flag={},
            message=message,
        )
        self.connect(name, made["id"])

    def connect(self, name: str, ident: str, group: Mapping[str, Any] | None = None) -> None:
        """Attach a node to its group, to what its task depends on, or to the dag itself."""
        needs = self.plan.needs[name]
        if group is not None:
            self.board.add_child(group["id"], ident)
        elif not needs:
            self.board.add_child(self.options.boundary, ident)
        else:
            before = [self.board.id(self.name(one)) for one in needs]
            if not graph.connect(self.board, before, ident):
                # A dag or steps whose outputs failed lead nowhere: in Argo nothing would ever end after them.
                for one in before:
                    self.board.add_child(one, ident)

    def scope(self, name: str, task: Mapping[str, Any]) -> Scope:
        """What a task can refer to: the dag's inputs and the tasks before it that it names."""
        seen = Scope(self.work.inputs)
        scope.add_workflow_outputs(seen, self.board.status.get("outputs"))
        text = text_of(task)
        named = {found[1] or found[2] for found in _TASKS.finditer(text)}
        wanted = self.plan.ancestors(name) if named or "tasks" in text else set()
        if "{{=" not in text:
            wanted = wanted & named
        for one in self.plan.order if wanted else ():
            if one in wanted:
                node = self.board.named(self.name(one))
                if node is not None:
                    dag.add_task(self.op, seen, node, self.plan.tasks[one], self.where)
        return seen

    def start(self, name: str, task: dict[str, Any], node: dict[str, Any] | None) -> None:
        """Execute a task, or the items of its loop."""
        if node is not None and self.nothing_new(task, node):
            return
        try:
            self.check_loops(name)
            seen = self.scope(name, task)
            resolved = step_group.resolve(task, seen, self.op.params)
            if not loops.expands(resolved):
                items: tuple[dict[str, Any], ...] = (resolved,)
            else:
                items = loops.expand(resolved, seen.with_globals(self.op.params))
        except LanguageError as error:
            self.unmade(name, task, "Error", str(error).removeprefix("unable to resolve references: "))
            return
        if not loops.expands(task):
            self.item(name, resolved, None)
            made = self.board.named(self.name(name))
            if hooks.has_any(task) and made is not None and completed(made):
                self.exit_done(task, made)
        elif not items:
            self.unmade(name, task, "Skipped", "Skipped, empty params")
        else:
            self.loop(name, task, items, node)

    def nothing_new(self, task: Mapping[str, Any], node: dict[str, Any]) -> bool:
        """Whether a running task, or all items of a running loop, can be left alone."""
        if not loops.expands(task) or self.op.collecting is not None:
            return self.op.rests(node)
        entry = self.board.section("groups").get(node["id"])
        if entry is None or entry["n"] is not None:
            return False
        nodes = self.board.nodes
        near = entry["open"] if self.op.full else entry["open"].keys() & self.board.dirty
        moved = [child for child in near if is_final(nodes[child]) or not self.op.rests(nodes[child])]
        if moved and len(moved) < len(entry["open"]) and all(is_final(nodes[child]) for child in moved):
            left = dict(entry["open"])
            for child in moved:
                del left[child]
            self.board.section("groups")[node["id"]] = {"n": None, "open": left}
            return True
        return not moved

    def loop(
        self, name: str, task: Mapping[str, Any], items: tuple[dict[str, Any], ...], node: dict[str, Any] | None
    ) -> None:
        """Execute the items of a loop and mark its group when they have ended."""
        if node is None:
            node = self.board.create(
                self.name(name),
                "TaskGroup",
                scope=self.where,
                holder=task,
                boundary=self.options.boundary,
                phase="Running",
                flag={},
            )
            self.connect(name, node["id"])
        ident = node["id"]
        if hooks.exit_hook(self.op.spec, task) is not None:
            self.in_turn(name, task, items, node)
            return
        groups = self.board.section("groups")
        entry = groups.get(ident, {"n": 0, "open": {}})
        still = [c for c in entry["open"] if self.op.collecting is not None or not self.op.rests(self.board.nodes[c])]
        for child in still:
            self.item(name, items[scope.loop_index(self.board.nodes[child]["name"])], node)
        looked = dict(entry["open"])
        reached = len(items) if entry["n"] is None else entry["n"]
        for item in islice(items, reached, None):
            if not self.item(name, item, node):
                break
            reached += 1
            looked[self.board.id(self.name(item["name"]))] = 1
        left = {c: 1 for c in looked if not is_final(self.board.nodes[c])}
        if is_final(self.board.nodes[self.options.boundary]):
            return
        if left or reached < len(items):
            fresh = {"n": reached if reached < len(items) else None, "open": left}
            if groups.get(ident) != fresh:
                groups[ident] = fresh
            return
        self.close(ident, items)

    def in_turn(
        self, name: str, task: Mapping[str, Any], items: tuple[dict[str, Any], ...], group: dict[str, Any]
    ) -> None:
        """Execute the items of a loop that has an exit handler: as in Argo, none is looked at while that of an item
        before it runs, and those of items that ended meanwhile are left out."""
        for item in items:
            if not self.item(name, item, group):
                break
            made = self.board.named(self.name(item["name"]))
            ended = made is not None and completed(made)
            if made is not None and ended and not self.exit_done(task, made) and self.op.collecting is None:
                self.op.held_back = True
                break
        else:
            if all(is_final(self.board.named(self.name(item["name"]))) for item in items):
                self.close(group["id"], items)
            return
        self.groups.append((group["id"], items))

    def close_groups(self) -> None:
        """Mark the groups whose items have ended while an exit handler of theirs still runs."""
        for ident, items in self.groups:
            if all(is_final(self.board.named(self.name(item["name"]))) for item in items):
                self.close(ident, items)

    def close(self, ident: str, items: tuple[dict[str, Any], ...]) -> None:
        """Mark a loop's group by how its items have ended."""
        bad = [i for i in (self.board.named(self.name(t["name"])) for t in items) if i is not None and failed(i)]
        self.board.mark(ident, bad[-1]["phase"] if bad else "Succeeded")

    def item(self, name: str, item: dict[str, Any], group: dict[str, Any] | None) -> bool:
        """Execute one task or item; False: it has to wait, and so do those after it."""
        full = self.name(item["name"])
        if self.board.named(full) is None:
            self.connect(name, self.board.id(full), group)
            try:
                if not conditions.evaluate(item.get("when") or ""):
                    self.bare(full, item, "Skipped", f"when '{item['when']}' evaluated false")
                    return True
            except LanguageError as error:
                self.bare(full, item, "Error", str(error))
                return True
        try:
            self.op.execute(full, item, self.where, item.get("arguments") or {}, self.options)
        except Blocked:
            pass
        except NodeError as error:
            self.board.mark(self.board.id(full), "Error", f"task '{full}' errored: {error.message}")
        return self.board.named(full) is not None

    def bare(self, full: str, item: Mapping[str, Any], phase: str, message: str) -> None:
        """A node for an item that does not run; its edges are there already."""
        self.board.create(
            full,
            "Skipped",
            scope=self.where,
            holder=item,
            boundary=self.options.boundary,
            phase=phase,
            flag={},
            message=message,
        )
