"""`orchestra workflow explain`: the graph of a manifest and what each node will see, without running anything."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestra import screen
from orchestra.desk import DeskError
from orchestra.workflow import manifest, words
from orchestra.workflow.folder import Folder, Json

if TYPE_CHECKING:
    from orchestra_engine.images import ImageTable
    from orchestra_engine.operate.templates import Library


MOST_LINES = 1000  # of a graph: Argo allows 200 templates with 200 tasks each


def explain(
    folder: Folder, file: str, *, parameters: Mapping[str, str], images: Iterable[str] = (), sandbox: str
) -> None:
    """Print what a manifest will do. Raises DeskError, OSError."""
    from orchestra_engine import validate
    from orchestra_engine.cluster import Cluster
    from orchestra_engine.images import looked_at
    from orchestra_engine.sandbox import plain

    from orchestra.workflow.images import FolderImages, read_all

    read = manifest.read(file)
    cluster = Cluster(folder.path)
    own = (one for one in read.objects if one["kind"] == "WorkflowTemplate")
    known = [*own, *cluster.workflow_templates().values()]
    workflow = manifest.with_parameters(read.workflow, parameters, known)
    templates = {manifest.object_name(one): one for one in reversed(known)}
    ignored = _refuse_faults(read, workflow, templates, {*cluster.secrets(), *_secrets(read)})
    kind = _chosen_sandbox(folder, sandbox)
    with looked_at(FolderImages(folder.path.absolute(), read_all(images))) as table:
        for line in Explanation(workflow, templates, images=table, sandbox=kind).lines():
            print(screen.shown(line))
    spec = workflow.get("spec") or {}
    _section("Refused in the plain sandbox", plain.faults(spec) if kind == "plain" else [])
    _section("Fails when it runs", [(one.path, one.message.partition(": ")[2]) for one in validate.doubts(spec)])
    _section("Ignored here", ignored)


def _chosen_sandbox(folder: Folder, wanted: str) -> str:
    """The sandbox that a run in the folder would have. Raises DeskError if it cannot be had."""
    from orchestra_engine.sandbox import choose

    place = folder.path.absolute()
    near = place if place.is_dir() else place.parent
    try:
        return choose(wanted, near if os.access(near, os.W_OK) else Path(tempfile.gettempdir()))
    except RuntimeError as error:
        raise DeskError(str(error)) from None


def _section(title: str, found: Iterable[tuple[str, str]]) -> None:
    """Print what is to be said of some fields, if anything is."""
    lines = [f"  {path}: {reason}" for path, reason in found]
    if lines:
        print(f"\n{title}")
        for line in lines:
            print(screen.shown(line))


def _secrets(read: manifest.Manifest) -> set[str]:
    return {manifest.object_name(one) for one in read.objects if one["kind"] == "Secret"}


def _refuse_faults(
    read: manifest.Manifest, workflow: Json, templates: Mapping[str, Json], secrets: Iterable[str]
) -> list[tuple[str, str]]:
    """What is ignored: (path, reason). Raises BadManifest for what is refused."""
    from orchestra_engine import lint, validate

    faults = validate.check(
        workflow,
        secrets=set(secrets),
        workflow_templates=templates,
        grants=set(lint.grants_of(workflow)),
        allow_missing_values=True,
    )
    refused = [fault for fault in faults if fault.kind == "refused"]
    if refused:
        raise manifest.BadManifest(read.lines(refused))
    return [(fault.path, fault.message.removeprefix("ignored: ")) for fault in faults]


@dataclass
class _Seen:
    """A template that is used, and by which nodes."""

    template: Json
    users: list[str] = field(default_factory=list)


class Explanation:
    """A workflow described in lines. `sandbox` is private or plain."""

    def __init__(self, workflow: Json, templates: Mapping[str, Json], *, images: ImageTable, sandbox: str) -> None:
        from orchestra_engine.operate.spec import executed
        from orchestra_engine.operate.templates import Library

        self.workflow, self.images, self.sandbox = workflow, images, sandbox
        self.spec: Mapping[str, Any] = executed(workflow, {}, templates)
        self.library: Library = Library(manifest.chosen_name(workflow), self.spec, templates)
        self.seen: dict[str, _Seen] = {}

    def lines(self) -> Iterator[str]:
        """Everything, from the workflow to the programs of its nodes."""
        yield from self._head()
        yield ""
        yield "Graph"
        graph = list(self._graph())
        yield from graph[:MOST_LINES]
        if len(graph) > MOST_LINES:
            yield f"… and {len(graph) - MOST_LINES} more lines"
        for seen in self.seen.values():
            if words.programs(seen.template) or seen.template.get("suspend") is not None:
                yield ""
                yield from self._template(seen)

    def _graph(self) -> Iterator[str]:
        for name, holder in self._tops():
            yield from self._node(name, "", holder, self.library.local_scope, "", last=True, top=True)

    def _tops(self) -> Iterator[tuple[str, Json]]:
        yield "", {"template": self.spec.get("entrypoint")}
        for name, hook in sorted((self.spec.get("hooks") or {}).items()):
            when = f"when {hook['expression']}" if hook.get("expression") else "at the end"
            yield f"hook {name} ({when}): ", hook
        if self.spec.get("onExit"):
            yield "at the end, however it comes: ", {"template": self.spec["onExit"]}

    def _head(self) -> Iterator[str]:
        name = manifest.chosen_name(self.workflow) or "(a name is needed: --name)"
        yield f"{name} begins with {self.spec.get('entrypoint')}"
        for parameter in (self.spec.get("arguments") or {}).get("parameters") or ():
            yield f"  argument {parameter['name']}{words.value(parameter, missing='no value yet: give it with -p')}"
        for key, form in (
            ("activeDeadlineSeconds", "ends after {} s at the latest"),
            ("parallelism", "at most {} nodes at a time"),
            ("retryStrategy", "each node: {}"),
            ("synchronization", "holds {}"),
        ):
            if self.spec.get(key) is not None:
                yield f"  {form.format(words.policy(key, self.spec[key]))}"

    # The graph

    def _node(
        self,
        label: str,
        how: str,
        holder: Mapping[str, Any],
        scope: str,
        indent: str,
        *,
        last: bool,
        top: bool = False,
    ) -> Iterator[str]:
        from orchestra_engine.language import LanguageError
        from orchestra_engine.operate.templates import type_of, with_defaults

        branch = "" if top else ("└─ " if last else "├─ ")
        below = indent if top else indent + ("   " if last else "│  ")
        name = words.name_of(holder)
        try:
            inner, found = self.library.find(scope, holder)
        except LanguageError:
            yield f"{indent}{branch}{label}{name}{how}  (known when it runs)"
            return
        template = with_defaults(found, self.spec.get("templateDefaults"))
        kind, key = type_of(template), f"{inner} {name} {id(found) if holder.get('inline') else ''}"
        again = key in self.seen and kind in ("steps", "dag")
        self.seen.setdefault(key, _Seen(template)).users.append(label.removesuffix(": ") or "the entrypoint")
        yield f"{indent}{branch}{label}{name} ({kind}){words.strategy(template)}{how}{'  (as above)' if again else ''}"
        parts = [] if again else [(*part, inner) for part in _parts(template)]
        parts += [(f"{when}: ", hook, scope) for when, hook in words.hooks(holder)]
        for number, (title, part, where) in enumerate(parts):
            last = number == len(parts) - 1
            yield from self._node(title, words.of_part(part), part, where, below, last=last)

    # The programs

    def _template(self, seen: _Seen) -> Iterator[str]:
        from orchestra_engine.lint import grants_of

        template = seen.template
        users = list(dict.fromkeys(seen.users))
        more = f" and {len(users) - 5} more" if len(users) > 5 else ""
        yield f"{template.get('name') or 'inline'} (of {', '.join(users[:5])}{more})"
        yield from (f"  {line}" for line in words.inputs(template))
        for container in words.programs(template):
            yield from (f"  {line}" for line in self._program(template, container))
        for mount in (template.get("containerSet") or {}).get("volumeMounts") or ():
            yield f"  all see     {mount.get('mountPath')}: the empty folder {mount.get('name')}"
        if template.get("suspend") is not None:
            wait = template["suspend"].get("duration")
            yield f"  waits       {f'for {words.duration(wait)}, or ' if wait else ''}until `orchestra workflow resume`"
        yield from (f"  {line}" for line in words.outputs(template))
        yield from (f"  {line}" for line in words.limits(template))
        for grant in grants_of(template.get("metadata")):
            yield f"  grant       {grant}: further folders, which only a server gives"

    def _program(self, template: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[str]:
        title = f"{container['name']}: " if template.get("containerSet") else ""
        argv = [*(container.get("command") or ()), *(container.get("args") or ())]
        if container.get("source") is not None:
            first = words.short(container["source"].strip().split("\n")[0])
            lines = len(container["source"].strip().splitlines())
            argv.append(f"FILE, which holds {f'{lines} lines from {first!r} on' if lines > 1 else repr(first)}")
            yield f"program     {title}{' '.join(argv)}"
        else:
            yield f"program     {title}{words.short(' '.join(map(words.quoted, argv))) or 'none'}"
        if container.get("dependencies"):
            yield f"after       {', '.join(container['dependencies'])}"
        yield from self._image(container)
        yield from self._sandbox(container)

    def _image(self, container: Mapping[str, Any]) -> Iterator[str]:
        from orchestra_engine.images import UnknownImage
        from orchestra_engine.sandbox.program import environment

        name = self._with_values(str(container.get("image") or ""))
        tmp = "/tmp" if self.sandbox == "private" else "SCRATCH/tmp"  # noqa: S108 - the node's own
        path: list[str] = []
        more: dict[str, str] = {}
        if "{{" in name:
            yield f"image       {name} (known when it runs)"
        else:
            try:
                image = self.images.resolve(name)
            except UnknownImage as error:
                yield f"image       {error}: it would be refused"
            else:
                path, more = [str(each) for each in image.path], image.env
                folders = ", ".join(str(each) for each in image.readonly)
                meaning = folders or "this machine's shell and programs"
                yield f"image       {name}: {meaning}"
        own = [{"name": one["name"], "value": str(one.get("value") or "")} for one in container.get("env") or ()]
        found, _ = environment(own=[], image_path=path, extra=[more], tmp=tmp)
        yield f"environment {' '.join(f'{key}={value}' for key, value in found.items())}"
        for variable, given in zip(container.get("env") or (), own, strict=True):
            source = words.source(variable.get("valueFrom"))
            yield f"            {given['name']}={source or words.short(given['value'])}"
        for one in container.get("envFrom") or ():
            for kind in ("configMapRef", "secretRef"):
                if one.get(kind):
                    yield f"            {one.get('prefix') or ''}… from the {kind[:-3]} {one[kind].get('name')}"

    def _with_values(self, text: str) -> str:
        """A text with the workflow's parameters put in, as far as they have values."""
        for parameter in (self.spec.get("arguments") or {}).get("parameters") or ():
            if parameter.get("value") is not None:
                text = text.replace(f"{{{{workflow.parameters.{parameter['name']}}}}}", str(parameter["value"]))
        return text

    def _sandbox(self, container: Mapping[str, Any]) -> Iterator[str]:
        folder = container.get("workingDir")
        if self.sandbox == "private":
            yield f"sees        a root of its own (private): cwd {folder or '/'}, programs of this machine read-only"
        else:
            yield f"sees        this machine's files (plain): cwd {folder or 'SCRATCH'}, a folder of its own"
        for mount in container.get("volumeMounts") or ():
            yield f"            {mount.get('mountPath')}: the empty folder {mount.get('name')}"


def _parts(template: Mapping[str, Any]) -> list[tuple[str, Json]]:
    """The steps or tasks of a template, each with its label."""
    parts = []
    for number, group in enumerate(template.get("steps") or ()):
        parts += [(f"[{number}] {step['name']}: ", step) for step in group]
    if template.get("dag"):
        parts += [(f"{task['name']}: ", task) for task in words.in_order(template["dag"])]
    return parts
