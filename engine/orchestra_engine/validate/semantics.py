"""What Argo's controller refuses in a Workflow, in its words and in its order; all of it, not only the first.

Source of the rules and messages: `workflow/validate` of Argo Workflows 4.1.2, and the recorded cases of area `invalid`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from . import dag, leaves, names, steps
from .fault import Fault
from .types import TEMPLATE_TYPES

_RETRY = ("retries", "lastRetry.exitCode", "lastRetry.status", "lastRetry.duration", "lastRetry.message")
_ALWAYS = (
    "workflow.name", "workflow.namespace", "workflow.mainEntrypoint", "workflow.serviceAccountName", "workflow.uid",
    "workflow.status", "workflow.annotations", "workflow.annotations.json", "workflow.labels", "workflow.labels.json",
)  # fmt: skip
_MOST_NAME = 63
_DEEPEST = 100
Arguments = Mapping[str, Any] | None  # None: whatever is asked for is supplied

Template = Mapping[str, Any]


def type_of(template: Template) -> str:
    """The kind of a template: the first of Argo's types that it has; empty if it has none."""
    return next((kind for kind in TEMPLATE_TYPES if template.get(kind) is not None), "")


def has_output(template: Template) -> bool:
    """Whether `outputs.result` can exist."""
    inside = (template.get("containerSet") or {}).get("containers") or ()
    return type_of(template) in ("container", "script", "data", "http", "plugin") or any(
        container.get("name") == "main" for container in inside
    )


class Validation:
    """One look at one Workflow. `faults` are in the order in which Argo would find them."""

    def __init__(self, workflow: Mapping[str, Any], workflow_templates: Mapping[str, Mapping[str, Any]]) -> None:
        self.workflow = workflow
        self.spec: Mapping[str, Any] = workflow.get("spec") or {}
        self.workflow_templates = workflow_templates
        self.faults: list[Fault] = []
        self.known: set[str] = set(_ALWAYS)
        self.seen: set[str] = set()
        self._prefixes: list[str] = []
        self._said: set[tuple[str, str]] = set()
        self._depth = 0
        self.values: dict[str, str] = {}
        self._later: set[str] = set()
        self.templates: dict[str, tuple[str, Template]] = {}
        self._add_templates(self.spec, "spec", "")

    def _add_templates(self, spec: Mapping[str, Any], path: str, scope: str) -> None:
        for number, template in enumerate(spec.get("templates") or ()):
            self.templates.setdefault(scope + (template.get("name") or ""), (f"{path}.templates[{number}]", template))

    # Saying what is wrong

    def fail(self, path: str, message: str) -> None:
        """Note a fault; what was said of a field once is not said again."""
        if (path, message) not in self._said:
            self._said.add((path, message))
            self.faults.append(Fault(path=path, message="".join(self._prefixes) + message, by="controller"))

    @contextmanager
    def within(self, prefix: str) -> Iterator[None]:
        """What is said inside begins with `prefix`, as where Argo wraps an error."""
        self._prefixes.append(prefix)
        try:
            yield
        finally:
            self._prefixes.pop()

    # The workflow

    def run(self) -> list[Fault]:
        """All faults of the workflow."""
        name = (self.workflow.get("metadata") or {}).get("name") or ""
        if len(name) > _MOST_NAME:
            self.fail(
                "metadata.name",
                f'workflow name "{name}" must not be more than {_MOST_NAME} characters long (currently {len(name)})',
            )
        referred, arguments = self._reference()
        for number, message in names.check_list(self.spec.get("templates") or (), names.bad_field):
            self.fail(f"spec.templates[{number}].name", f"spec.templates{message}")
        self.arguments("spec.arguments", "spec.arguments.", arguments)
        self._globals(arguments, referred)
        reference = self.spec.get("workflowTemplateRef") or {}
        if reference and reference.get("name") not in self.workflow_templates:
            return self.faults  # nobody knows the rest
        entrypoint = self.spec.get("entrypoint") or referred.get("entrypoint")
        scope = f"{reference.get('name')}/" if reference else ""
        if not entrypoint:
            self.fail("spec.entrypoint", "spec.entrypoint is required")
        else:
            self.holder("spec.entrypoint", {"template": entrypoint}, arguments, scope)
        self._exit(referred, scope)
        self.hooks(self.spec.get("hooks"), "spec.hooks", "hooks")
        for key, (_, template) in list(self.templates.items()):
            if key.startswith(scope) and "/" not in key[len(scope) :]:
                with self.within(f"templates.{template.get('name')} "):
                    self.holder("spec.templates", {"template": template.get("name")}, None, scope)
        return self.faults

    def _reference(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The spec of the WorkflowTemplate that the workflow is made from (empty if of none), and all arguments."""
        reference = self.spec.get("workflowTemplateRef")
        own: Mapping[str, Any] = self.spec.get("arguments") or {}
        if not reference:
            return {}, own
        path = "spec.workflowTemplateRef"
        if self.spec.get("templates"):
            self.fail(
                "spec.templates",
                "Templates is invalid field in spec if workflow referred WorkflowTemplate reference",
            )
        name = reference.get("name") or ""
        found = self.workflow_templates.get(name)
        if found is None:
            self.fail(path, f'workflowtemplates.argoproj.io "{name}" not found')
            return {}, own
        spec: Mapping[str, Any] = found.get("spec") or {}
        self._add_templates(spec, f"workflowTemplates.{name}.spec", f"{name}/")
        merged = {}
        for kind in ("parameters", "artifacts"):
            given = {item.get("name"): item for item in own.get(kind) or ()}
            base = {item.get("name"): item for item in (spec.get("arguments") or {}).get(kind) or ()}
            merged[kind] = list({**base, **given}.values())
        return spec, merged

    def _globals(self, arguments: Mapping[str, Any], referred: Mapping[str, Any]) -> None:
        parameters = arguments.get("parameters") or ()
        if parameters:
            self.known |= {"workflow.parameters", "workflow.parameters.json"}
        for item in parameters:
            name = f"workflow.parameters.{item.get('name')}"
            self.known.add(name)
            if isinstance(item.get("value"), str) and item["value"]:
                self.values[name] = item["value"]
            else:
                self._later.add(name)
        metadata = self.workflow.get("metadata") or {}
        extras = [spec.get("workflowMetadata") or {} for spec in (self.spec, referred)]
        for kind, sources in (("annotations", ("annotations",)), ("labels", ("labels", "labelsFrom"))):
            keys = set(metadata.get(kind) or ()) | {
                key for extra in extras for source in sources for key in extra.get(source) or ()
            }
            self.known |= {f"workflow.{kind}.{key}" for key in keys}
        if self.spec.get("priority") is not None:
            self.known.add("workflow.priority")

    def _exit(self, referred: Mapping[str, Any], scope: str) -> None:
        handler = self.spec.get("onExit") or referred.get("onExit")
        if not handler:
            return
        self.known.add("workflow.failures")
        for _, template in self.templates.values():
            for artifact in (template.get("outputs") or {}).get("artifacts") or ():
                if names.has_tag(artifact.get("globalName") or ""):
                    self.known.add(names.ANY_ARTIFACT)
        self.holder("spec.onExit", {"template": handler}, self.spec.get("arguments") or {}, scope)

    def hooks(self, hooks: Mapping[str, Any] | None, path: str, name: str) -> None:
        """Every hook but `exit` has to say when it runs."""
        for hook, value in (hooks or {}).items():
            if hook != "exit" and not (value or {}).get("expression"):
                self.fail(f"{path}.{hook}.expression", f"{name}.{hook} Expression required")

    def arguments(self, path: str, prefix: str, arguments: Mapping[str, Any]) -> None:
        """Names and values of arguments that are handed over (of the workflow, of a step or task)."""
        for kind in ("parameters", "artifacts"):
            for number, message in names.check_list(arguments.get(kind) or (), names.bad_parameter):
                self.fail(f"{path}.{kind}[{number}].name", f"{prefix}{kind}{message}")
        for number, parameter in enumerate(arguments.get("parameters") or ()):
            leaves.argument_value(self, f"{path}.parameters[{number}]", prefix + str(parameter.get("name")), parameter)
        for number, artifact in enumerate(arguments.get("artifacts") or ()):
            leaves.argument_artifact(self, f"{path}.artifacts[{number}]", prefix + str(artifact.get("name")), artifact)

    # Templates

    def holder(self, path: str, holder: Mapping[str, Any], arguments: Arguments, scope: str) -> Template | None:
        """Look at the template that a step, task, entrypoint or handler names; None if there is none."""
        found = self._resolve(path, holder, scope)
        if found is None:
            return None
        where, template, inner = found
        if not type_of(template):
            self.fail(where, f"template '{template.get('name') or ''}' type is unknown")
            return template
        self._depth += 1
        if self._depth > _DEEPEST:
            self.fail(path, f"templates are nested more than {_DEEPEST} deep")
        else:
            self._template(where, template, arguments, inner)
        self._depth -= 1
        return template

    def _resolve(self, path: str, holder: Mapping[str, Any], scope: str) -> tuple[str, Template, str] | None:
        inline, name = holder.get("inline"), holder.get("template") or ""
        if inline is not None and (not name or scope + name in self.templates):
            return f"{path}.inline", inline, scope
        if holder.get("templateRef") is None:
            if name and scope + name in self.templates:
                return (*self.templates[scope + name], scope)
            if not (name and self.unsettled(name)):
                where = path if path in ("spec.entrypoint", "spec.onExit") else f"{path}.template"
                self.fail(where, f"template name '{name}' undefined" if name else "failed to get a template")
            return None
        if name:
            self.fail(f"{path}.template", "template name cannot be specified with templateRef")
            return None
        return self._refer(path, holder["templateRef"])

    def unsettled(self, text: str) -> bool:
        """Whether a text has tags, and all of them are the workflow's parameters whose values come later."""
        return "{{" in text and "{{" not in names.settled(text, self._later)

    def _refer(self, path: str, reference: Mapping[str, Any]) -> tuple[str, Template, str] | None:
        base, name = reference.get("name") or "", reference.get("template") or ""
        if names.has_tag(base + name):
            return None
        if not base or not name:
            self.fail(f"{path}.templateRef", "template name is required" if base else "resource name is required")
            return None
        if base in self.workflow_templates and f"{base}/{name}" not in self.templates:
            spec = self.workflow_templates[base].get("spec") or {}
            self._add_templates(spec, f"workflowTemplates.{base}.spec", f"{base}/")
        if f"{base}/{name}" not in self.templates:
            self.fail(f"{path}.templateRef", f"template reference {base}.{name} not found")
            return None
        return (*self.templates[f"{base}/{name}"], f"{base}/")

    def _template(self, path: str, template: Template, arguments: Arguments, outer: str) -> None:
        name, kind = template.get("name") or "", type_of(template)
        scope = leaves.inputs(self, path, template, kind)
        if template.get("retryStrategy") is not None:
            scope |= set(_RETRY)
        if arguments is not None:
            with self.within(f"templates.{name} "):
                self._supplied(path, template, arguments)
        # An inline template is looked at in full without arguments, just before.
        if outer + name in self.seen if name else arguments is not None:
            return
        self.seen.add(outer + name)
        values = {**self.values, **self._given(template, arguments)}
        if kind in ("steps", "dag"):
            template = names.filled(template, values)
        elif any("{{" in value for value in values.values()):
            template = names.filled(template, {name: value for name, value in values.items() if "{{" in value})
        if kind == "steps":
            steps.check(self, path, template, scope, outer)
        elif kind == "dag":
            dag.check(self, path, template, scope, outer)
        else:
            leaves.leaf(self, path, template, kind, scope)
        leaves.outputs(self, path, template, kind, scope)

    def _given(self, template: Template, arguments: Arguments) -> dict[str, str]:
        """The values of the entrypoint's inputs; of other templates Argo looks at the inputs without any."""
        found = {}
        given = {item.get("name"): item.get("value") for item in (arguments or {}).get("parameters") or ()}
        for parameter in (template.get("inputs") or {}).get("parameters") or () if arguments is not None else ():
            values = (given.get(parameter["name"]), parameter.get("value"), parameter.get("default"))
            value = next((one for one in values if one is not None), None)
            if isinstance(value, str):
                found[f"inputs.parameters.{parameter['name']}"] = value
        return found

    def _supplied(self, path: str, template: Template, arguments: Mapping[str, Any]) -> None:
        given = {item.get("name"): item for item in arguments.get("parameters") or ()}
        for parameter in (template.get("inputs") or {}).get("parameters") or ():
            name = parameter.get("name")
            values = (parameter.get("value"), parameter.get("default"), parameter.get("valueFrom"))
            supplied = given.get(name, {})
            if all(value is None for value in (*values, supplied.get("value"), supplied.get("valueFrom"))):
                self.fail(f"{path}.inputs.parameters", f"inputs.parameters.{name} was not supplied")
        artifacts = {item.get("name") for item in arguments.get("artifacts") or ()}
        for artifact in (template.get("inputs") or {}).get("artifacts") or ():
            name = artifact.get("name")
            if not artifact.get("optional") and not leaves.has_location(artifact) and name not in artifacts:
                self.fail(f"{path}.inputs.artifacts", f"inputs.artifacts.{name} was not supplied")

    def add_outputs(
        self,
        template: Template | None,
        kind: str,
        name: str,
        scope: set[str],
        *,
        aggregate: bool = False,
        before: bool = False,
    ) -> None:
        """Let later steps or tasks refer to what `name` gives out; global names are known to all from here on."""
        own = f"{kind}.{name}"
        scope |= {f"{own}.{field}" for field in ("id", "startedAt", "finishedAt", "hostNodeName")}
        if template is None:
            return
        if template.get("daemon"):
            scope.add(f"{own}.ip")
        if has_output(template):
            scope |= {f"{own}.outputs.result", f"{own}.exitCode"}
        outputs = template.get("outputs") or {}
        for sort, anything in (("parameters", names.ANY_PARAMETER), ("artifacts", names.ANY_ARTIFACT)):
            for item in outputs.get(sort) or ():
                scope.add(f"{own}.outputs.{sort}.{item.get('name')}")
                shared = item.get("globalName")
                if shared and names.has_tag(shared):
                    scope.add(anything)
                elif shared:
                    scope.add(f"workflow.outputs.{sort}.{shared}")
                    self.known.add(f"workflow.outputs.{sort}.{shared}")
        if aggregate:
            scope.add(f"{own}.outputs.parameters")
            if type_of(template) in ("script", "containerSet"):
                scope |= {f"{own}.outputs.result", f"{own}.exitCode"}
        if before:
            scope.add(f"{own}.status")
