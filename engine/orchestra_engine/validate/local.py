"""What this engine cannot run in processes, and what it accepts without effect: each with its path and the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from orchestra_engine.language import LanguageError, durations
from orchestra_engine.operate.pod import ANNOTATIONS, GRANT
from orchestra_engine.operate.templates import TYPES, with_defaults
from orchestra_engine.validate import fields
from orchestra_engine.validate.faults import Fault, Kind

_RUN_LIMITS = ("memory", "cpu", "ephemeral-storage")


def _fault(path: str, message: str, kind: Kind = "refused") -> Fault:
    return Fault(path=path, message=message, by="engine", kind=kind)


def _empty(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {})


def _by_table(value: Mapping[str, Any], table: Mapping[str, fields.Field], path: str) -> Iterator[Fault]:
    for name, item in value.items():
        field = table.get(name)
        # A template type of this engine's own may be empty ({}), e.g. suspend; a refused one too.
        there = item is not None if name in TYPES else not _empty(item)
        if field is None or field.does == "run" or not there:
            continue
        word = "is not run here" if field.does == "refused" else "has no effect here"
        yield _fault(f"{path}.{name}", f"{name} {word}: {field.text}", field.does)


class LocalCheck:
    """Looks at a whole workflow with what is there on this machine."""

    def __init__(
        self, *, secrets: Collection[str], configmaps: Collection[str], grants: Collection[str]
    ) -> None:
        self.secrets, self.configmaps, self.grants = set(secrets), set(configmaps), set(grants)

    def faults(self, workflow: Mapping[str, Any]) -> Iterator[Fault]:
        """All faults and ignored fields of a workflow."""
        spec = workflow.get("spec") or {}
        yield from _by_table(spec, fields.SPEC, "spec")
        yield from self.annotations((spec.get("podMetadata") or {}).get("annotations"), "spec.podMetadata.annotations")
        yield from _volumes(spec, "spec")
        yield from _locks(spec, "spec")
        yield from self.arguments(spec.get("arguments"), "spec.arguments")
        shared = {v.get("name") for v in spec.get("volumes") or []}
        defaults = spec.get("templateDefaults") or {}
        if defaults:
            yield from self.template(defaults, "spec.templateDefaults", {}, shared, partial=True)
        for index, template in enumerate(spec.get("templates") or []):
            yield from self.template(template, f"spec.templates[{index}]", defaults, shared)

    def template(
        self,
        template: Mapping[str, Any],
        path: str,
        defaults: dict[str, Any],
        shared: Collection[Any],
        *,
        partial: bool = False,
    ) -> Iterator[Fault]:
        """A template, and those that stand inline in it. `partial`: defaults, which need not be whole."""
        yield from _by_table(template, fields.TEMPLATE, path)
        for key in ("annotations", "metadata.annotations"):
            holder = template if key == "annotations" else template.get("metadata") or {}
            yield from self.annotations(holder.get("annotations"), f"{path}.{key}")
        yield from _volumes(template, path)
        yield from _locks(template, path)
        for side in ("inputs", "outputs"):
            yield from self.arguments(template.get(side), f"{path}.{side}")
        whole = template if partial else with_defaults(dict(template), defaults)
        known = {*shared, *(v.get("name") for v in whole.get("volumes") or [])}
        for kind in ("container", "script"):
            if template.get(kind) is not None:
                yield from self.container(template[kind], f"{path}.{kind}", known)
                if not partial and not (whole.get(kind) or {}).get("command"):
                    yield _command(f"{path}.{kind}")
        if template.get("containerSet") is not None:
            yield from self.container_set(template["containerSet"], f"{path}.containerSet", known)
        for where, part in _parts(template, path):
            yield from self.arguments(part.get("arguments"), f"{where}.arguments")
            if part.get("inline"):
                yield from self.template(part["inline"], f"{where}.inline", defaults, shared)

    def annotations(self, found: Mapping[str, str] | None, path: str) -> Iterator[Fault]:
        """The annotations that this engine reads."""
        for name, value in (found or {}).items():
            where = f"{path}[{name}]"
            if name == GRANT and value not in self.grants:
                yield _fault(where, f"the grant '{value}' is not given to this workflow")
            elif name in ANNOTATIONS and name != GRANT:
                try:
                    if durations.quantity(str(value)) < 1:
                        yield _fault(where, f"the limit {value} is too low: at least 1")
                except LanguageError as error:
                    yield _fault(where, str(error))
            elif name.startswith("orchestra/") and name not in ANNOTATIONS:
                yield _fault(where, f"unknown annotation {name}; there are {', '.join(ANNOTATIONS)}")

    def container_set(self, parts: Mapping[str, Any], path: str, known: Collection[Any]) -> Iterator[Fault]:
        """The containers of a containerSet."""
        if parts.get("retryStrategy"):
            yield _fault(
                f"{path}.retryStrategy", "retryStrategy of a containerSet is not run here: use that of the template"
            )
        yield from _mounts(parts, path, known)
        for index, container in enumerate(parts.get("containers") or []):
            where = f"{path}.containers[{index}]"
            yield from self.container(container, where, known)
            if not container.get("command"):
                yield _command(where)

    def container(self, container: Mapping[str, Any], path: str, known: Collection[Any]) -> Iterator[Fault]:
        """One container or script."""
        yield from _by_table(container, fields.CONTAINER, path)
        if (container.get("securityContext") or {}).get("privileged"):
            yield _fault(
                f"{path}.securityContext.privileged",
                "a privileged container is not run here: processes have no more rights than their user",
            )
        yield from _mounts(container, path, known)
        yield from _resources(container.get("resources") or {}, f"{path}.resources")
        for index, variable in enumerate(container.get("env") or []):
            if variable.get("valueFrom"):
                yield from self.variable(variable["valueFrom"], f"{path}.env[{index}].valueFrom")
        for index, source in enumerate(container.get("envFrom") or []):
            yield from self.reference(source, "secretRef", self.secrets, f"{path}.envFrom[{index}]")
            yield from self.reference(source, "configMapRef", self.configmaps, f"{path}.envFrom[{index}]")

    def variable(self, source: Mapping[str, Any], path: str) -> Iterator[Fault]:
        """Where a variable's value comes from."""
        for kind in ("fieldRef", "resourceFieldRef", "fileKeyRef"):
            if source.get(kind):
                text = "there is no pod with such fields; use a tag such as {{pod.name}} or {{workflow.name}}"
                yield _fault(f"{path}.{kind}", f"{kind} is not run here: {text}")
        yield from self.reference(source, "secretKeyRef", self.secrets, path)
        yield from self.reference(source, "configMapKeyRef", self.configmaps, path)

    def reference(self, source: Mapping[str, Any], kind: str, there: Collection[str], path: str) -> Iterator[Fault]:
        """A Secret or ConfigMap that has to be there, unless it is optional or its name has tags."""
        found = source.get(kind)
        if not found or found.get("optional") or "{{" in str(found.get("name", "")):
            return
        if found.get("name") not in there:
            word, folder = ("Secret", "secrets") if kind.startswith("secret") else ("ConfigMap", "configmaps")
            yield _fault(
                f"{path}.{kind}.name", f"there is no {word} '{found.get('name')}': put it into the folder {folder}"
            )

    def arguments(self, found: Mapping[str, Any] | None, path: str) -> Iterator[Fault]:
        """Parameters and artifacts of arguments, inputs or outputs."""
        for index, parameter in enumerate((found or {}).get("parameters") or []):
            if (parameter.get("valueFrom") or {}).get("event"):
                yield _fault(f"{path}.parameters[{index}].valueFrom.event", "events are not received here")
        for index, artifact in enumerate((found or {}).get("artifacts") or []):
            where = f"{path}.artifacts[{index}]"
            for kind, text in fields.LOCATIONS.items():
                if artifact.get(kind) is not None:
                    yield _fault(f"{where}.{kind}", f"an artifact of {kind} is not run here: {text}")
            for key, value in (artifact.get("s3") or {}).items():
                if key != "key" and not _empty(value):
                    yield _fault(
                        f"{where}.s3.{key}",
                        "only the engine's own repository is reached: use s3 with nothing but a key",
                    )
            if artifact.get("artifactGC"):
                yield _fault(f"{where}.artifactGC", "artifactGC has no effect here: artifacts are kept", "ignored")


def _command(path: str) -> Fault:
    return _fault(f"{path}.command", "command is needed here: the entrypoint of an image is not known")


def _parts(template: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for i, group in enumerate(template.get("steps") or []):
        for j, step in enumerate(group):
            yield f"{path}.steps[{i}][{j}]", step
    for i, task in enumerate((template.get("dag") or {}).get("tasks") or []):
        yield f"{path}.dag.tasks[{i}]", task


def _volumes(holder: Mapping[str, Any], path: str) -> Iterator[Fault]:
    for index, volume in enumerate(holder.get("volumes") or []):
        for kind in volume:
            if kind not in ("name", *fields.VOLUMES) and volume[kind] is not None:
                yield _fault(
                    f"{path}.volumes[{index}].{kind}",
                    f"a volume of {kind} is not run here: use emptyDir, or pass files as artifacts",
                )


def _mounts(holder: Mapping[str, Any], path: str, known: Collection[Any]) -> Iterator[Fault]:
    for index, mount in enumerate(holder.get("volumeMounts") or []):
        where = f"{path}.volumeMounts[{index}]"
        if mount.get("name") not in known:
            yield _fault(f"{where}.name", f"there is no volume '{mount.get('name')}'")
        for key in ("subPath", "subPathExpr", "mountPropagation", "recursiveReadOnly", "readOnly"):
            if mount.get(key):
                yield _fault(f"{where}.{key}", f"{key} is not run here: mount the whole volume")


def _resources(resources: Mapping[str, Any], path: str) -> Iterator[Fault]:
    for name, value in (resources.get("limits") or {}).items():
        where = f"{path}.limits[{name}]" if not name.isalpha() else f"{path}.limits.{name}"
        if name not in _RUN_LIMITS:
            yield _fault(where, f"{name} cannot be given to a process; run it on the engine argo")
            continue
        if "{{" in str(value):
            continue
        try:
            durations.quantity(str(value))
        except LanguageError as error:
            yield _fault(where, str(error))
        if name != "memory":
            text = "it is a rate, held where cgroups are delegated" if name == "cpu" else "scratch space is not limited"
            yield _fault(where, f"{name} may have no effect here: {text}", "ignored")
    for key in ("requests", "claims"):
        if resources.get(key):
            yield _fault(f"{path}.{key}", f"{key} has no effect here: {fields.SPEC['affinity'].text}", "ignored")


def _locks(holder: Mapping[str, Any], path: str) -> Iterator[Fault]:
    found = holder.get("synchronization") or {}
    for kind in ("mutexes", "semaphores"):
        for index, lock in enumerate(found.get(kind) or []):
            if lock.get("database"):
                yield _fault(
                    f"{path}.synchronization.{kind}[{index}].database",
                    "locks in a database are not run here: leave it out, all workflows of this engine share their locks",
                )
