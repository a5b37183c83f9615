"""Templates: inputs, outputs, types, steps and dags, followed through all that they refer to, as Argo's controller does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestra_engine.language import LanguageError, tags
from orchestra_engine.operate.templates import Library, merged_inputs, process, type_of
from orchestra_engine.validate import leaves, names, references
from orchestra_engine.validate.faults import InvalidSpec

LEAVES = ("container", "containerSet", "script", "resource", "data", "http", "plugin")
POD_TYPES = ("container", "containerSet", "script", "resource", "data")
_NO_CONFIGMAP = tags.PLACEHOLDER + "configmap"
_LAST_RETRY = ("retries", "lastRetry.exitCode", "lastRetry.status", "lastRetry.duration", "lastRetry.message")
_POLICIES = ("Always", "OnError", "OnFailure", "OnTransientError", "", None)
_TYPES = (
    "choose one of: container, containerSet, steps, script, resource, dag, suspend, template, template ref"
)
_MAX_DEPTH = 200
_SOURCES = ("path", "jqFilter", "jsonPath", "parameter", "expression")
Known = dict[str, bool]


class TemplateCheck:
    """Follows templates from the entrypoint; each is looked at as a whole once, its arguments as often as it is used."""

    def __init__(self, library: Library, spec: Mapping[str, Any], *, alone: bool = False) -> None:
        self.library, self.spec, self.alone = library, spec, alone
        self.globals: dict[str, str] = {}
        self.done: set[tuple[str, str, bool]] = set()
        self.counter = 0
        self.depth = 0
        self.paths = {t.get("name", ""): f"spec.templates[{i}]" for i, t in enumerate(spec.get("templates") or [])}

    def fresh(self) -> str:
        """A new placeholder."""
        self.counter += 1
        return references.placeholder(self.counter)

    def holder(
        self, holder: Mapping[str, Any], scope: str, arguments: Mapping[str, Any] | None, path: str
    ) -> dict[str, Any] | None:
        """The template that a step, a task or the spec refers to, checked with those arguments (None: placeholders).

        None if it is only known while the workflow runs. Raises InvalidSpec.
        """
        reference = holder.get("templateRef")
        if reference is not None:
            if holder.get("template"):
                raise InvalidSpec("template name cannot be specified with templateRef", f"{path}.templateRef")
            for key, word in (("name", "resource name"), ("template", "template name")):
                if not reference.get(key):
                    raise InvalidSpec(f"{word} is required", f"{path}.templateRef")
            if "{{" in str(reference.get("name")) + str(reference.get("template")):
                return None
        elif holder.get("template") and self.library.named(scope, holder["template"]) is None:
            raise InvalidSpec(f"template name '{holder['template']}' undefined", f"{path}.template")
        try:
            inner, template = self.library.find(scope, holder)
        except LanguageError as error:
            if reference is not None and "type is unknown" not in str(error):
                text = f"template reference {reference['name']}.{reference['template']} not found"
                raise InvalidSpec(text, f"{path}.templateRef") from None
            raise InvalidSpec(str(error), self.paths.get(holder.get("template", ""), path)) from None
        if not type_of(template):
            raise InvalidSpec(f"template '{template.get('name', '')}' type is unknown", f"{path}.inline")
        policy = (template.get("retryStrategy") or {}).get("retryPolicy")
        if policy not in _POLICIES:
            raise InvalidSpec(f"{policy} is not a valid RetryPolicy", f"{path}.retryStrategy.retryPolicy")
        where = f"{path}.inline" if holder.get("inline") else self.paths.get(template.get("name", ""), path)
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise InvalidSpec(f"templates refer to each other more than {_MAX_DEPTH} deep", path)
        try:
            self.template(template, inner, arguments, where)
        finally:
            self.depth -= 1
        return template

    def template(
        self, template: dict[str, Any], scope: str, arguments: Mapping[str, Any] | None, path: str
    ) -> None:
        """A template with the arguments given for it. Raises InvalidSpec."""
        name, kind = template.get("name", ""), type_of(template)
        _one_type(template, path)
        known = _inputs(template, kind, path)
        local = {"pod.name": self.fresh()} if kind in POD_TYPES else {}
        if template.get("retryStrategy") is not None:
            local |= {key: self.fresh() for key in _LAST_RETRY}
        known |= dict.fromkeys(local, True)
        if kind in LEAVES:
            known |= dict.fromkeys(_output_paths(template), True)
        filled = self.filled(template, arguments, local, path)
        self.timeouts(filled, kind, path)
        key = (scope, name, bool(name))
        if key in self.done:
            return
        self.done.add(key)
        known |= dict.fromkeys(self.globals, True)
        from orchestra_engine.validate import dags, steps

        if kind == "steps":
            steps.check(self, filled, scope, known, path)
        elif kind == "dag":
            dags.check(self, filled, scope, known, path)
        else:
            leaves.check(filled, known, path, self.spec.get("templateDefaults") or {}, self.alone)
        self.outputs(filled, kind, known, path)

    def filled(
        self, template: dict[str, Any], arguments: Mapping[str, Any] | None, local: Mapping[str, str], path: str
    ) -> dict[str, Any]:
        """The template with arguments, globals and locals put in."""
        name = template.get("name", "")
        given = self.placeholders(template) if arguments is None else arguments
        try:
            inputs = merged_inputs(template, given, lambda _parameter, _reference: _NO_CONFIGMAP, validating=True)
            params = {**self.globals, **local}
            body, shown = process(template, inputs, params, nested=any("{{" in v for v in params.values()))
        except LanguageError as error:
            raise InvalidSpec(f"templates.{name} {error}", path) from None
        from orchestra_engine.operate.pod import plain

        return {**plain(body), "inputs": plain(shown)} if shown else dict(plain(body))

    def placeholders(self, template: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments for everything that a template takes in, with placeholders for values."""
        inputs = template.get("inputs") or {}
        return {
            "parameters": [{"name": p["name"], "value": self.fresh()} for p in inputs.get("parameters") or []],
            "artifacts": [{"name": a["name"]} for a in inputs.get("artifacts") or []],
        }

    def timeouts(self, template: Mapping[str, Any], kind: str, path: str) -> None:
        """`timeout` and `pendingTimeout` belong to leaves and are Go durations."""
        words = {"steps": "Steps", "dag": "DAG", "suspend": "Suspend"}
        for field in ("timeout", "pendingTimeout"):
            if template.get(field) and kind not in LEAVES:
                raise InvalidSpec(f"{words.get(kind, kind)} template doesn't support {field} field", f"{path}.{field}")
        if template.get("timeout") and str(template["timeout"]).lstrip("+-").isdigit():
            raise InvalidSpec(f"{template.get('name', '')} has invalid duration format in timeout", f"{path}.timeout")

    def outputs(self, template: Mapping[str, Any], kind: str, known: Known, path: str) -> None:
        """A template's outputs: names, tags, sources. Raises InvalidSpec."""
        name, given = template.get("name", ""), template.get("outputs") or {}
        for group in ("parameters", "artifacts"):
            try:
                names.check_parameters(given.get(group) or [], f"{path}.outputs.{group}")
            except InvalidSpec as error:
                raise error.within(f"templates.{name}.outputs.{group}") from None
        try:
            references.check(given, {**known, **self.globals}, f"{path}.outputs", template_alone=self.alone)
        except InvalidSpec as error:
            raise error.within(f"templates.{name}.outputs") from None
        for index, artifact in enumerate(given.get("artifacts") or []):
            _output_artifact(name, kind, artifact, f"{path}.outputs.artifacts[{index}]")
        for index, parameter in enumerate(given.get("parameters") or []):
            _output_parameter(name, kind, parameter, f"{path}.outputs.parameters[{index}]")

    def add_outputs(
        self, template: Mapping[str, Any] | None, prefix: str, known: Known, *, loop: bool, ancestor: bool = False
    ) -> None:
        """Add to the known names what can be referred to of a step or task that runs a template."""
        for word in ("id", "startedAt", "finishedAt", "hostNodeName"):
            known[f"{prefix}.{word}"] = True
        if template is None:
            return
        if template.get("daemon"):
            known[f"{prefix}.ip"] = True
        kind = type_of(template)
        containers = (template.get("containerSet") or {}).get("containers") or []
        if kind in ("container", "script", "data", "http", "plugin") or any(c.get("name") == "main" for c in containers):
            known[f"{prefix}.outputs.result"] = known[f"{prefix}.exitCode"] = True
        for group, magic in (("parameters", references.ANY_PARAMETER), ("artifacts", references.ANY_ARTIFACT)):
            for item in (template.get("outputs") or {}).get(group) or []:
                known[f"{prefix}.outputs.{group}.{item.get('name')}"] = True
                shared = item.get("globalName")
                if shared and references.is_parameter(shared):
                    known[magic] = True
                elif shared:
                    known[f"workflow.outputs.{group}.{shared}"] = True
                    self.globals[f"workflow.outputs.{group}.{shared}"] = self.fresh()
        if loop:
            known[f"{prefix}.outputs.parameters"] = True
            if kind in ("script", "containerSet"):
                known[f"{prefix}.outputs.result"] = known[f"{prefix}.exitCode"] = True
        if ancestor:
            known[f"{prefix}.status"] = True


def _one_type(template: Mapping[str, Any], path: str) -> None:
    from orchestra_engine.operate.templates import TYPES

    found = [kind for kind in TYPES if template.get(kind) is not None]
    name = template.get("name", "")
    if not found:
        raise InvalidSpec(f"templates.{name} template type unspecified. {_TYPES}", path)
    if len(found) > 1:
        raise InvalidSpec(f"templates.{name} multiple template types specified. {_TYPES}", path)


def _inputs(template: Mapping[str, Any], kind: str, path: str) -> Known:
    name, given = template.get("name", ""), template.get("inputs") or {}
    for group in ("parameters", "artifacts"):
        try:
            names.check_parameters(given.get(group) or [], f"{path}.inputs.{group}")
        except InvalidSpec as error:
            raise InvalidSpec(f"templates.{name}.inputs.{group}{error.message}", error.path) from None
    known: Known = {f"inputs.parameters.{p['name']}": True for p in given.get("parameters") or []}
    if given.get("parameters"):
        known["inputs.parameters"] = True
    for index, artifact in enumerate(given.get("artifacts") or []):
        reference, where = f"inputs.artifacts.{artifact['name']}", f"{path}.inputs.artifacts[{index}]"
        known[reference] = True
        if kind in LEAVES:
            try:
                leaves.clean_path(artifact)
            except InvalidSpec as error:
                raise InvalidSpec(f"error in templates.{name}.{reference}: {error.message}", f"{where}.path") from None
            known[f"{reference}.path"] = True
        elif artifact.get("path"):
            raise InvalidSpec(
                f"templates.{name}.{reference}.path only valid in container/script templates", f"{where}.path"
            )
        if artifact.get("from"):
            raise InvalidSpec(f"templates.{name}.{reference}.from not valid in inputs", f"{where}.from")
        git = artifact.get("git")
        if git is not None and not git.get("repo"):
            raise InvalidSpec(f"templates.{name}.{reference}.git.repo is required", f"{where}.git.repo")
    return known


def _output_paths(template: Mapping[str, Any]) -> list[str]:
    given = template.get("outputs") or {}
    found = [f"outputs.artifacts.{a.get('name')}.path" for a in given.get("artifacts") or [] if a.get("path")]
    for parameter in given.get("parameters") or []:
        if (parameter.get("valueFrom") or {}).get("path"):
            found.append(f"outputs.parameters.{parameter.get('name')}.path")
    return found


def _output_artifact(name: str, kind: str, artifact: Mapping[str, Any], path: str) -> None:
    reference = f"outputs.artifacts.{artifact['name']}"
    if kind in LEAVES:
        try:
            leaves.clean_path(artifact)
        except InvalidSpec as error:
            raise InvalidSpec(f"error in templates.{name}.{reference}: {error.message}", f"{path}.path") from None
    elif artifact.get("path"):
        raise InvalidSpec(f"templates.{name}.{reference}.path only valid in container/script templates", f"{path}.path")
    _global_name(f"templates.{name}.{reference}", artifact, path)


def _global_name(reference: str, item: Mapping[str, Any], path: str) -> None:
    shared = item.get("globalName")
    if shared and not references.is_parameter(shared) and (wrong := names.parameter_faults(shared)):
        raise InvalidSpec(f"{reference}.globalName: {wrong}", f"{path}.globalName")


def _output_parameter(name: str, kind: str, parameter: Mapping[str, Any], path: str) -> None:
    reference = f"templates.{name}.outputs.parameters.{parameter['name']}"
    source = parameter.get("valueFrom")
    if source is not None and parameter.get("value") is not None:
        raise InvalidSpec(f"{reference} has both valueFrom and value specified, choose one", path)
    if source is None and parameter.get("value") is None:
        raise InvalidSpec(f"{reference} does not have valueFrom or value specified", path)
    if source is None:
        return
    count = sum(bool(source.get(key)) for key in _SOURCES) + ("supplied" in source)
    if count == 0:
        raise InvalidSpec(
            "valueFrom type unspecified. choose one of: path, jqFilter, jsonPath, parameter, raw, expression",
            f"{path}.valueFrom",
        )
    if kind in ("dag", "steps") and source.get("expression") and source.get("parameter"):
        count = 2
    if count > 1:
        raise InvalidSpec(
            "multiple valueFrom types specified. choose one of: path, jqFilter, jsonPath, parameter, raw",
            f"{path}.valueFrom",
        )
    _source_of_kind(reference, kind, source, f"{path}.valueFrom")
    _global_name(reference, parameter, path)


def _source_of_kind(reference: str, kind: str, source: Mapping[str, Any], path: str) -> None:
    words = {"container": "Container", "containerSet": "ContainerSet", "script": "Script", "dag": "DAG", "steps": "Steps"}
    if kind in ("container", "containerSet", "script") and not source.get("path"):
        raise InvalidSpec(f"{reference}.path must be specified for {words[kind]} templates", path)
    if kind == "resource" and not source.get("jqFilter") and not source.get("jsonPath"):
        raise InvalidSpec(f"{reference} .jqFilter or jsonPath must be specified for Resource templates", path)
    if kind in ("dag", "steps") and not source.get("parameter") and not source.get("expression"):
        raise InvalidSpec(f"{reference}.parameter or expression must be specified for {words[kind]} templates", path)
