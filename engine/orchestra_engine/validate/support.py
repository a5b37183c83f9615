"""What this engine cannot run, and what it ignores: each with its path, the reason and what to do instead."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .. import parts
from ..language import LanguageError, durations
from ..operate import loops, pod
from ..operate.loops import MAX_ITEMS
from ..pod import is_label, is_mount_path
from . import fields
from .fault import Fault
from .leaves import LOCATIONS

GRANT = "orchestra/grant"
_OWN = ("orchestra/", "workflows.argoproj.io/display-name")
_HERE = ("raw", "s3")
_KEY_ONLY = ("key",)
_WHOLE_VOLUME = ("mountPropagation", "readOnly", "recursiveReadOnly", "subPath", "subPathExpr")
_TOO_OFTEN = "cannot run here: the loop has {} items; at most " + str(MAX_ITEMS) + " are allowed"
_EMPTY: tuple[Any, ...] = (None, False, "", [], {})


def check(
    spec: Mapping[str, Any],
    *,
    path: str = "spec",
    secrets: Collection[str] = (),
    grants: Collection[str] = (),
    volumes: Collection[str] = (),
) -> Iterator[Fault]:
    """Go through a Workflow's spec (or a WorkflowTemplate's); `volumes` are there beside the spec's own."""
    yield from _table(spec, fields.SPEC, path)
    yield from _volumes(spec.get("volumes"), f"{path}.volumes")
    yield from _handed(spec, path)
    known = {*volumes, *declared_volumes(spec)}
    defaults = _map(spec.get("templateDefaults"))
    yield from _retries(spec, path)
    yield from _locks(spec, path)
    for name, template in parts.templates(spec, path):
        yield from _template(template, name, known, secrets, grants)
        if template is not defaults:
            yield from _commands(template, defaults, name)


def declared_volumes(spec: Mapping[str, Any]) -> set[str]:
    """The names of the volumes of a spec, with those that are claimed for it."""
    claimed = [_map(claim.get("metadata")) for claim in _list(spec.get("volumeClaimTemplates"))]
    return {str(volume.get("name")) for volume in [*_list(spec.get("volumes")), *claimed]}


def _list(value: Any) -> list[Any]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _call(call: Mapping[str, Any], path: str) -> Iterator[Fault]:
    """What a step or task, or one of its hooks, hands over; and how often it is made."""
    yield from _handed(call, path)
    items, sequence = call.get("withItems"), call.get("withSequence")
    if isinstance(items, list) and len(items) > MAX_ITEMS:
        yield Fault(path=f"{path}.withItems", message=_TOO_OFTEN.format(len(items)))
    elif isinstance(sequence, dict) and (count := length(sequence)) > MAX_ITEMS:
        key = "end" if sequence.get("end") is not None else "count"
        yield Fault(path=f"{path}.withSequence.{key}", message=_TOO_OFTEN.format(count))


def length(sequence: Mapping[str, Any]) -> int:
    """How many items a `withSequence` makes, 10¹⁸ for all that are more; 0 if only its tags tell, or if it is wrong."""
    try:
        found = loops.bounds(sequence)
    except LanguageError:
        texts = [str(sequence.get(name)) for name in ("start", "end", "count")]
        return 10**18 if any(re.fullmatch(r"[+-]?[0-9]{19,}", text) for text in texts) else 0
    return abs(found[1] - found[0]) + 1 if found else 0


def _handed(holder: Mapping[str, Any], path: str) -> Iterator[Fault]:
    """The artifacts in the arguments of a spec, step or task and in those of its hooks."""
    places = [(f"{path}.arguments", holder.get("arguments"))]
    for name, hook in _map(holder.get("hooks")).items():
        places.append((f"{path}.hooks.{name}.arguments", _map(hook).get("arguments")))
    for where, arguments in places:
        for number, artifact in enumerate(_list(_map(arguments).get("artifacts"))):
            yield from _artifact(artifact, f"{where}.artifacts[{number}]")


def _table(value: Mapping[str, Any], table: Mapping[str, fields.Field], path: str) -> Iterator[Fault]:
    for name, content in value.items():
        field = table.get(name)
        if field is None or field.fate == fields.RUN or content in _EMPTY:
            continue
        if field.fate == fields.REFUSED:
            yield Fault(path=f"{path}.{name}", message=f"cannot run here: {field.why}")
        elif not (name == "metadata" and set(_map(content)) <= {"annotations"} and _only_own(content)):
            yield _ignored(f"{path}.{name}", field.why)


def _only_own(metadata: Any) -> bool:
    return all(name.startswith(_OWN) for name in _map(_map(metadata).get("annotations")))


def _ignored(path: str, why: str) -> Fault:
    return Fault(path=path, message=f"ignored: {why}", kind="ignored")


def _volumes(volumes: Any, path: str) -> Iterator[Fault]:
    for number, volume in enumerate(_list(volumes)):
        name = str(volume.get("name"))
        if not is_label(name):
            yield Fault(
                path=f"{path}[{number}].name",
                message=f"{name[:60]!r} has to be lower-case letters, digits and '-', at most 63 of them",
            )
        kinds = [kind for kind in volume if kind != "name" and volume[kind] is not None]
        for kind in kinds:
            if kind == "emptyDir":
                if _map(volume[kind]).get("sizeLimit") is not None:
                    yield _ignored(f"{path}[{number}].emptyDir.sizeLimit", "the node's limit of output bytes counts")
            else:
                yield Fault(
                    path=f"{path}[{number}].{kind}",
                    message="cannot run here: only emptyDir volumes exist; pass files as artifacts, settings as env",
                )


def _template(
    template: Mapping[str, Any], path: str, volumes: set[str], secrets: Collection[str], grants: Collection[str]
) -> Iterator[Fault]:
    yield from _table(template, fields.TEMPLATE, path)
    yield from _volumes(template.get("volumes"), f"{path}.volumes")
    yield from _retries(template, path)
    yield from _locks(template, path)
    yield from _annotations(template, f"{path}.metadata.annotations")
    wanted = _map(_map(template.get("metadata")).get("annotations")).get(GRANT)
    if wanted is not None and wanted not in grants:
        yield Fault(
            path=f"{path}.metadata.annotations.{GRANT}",
            message=f"the grant {str(wanted)[:60]!r} is not given to this workflow; only shipped schemas may ask",
        )
    for side in ("inputs", "outputs"):
        for number, artifact in enumerate(_list(_map(template.get(side)).get("artifacts"))):
            yield from _artifact(artifact, f"{path}.{side}.artifacts[{number}]")
    for where, step in parts.calls(template, path):
        yield from _call(step, where)
    known = volumes | declared_volumes(template)
    for where, container in parts.containers(template):
        yield from _container(container, f"{path}.{where}", known, secrets)


def _retries(holder: Mapping[str, Any], path: str) -> Iterator[Fault]:
    if _map(holder.get("retryStrategy")).get("affinity") is not None:
        yield _ignored(f"{path}.retryStrategy.affinity", fields.SPEC["affinity"].why)


def _locks(holder: Mapping[str, Any], path: str) -> Iterator[Fault]:
    """Locks are kept by this engine; those in a database are shared with clusters that it knows nothing of."""
    wanted = _map(holder.get("synchronization"))
    for kind, instead in (
        ("semaphores", "configMapKeyRef"),
        ("mutexes", "a mutex of this engine: leave the field out"),
    ):
        for number, lock in enumerate(_list(wanted.get(kind))):
            if lock.get("database"):
                yield Fault(
                    path=f"{path}.synchronization.{kind}[{number}].database",
                    message=f"cannot run here: there is no database of locks; use {instead}",
                )


def _annotations(template: Mapping[str, Any], path: str) -> Iterator[Fault]:
    """The annotations of this engine: limits, whose names and values are checked like fields."""
    for name, value in _map(_map(template.get("metadata")).get("annotations")).items():
        if name == GRANT or not str(name).startswith(_OWN[0]):
            continue
        if name not in pod.LIMITS:
            known = ", ".join((GRANT, *pod.LIMITS))
            yield Fault(path=f"{path}.{name}", message=f"unknown annotation; there are {known}")
            continue
        try:
            low = durations.quantity(str(value)) < 1
        except LanguageError as error:
            yield Fault(path=f"{path}.{name}", message=str(error))
            continue
        if low:
            yield Fault(path=f"{path}.{name}", message=f"the limit {value} is too low; it has to be at least 1")


def _commands(template: Mapping[str, Any], defaults: Mapping[str, Any], path: str) -> Iterator[Fault]:
    """A program has to be named: what an image would start by itself is not known here."""
    for where, container in parts.containers(template):
        if not {**_map(defaults.get(where)), **container}.get("command"):
            yield Fault(
                path=f"{path}.{where}.command",
                message="cannot run here: what the image would start by itself is not known; give the command",
            )


def _artifact(artifact: Mapping[str, Any], path: str) -> Iterator[Fault]:
    for kind in LOCATIONS:
        place = artifact.get(kind)
        if place is None:
            continue
        if kind not in _HERE:
            yield Fault(
                path=f"{path}.{kind}",
                message="cannot run here: only raw artifacts and keys of the engine's own repository (s3.key) exist; "
                "fetch it in a step",
            )
        elif kind == "s3":
            foreign = [name for name in _map(place) if name not in _KEY_ONLY and place[name] not in _EMPTY]
            if foreign:
                yield Fault(
                    path=f"{path}.s3.{foreign[0]}",
                    message="cannot run here: the repository is the engine's own; give s3.key alone",
                )
    if artifact.get("artifactGC") is not None:
        yield _ignored(f"{path}.artifactGC", fields.SPEC["artifactGC"].why)


def _container(container: Mapping[str, Any], path: str, volumes: set[str], secrets: Collection[str]) -> Iterator[Fault]:
    yield from _table(container, fields.CONTAINER, path)
    if _map(container.get("securityContext")).get("privileged"):
        yield Fault(
            path=f"{path}.securityContext.privileged",
            message="cannot run here: nodes never have privileges; take the field out",
        )
    yield from _environment(container.get("env"), f"{path}.env", secrets)
    for number, source in enumerate(_list(container.get("envFrom"))):
        if source.get("secretRef") is not None:
            yield from _secret(source["secretRef"], f"{path}.envFrom[{number}].secretRef", secrets)
    for number, mount in enumerate(_list(container.get("volumeMounts"))):
        if mount.get("name") not in volumes:
            yield Fault(
                path=f"{path}.volumeMounts[{number}].name",
                message=f"there is no volume {mount.get('name')!r} among spec.volumes and the template's volumes",
            )
        for name in _WHOLE_VOLUME:
            if mount.get(name) not in _EMPTY:
                message = "cannot run here: volumes are mounted whole and writable; take the field out"
                yield Fault(path=f"{path}.volumeMounts[{number}].{name}", message=message)
        where = str(mount.get("mountPath"))
        if "{{" not in where and not is_mount_path(where):
            yield Fault(
                path=f"{path}.volumeMounts[{number}].mountPath",
                message=f"{where[:60]!r} has to begin with / and to hold no .. and no :",
            )
    for kind in ("limits", "requests"):
        for name in _map(_map(container.get("resources")).get(kind)):
            where = f"{path}.resources.{kind}.{name}"
            if kind == "requests" or name == "ephemeral-storage":
                yield _ignored(where, "nothing is scheduled by it")
            elif name == "cpu":
                yield _ignored(where, "where no cgroup is delegated; `orchestra doctor` says whether one is")
            elif name != "memory":
                yield Fault(path=where, message="cannot run here: no devices are handed out; take the limit out")


def _environment(env: Any, path: str, secrets: Collection[str]) -> Iterator[Fault]:
    for number, variable in enumerate(_list(env)):
        for kind, source in _map(variable.get("valueFrom")).items():
            where = f"{path}[{number}].valueFrom.{kind}"
            if source is None or kind == "configMapKeyRef":
                continue
            if kind != "secretKeyRef":
                yield Fault(
                    path=where, message="cannot run here: there is no pod to ask; use a value, a ConfigMap or a Secret"
                )
            else:
                yield from _secret(source, where, secrets)


def _secret(reference: Any, path: str, secrets: Collection[str]) -> Iterator[Fault]:
    name = _map(reference).get("name")
    if name not in secrets and not _map(reference).get("optional"):
        yield Fault(path=path, message=f"there is no Secret {name!r}; put its manifest below secrets/")
