"""container and script templates: a node of type Pod, and the Pod that the loop starts for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import LanguageError, durations, gojson, tags
from orchestra_engine.language.gotext import go_int
from orchestra_engine.operate import outputs
from orchestra_engine.operate.context import STEP_DEADLINE
from orchestra_engine.operate.templates import IdentityCache
from orchestra_engine.pod import PATH_MARK, Container, InputArtifact, OutputArtifact, OutputParameter, Pod
from orchestra_engine.workflow import pod_name

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation, Work

_BEFORE, _AFTER = PATH_MARK.split("%s")
_SUFFIX = {"tar": ".tgz", "zip": ".zip"}
LIMITS = {
    "orchestra/limit-cpu-seconds": "cpu_seconds",
    "orchestra/limit-file-bytes": "file_bytes",
    "orchestra/limit-output-bytes": "output_bytes",
    "orchestra/limit-processes": "processes",
}
GRANT = "orchestra/grant"
_MOST_IN_A_POD = 128 * 1024  # bytes of a template; Argo hands a longer one over in another way


@dataclass(slots=True, kw_only=True)
class _Outputs:
    """What a pod's template says of its outputs."""

    parameters: list[OutputParameter]
    artifacts: list[dict[str, Any]]  # as declared
    declared: dict[str, Any]  # what is to be known of them when the pod has ended


@dataclass(slots=True, kw_only=True)
class _Shape:
    """What the pods of one template have in common as long as no tag had to be replaced in it."""

    containers: list[Container]
    outputs: _Outputs
    empty_dirs: list[dict[str, Any]]
    grant: str | None
    limits: dict[str, int]
    until: list[float]  # when its time is over, if it starts now


_EMPTY: dict[str, Any] = {}
_NO_OUTPUTS = _Outputs(parameters=[], artifacts=[], declared={})
_untagged = IdentityCache()  # outputs that no tag can change, by the template as it is written


def execute(op: Operation, work: Work) -> dict[str, Any] | None:
    """Make the node and start its pod.

    Raises LanguageError if the pod cannot be described (a bad quantity or duration).
    """
    node, starts = begin(op, work)
    if starts:
        start(op, work, node)
    return node


def begin(op: Operation, work: Work) -> tuple[dict[str, Any], bool]:
    """The Pod node, made if it is not there, and whether a pod has to be described for it."""
    node = op.board.named(work.name)
    if node is not None and node["id"] in op.board.section("live"):
        if op.collecting is None or node["id"] not in op.collecting:
            return node, False
        op.collected.append(build(op, work, node))
        return node, False
    if node is None:
        node = op.make(work, "Pod", "Pending")
    if not op.may_run(work.options.on_exit):
        return op.board.mark(node["id"], "Failed", f"workflow shutdown with strategy: {op.shutdown}"), False
    if op.late and not work.options.on_exit:
        return op.board.mark(node["id"], "Failed", STEP_DEADLINE), False
    return node, True


def start(op: Operation, work: Work, node: dict[str, Any]) -> None:
    """Give the command to start a node's pod, and note what has to be known until it has ended."""
    shape = _shape(op, work)
    pod = _pod(op, work, node, shape)
    entry: dict[str, Any] = {}
    until = shape.until if work.options.until is None else [*shape.until, work.options.until]
    if until:
        op.board.section("due")[node["id"]] = min(until)
        op.board.wake_by(min(until))
    if work.options.flag and work.options.flag.get("retried"):
        entry["s"] = op.now
    if shape.outputs.declared:
        entry["o"] = shape.outputs.declared
    op.board.section("live")[node["id"]] = entry
    op.board.begin(pod)


def _until(op: Operation, template: Mapping[str, Any]) -> list[float]:
    found = []
    limit = template.get("activeDeadlineSeconds")
    if limit is not None:
        try:
            found.append(op.now + float(limit))
        except ValueError:
            raise LanguageError(f"value '{limit}' cannot be resolved to an int") from None
    if template.get("timeout"):
        found.append(op.now + durations.argo(str(template["timeout"])))
    return found


def plain(value: Any) -> Any:
    """A value without the marks around paths."""
    if isinstance(value, str):
        return value.replace(_BEFORE, "").replace(_AFTER, "") if _BEFORE in value else value
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def build(op: Operation, work: Work, node: Mapping[str, Any]) -> Pod:
    """The pod of a node. Raises LanguageError if a quantity or a reference in it is wrong."""
    return _pod(op, work, node, _shape(op, work))


def _shape(op: Operation, work: Work) -> _Shape:
    """The shape of a template's pods, made once in a call for all nodes that share it."""
    template = work.template
    found: _Shape | None = op.shapes.get((template,)) if work.fixed else None
    if found is not None:
        return found
    _read_again(op, work)
    # As written, before any tag is replaced: a value that comes in must not be able to make itself a grant.
    annotations: dict[str, str] = (work.raw.get("metadata") or _EMPTY).get("annotations") or _EMPTY
    found = _Shape(
        containers=containers(op, template),
        outputs=_outputs(work.raw, template),
        empty_dirs=_empty_dirs(op, template),
        grant=annotations.get(GRANT),
        limits=_limits(annotations) if annotations else {},
        until=_until(op, template),
    )
    return op.shapes.put((template,), found) if work.fixed else found


def _read_again(op: Operation, work: Work) -> None:
    """Expressions that are still there are read once more, as Argo does, from a template that is a text in a pod.

    Argo leaves alone what it cannot evaluate then, but for expressions that this second writing has spoilt: with a
    comparison or a double quote in them. Raises LanguageError for those, with its message.
    """
    if not work.expressions_left:
        return
    text = gojson.dumps(work.template)
    if len(text) > _MOST_IN_A_POD:
        return
    given = {f"inputs.parameters.{p['name']}": p.get("value") for p in work.inputs.get("parameters") or ()}
    known = {name: value for name, value in given.items() if isinstance(value, str)}
    tags.replace(gojson.dumps(text), {**op.params, **known})


def _outputs(raw: dict[str, Any], template: Mapping[str, Any]) -> _Outputs:
    if not raw.get("outputs"):
        return _NO_OUTPUTS
    kept: _Outputs | None = _untagged.get((raw,))
    if kept is not None:
        return kept
    made = template["outputs"]
    found = _Outputs(
        parameters=_output_parameters(made),
        artifacts=[plain(artifact) for artifact in made.get("artifacts") or ()],
        declared=plain(outputs.declared(template)),
    )
    return found if "{{" in json.dumps(raw["outputs"], ensure_ascii=False) else _untagged.put((raw,), found)


def _pod(op: Operation, work: Work, node: Mapping[str, Any], shape: _Shape) -> Pod:
    template = node.get("templateName", "")
    name = pod_name(op.board.name, work.name, template)
    results = work.options.results
    return Pod(
        node_id=node["id"],
        node_name=work.name,
        pod_name=name,
        template=template,
        containers=shape.containers,
        inputs=[a for a in (_input(i) for i in work.inputs.get("artifacts", ())) if a is not None],
        output_parameters=shape.outputs.parameters,
        output_artifacts=[_output(op, artifact, name) for artifact in shape.outputs.artifacts],
        capture_result=bool(results) and step_name(work.name) in results,
        empty_dirs=shape.empty_dirs,
        grant=shape.grant,
        limits=shape.limits,
    )


def containers(op: Operation, template: Mapping[str, Any]) -> list[Container]:
    """The programs of a container, script or containerSet template."""
    if template.get("containerSet") is not None:
        made = [_container(op, c, c["name"]) for c in template["containerSet"]["containers"]]
        attempts = _attempts(template["containerSet"].get("retryStrategy") or {})
        return [replace(container, **attempts) for container in made]
    if template.get("script") is not None:
        return [_container(op, template["script"], "main", source=template["script"].get("source") or "")]
    return [_container(op, template["container"], "main")]


def _attempts(strategy: Mapping[str, Any]) -> dict[str, Any]:
    """How often each program of a set is started at most, and when again.

    Argo takes `retries` for the number of all attempts; what is no number is none, and then no program runs.
    """
    if strategy.get("retries") is None:
        return {}
    found: dict[str, Any] = {"attempts": max(go_int(str(strategy["retries"])) or 0, 0)}
    if not strategy.get("duration"):
        return found
    try:
        found["retry_seconds"] = durations.go(strategy["duration"])
        if found["retry_seconds"] < 0:
            raise LanguageError(f"duration has to be positive, current duration: {strategy['duration']} ")
    except LanguageError as error:
        found["retry_fault"] = f"failed to get retry strategy: {error}"
    return found


def _container(op: Operation, container: Mapping[str, Any], name: str, source: str | None = None) -> Container:
    limits = (container.get("resources") or {}).get("limits") or {}
    return Container(
        name=name,
        image=container.get("image", ""),
        command=list(container.get("command") or []),
        args=list(container.get("args") or []),
        env=environment(op, container),
        working_dir=container.get("workingDir"),
        source=source or None,
        dependencies=list(container.get("dependencies") or []),
        memory_bytes=int(durations.quantity(str(limits["memory"]))) if "memory" in limits else None,
        cpu=durations.quantity(str(limits["cpu"])) if "cpu" in limits else None,
    )


def environment(op: Operation, container: Mapping[str, Any]) -> list[dict[str, str]]:
    """A container's variables, {name, value} each, those of ConfigMaps and Secrets filled in.

    Raises LanguageError if a ConfigMap, a Secret or a key is not there and is not optional.
    """
    found: list[dict[str, str]] = []
    for source in container.get("envFrom") or []:
        for kind in ("configMapRef", "secretRef"):
            reference = source.get(kind)
            if reference:
                data = _data(op, kind, reference)
                prefix = source.get("prefix") or ""
                found += [{"name": f"{prefix}{key}", "value": data[key]} for key in sorted(data)]
    for variable in container.get("env") or []:
        origin = variable.get("valueFrom")
        if not origin:
            found.append({"name": variable["name"], "value": variable.get("value") or ""})
            continue
        for kind in ("configMapKeyRef", "secretKeyRef"):
            reference = origin.get(kind)
            if reference and (value := _keyed(op, kind, reference)) is not None:
                found.append({"name": variable["name"], "value": value})
    return found


def _data(op: Operation, kind: str, reference: Mapping[str, Any]) -> Mapping[str, str]:
    """The data of a ConfigMap or Secret; none if it is optional and not there."""
    name = reference.get("name", "")
    secret = kind.startswith("secret")
    if name in (op.secrets if secret else op.configmaps):
        data = op.secrets[name] if secret else op.configmaps[name].get("data") or {}
        return {key: str(value) for key, value in data.items()}
    if reference.get("optional"):
        return {}
    raise LanguageError(f"there is no {'Secret' if secret else 'ConfigMap'} '{name}' for the variables of a container")


def _keyed(op: Operation, kind: str, reference: Mapping[str, Any]) -> str | None:
    data, key = _data(op, kind, reference), reference.get("key", "")
    if key in data:
        return data[key]
    if reference.get("optional"):
        return None
    word = "Secret" if kind.startswith("secret") else "ConfigMap"
    raise LanguageError(f"the {word} '{reference.get('name')}' has no key '{key}' for a variable of a container")


def archive_of(artifact: Mapping[str, Any]) -> str:
    """How an artifact is packed: tar (the default), zip or none."""
    archive = artifact.get("archive") or {}
    return "none" if "none" in archive else "zip" if "zip" in archive else "tar"


def _input(artifact: Mapping[str, Any]) -> InputArtifact | None:
    artifact = plain(artifact)
    raw = (artifact.get("raw") or {}).get("data") if "raw" in artifact else None
    key = (artifact.get("s3") or {}).get("key")
    if raw is None and not key:
        return None
    return InputArtifact(
        name=artifact["name"],
        path=artifact["path"],
        raw=raw,
        key=key,
        archive=archive_of(artifact),
        optional=bool(artifact.get("optional")),
        mode=artifact.get("mode"),
        recurse_mode=bool(artifact.get("recurseMode")),
    )


def _output(op: Operation, artifact: Mapping[str, Any], pod: str) -> OutputArtifact:
    archive = archive_of(artifact)
    key = (artifact.get("s3") or {}).get("key")
    if not key:
        last = (
            artifact["path"].rstrip("/").rpartition("/")[2]
            if archive == "none"
            else artifact["name"] + _SUFFIX[archive]
        )
        key = f"{op.namespace}/{op.board.name}/{pod}/{last}"
    return OutputArtifact(
        name=artifact["name"],
        path=artifact["path"],
        key=key,
        archive=archive,
        compression_level=((artifact.get("archive") or {}).get("tar") or {}).get("compressionLevel"),
        optional=bool(artifact.get("optional")),
    )


def _output_parameters(outputs: Mapping[str, Any]) -> list[OutputParameter]:
    found = []
    for parameter in outputs.get("parameters") or ():
        source = plain(parameter.get("valueFrom") or {})
        if source.get("path"):
            found.append(OutputParameter(name=parameter["name"], path=source["path"], default=source.get("default")))
    return found


def _empty_dirs(op: Operation, template: Mapping[str, Any]) -> list[dict[str, Any]]:
    volumes = [*(op.spec.get("volumes") or ()), *(template.get("volumes") or ())]
    if not volumes:
        return []
    mounts = _mounts(template)
    found = []
    for volume in volumes:
        used = {name: path for name, volume_name, path in mounts if volume_name == volume.get("name")}
        if "emptyDir" in volume and used:
            found.append({"name": volume["name"], "mounts": used})
    return found


def _mounts(template: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(container, volume, path) of every volume mount; those of a containerSet hold for all of its containers."""
    parts = template.get("containerSet")
    if parts is None:
        single = template.get("script") or template.get("container") or {}
        return [("main", m["name"], m["mountPath"]) for m in single.get("volumeMounts") or []]
    found = []
    for container in parts["containers"]:
        for mount in [*(parts.get("volumeMounts") or []), *(container.get("volumeMounts") or [])]:
            found.append((container["name"], mount["name"], mount["mountPath"]))
    return found


def _limits(annotations: Mapping[str, str]) -> dict[str, int]:
    found = {}
    for annotation, name in LIMITS.items():
        if annotation in annotations:
            found[name] = int(durations.quantity(annotations[annotation]))
    return found


def step_name(node_name: str) -> str:
    """The step or task that a node belongs to: `w.a(0:x)(1)` → `a`."""
    while node_name and node_name[-1] in ")]":
        cut = node_name.rfind("(" if node_name[-1] == ")" else "[")
        if cut < 0:
            break
        node_name = node_name[:cut]
    return node_name.rpartition(".")[2]
