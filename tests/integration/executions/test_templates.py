"""Schemas that refer to stored WorkflowTemplates: checked when saved, kept by each run as they were, in use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from app.executions import services
from app.executions.errors import NotAllowed, StillInUse
from app.executions.models import Execution
from app.executions.requests import workflow_name as name
from app.modules.faults import Faulty
from app.schemas import services as schemas
from app.schemas.models import Schema, SchemaVersion
from app.schemas.services import BadSchema, InUse, NotChangeable
from tests.integration.executions.fake_engine import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("static_files")]

Work = Callable[[], None]
TOOLS = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata:
  name: tools
  annotations: {orchestra/inputs: '{"count": {"type": "integer", "minimum": 1}}'}
spec:
  entrypoint: say
  arguments: {parameters: [{name: count, value: "2", description: how often}]}
  templates:
  - name: say
    inputs: {parameters: [{name: text, value: hello}]}
    outputs: {parameters: [{name: said, valueFrom: {path: /tmp/said}}]}
    container: {image: busybox, command: [echo, "{{inputs.parameters.text}}"]}
"""
USER = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: user}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - name: a
        templateRef: {name: tools, template: say}
"""
FROM = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: made-from}
spec:
  workflowTemplateRef: {name: tools}
"""


def asked(text: str, **given: Any) -> Execution:
    return services.request_schema(schemas.save(text).version, **given).execution


def image(world: World, execution: Execution) -> str:
    """The image of the template that an execution was submitted with."""
    return str(world.templates[name(execution)]["tools"]["spec"]["templates"][0]["container"]["image"])


def together(acts: list[Callable[[], object]]) -> None:
    """Do all at once; each may be refused, nothing else may happen."""
    failures: list[Exception] = []

    def tried(act: Callable[[], object]) -> None:
        try:
            act()
        except (NotAllowed, NotChangeable, StillInUse, BadSchema):
            pass
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=tried, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_reference_to_nothing_is_a_fault_at_its_place(shipped: None) -> None:
    for text, path, line in (
        (USER, "spec.templates[0].steps[0][0].templateRef.name", 11),
        (FROM, "spec.workflowTemplateRef.name", 6),
    ):
        with pytest.raises(BadSchema) as raised:
            schemas.save(text)
        assert (path, line) in {(fault.path, fault.line) for fault in raised.value.faults}
        assert "there is no WorkflowTemplate 'tools'; save it as a schema first" in str(raised.value)
    assert not Schema.objects.filter(name__in=["user", "made-from"]).exists()


def test_a_workflow_of_that_name_is_no_template(shipped: None) -> None:
    schemas.save(TOOLS.replace("kind: WorkflowTemplate", "kind: Workflow"))
    with pytest.raises(BadSchema, match="there is no WorkflowTemplate"):
        schemas.save(USER)
    with pytest.raises(BadSchema, match="the schema tools is a Workflow; save a WorkflowTemplate under another name"):
        schemas.save(TOOLS)


def test_what_does_not_go_with_the_template_is_a_fault_at_the_reference(shipped: None) -> None:
    schemas.save(TOOLS)
    with pytest.raises(BadSchema) as raised:
        schemas.save(USER.replace("template: say", "template: shout"))
    assert {fault.line for fault in raised.value.faults} == {11}
    assert "shout" in str(raised.value)


def test_a_run_keeps_the_templates_that_were_there_when_it_was_asked_for(
    shipped: None, world: World, work: Work
) -> None:
    schemas.save(TOOLS)
    first = asked(USER)
    schemas.save(TOOLS.replace("busybox", "alpine"))
    second = asked(USER)
    again = services.resubmit(first)
    work()
    assert [image(world, one) for one in (first, second, again)] == ["busybox", "alpine", "busybox"]
    shown = Client().get(f"/api/v1/executions/{first.pk}").json()
    assert shown["schema"] == {"name": "user", "version": 1}
    assert shown["templates"] == [{"name": "tools", "version": 1}]
    world.start(name(first), template="say")
    world.end(name(first), template="say", phase="Failed", code=1)
    work()
    first = services.retry(first)
    work()
    assert (first.attempt, image(world, first)) == (2, "busybox")


def test_templates_of_templates_are_kept_too(shipped: None, world: World, work: Work) -> None:
    schemas.save(TOOLS)
    schemas.save(USER.replace("kind: Workflow", "kind: WorkflowTemplate").replace("name: user", "name: middle"))
    execution = asked(USER.replace("{name: tools, template: say}", "{name: middle, template: main}"))
    work()
    assert set(world.templates[name(execution)]) == {"tools", "middle"}


def test_a_workflow_made_from_a_template_has_its_inputs_and_outputs(shipped: None, world: World, work: Work) -> None:
    schemas.save(TOOLS)
    version = schemas.save(FROM).version
    shown = Client().get("/api/v1/schemas/made-from").json()
    assert shown["inputs"]["properties"]["count"]["minimum"] == 1
    assert shown["references"] == ["tools"]
    assert list(shown["outputs"]["parameters"]) == ["said"]
    with pytest.raises(Faulty, match="count: 0 is less than the minimum"):
        services.request_schema(version, arguments={"count": 0})
    execution = services.request_schema(version, arguments={"count": "4"}).execution
    schemas.save(TOOLS.replace('"minimum": 1', '"minimum": 5').replace('value: "2"', 'value: "6"'))
    assert Client().get("/api/v1/schemas/made-from").json()["inputs"]["properties"]["count"]["minimum"] == 5
    with pytest.raises(Faulty, match="minimum of 5"):
        services.request_schema(version, arguments={"count": 4})
    work()
    spec = world.workflows[name(execution)]["spec"]
    assert spec["workflowTemplateRef"] == {"name": "tools"}
    assert [(one["name"], one["value"]) for one in spec["arguments"]["parameters"]] == [("count", "4")]
    assert "templates" not in spec


def test_a_template_with_an_entrypoint_is_run_itself(shipped: None, world: World, work: Work) -> None:
    execution = asked(TOOLS, arguments={"count": 3})
    schemas.save(TOOLS.replace("busybox", "alpine"))
    work()
    workflow = world.workflows[name(execution)]
    assert (workflow["kind"], workflow["spec"]["workflowTemplateRef"]) == ("Workflow", {"name": "tools"})
    assert image(world, execution) == "busybox"
    without = schemas.save(TOOLS.replace("  entrypoint: say\n", "").replace("name: tools", "name: parts")).version
    with pytest.raises(BadSchema, match="cannot be run by itself"):
        services.request_schema(without)
    answer = Client().post("/api/v1/schemas/parts/executions", {}, "application/json")
    assert (answer.status_code, answer.json()["faults"][0]["path"]) == (422, "spec.entrypoint")


def test_a_template_in_use_is_not_removed(shipped: None) -> None:
    tools = schemas.save(TOOLS).version.schema
    execution = asked(USER)
    with pytest.raises(StillInUse, match=str(execution.pk)):
        services.remove_schema(tools)
    services.cancel(execution)
    with pytest.raises(InUse, match="schema user refers to it"):
        services.remove_schema(tools)
    answer = Client().delete("/api/v1/schemas/tools")
    assert (answer.status_code, "schema user refers to it" in answer.json()["error"]) == (409, True)
    services.remove_schema(Schema.objects.get(name="user"))
    services.remove_schema(tools)
    with pytest.raises(NotAllowed, match="was removed"):
        services.resubmit(execution)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("- name: say", "- name: shout", "the schema user refers to it and would be wrong: .*say"),
        ("  entrypoint: say\n", "", "the schema made-from refers to it and would be wrong: .*entrypoint"),
        ("{name: count, value", "{name: times, value", "the schema side refers .*inputs: count: there is no such name"),
    ],
    ids=["a template is gone", "no entrypoint", "an input is gone"],
)
def test_a_new_version_of_a_template_must_not_make_wrong_what_refers_to_it(
    shipped: None, old: str, new: str, words: str
) -> None:
    tools = TOOLS.replace("orchestra/inputs", "x")
    schemas.save(tools)
    schemas.save(USER)
    schemas.save(FROM)
    schemas.save(FROM.replace("made-from", "side"), inputs={"count": {"minimum": 1, "type": "integer"}})
    changed = tools.replace(old, new).replace(
        "entrypoint: say", "entrypoint: shout" if "shout" in new else "entrypoint: say"
    )
    with pytest.raises(BadSchema, match=words):
        schemas.save(changed)
    assert schemas.current("tools").number == 1
    assert schemas.save(tools.replace("busybox", "alpine")).created


def test_what_refers_to_a_template_by_way_of_another_is_looked_at_too(shipped: None) -> None:
    schemas.save(TOOLS)
    schemas.save(USER.replace("kind: Workflow", "kind: WorkflowTemplate").replace("name: user", "name: middle"))
    schemas.save(USER.replace("{name: tools, template: say}", "{name: middle, template: main}"))
    with pytest.raises(BadSchema) as raised:
        schemas.save(TOOLS.replace("say", "shout"))
    told = [fault.message for fault in raised.value.faults]
    assert [word in one for word, one in zip(("middle", "user"), told, strict=True)] == [True, True]


def test_what_is_wrong_already_does_not_keep_a_template_from_being_saved(shipped: None) -> None:
    schemas.save(TOOLS)
    user = schemas.save(USER).version
    broken = USER.replace("template: say", "template: shout")
    SchemaVersion.objects.filter(pk=user.pk).update(text=broken)
    assert schemas.save(TOOLS.replace("busybox", "alpine")).created


def test_a_template_and_what_refers_to_it_saved_at_once_go_together(shipped: None) -> None:
    """Each is checked against the other as it is when it is stored, whoever comes first."""
    both = TOOLS + TOOLS[TOOLS.index("  - name: say") :].replace("say", "shout")
    for turn in range(6):
        tools, user = f"tools-{turn}", f"user-{turn}"
        schemas.save(both, name=tools)
        referring = USER.replace("{name: tools, template: say}", f"{{name: {tools}, template: shout}}")
        together([partial(schemas.save, TOOLS, name=tools), partial(schemas.save, referring, name=user)])
        has_shout = "shout" in schemas.current(tools).text
        assert Schema.objects.filter(name=user).exists() is has_shout


def test_an_earlier_version_whose_template_is_gone_is_told(shipped: None) -> None:
    tools = schemas.save(TOOLS).version.schema
    earlier = schemas.save(USER).version
    schemas.save(TOOLS.replace("WorkflowTemplate", "Workflow").replace("name: tools", "name: user"))
    services.remove_schema(tools)
    with pytest.raises(BadSchema, match="there is no WorkflowTemplate 'tools'"):
        services.request_schema(earlier)
    assert Client().get("/api/v1/schemas/user?version=1").status_code == 200
    assert not Execution.objects.exists()


def test_a_sent_manifest_may_refer_to_templates_and_is_none_itself(shipped: None, world: World, work: Work) -> None:
    schemas.save(TOOLS)
    execution = services.send(USER).execution
    work()
    assert image(world, execution) == "busybox"
    with pytest.raises(BadSchema, match="is not run as it is sent"):
        services.send(TOOLS)


def test_removing_a_template_and_using_it_at_once_never_leaves_a_run_without_it(shipped: None) -> None:
    """Whoever comes first: a run whose template is there, or no run."""
    for turn in range(6):
        schemas.save(TOOLS)
        version = schemas.save(USER, name=f"user-{turn}").version
        sent: list[Execution] = []

        def use(version: SchemaVersion = version, sent: list[Execution] = sent) -> None:
            sent.append(services.request_schema(version).execution)

        def remove(turn: int = turn) -> None:
            services.remove_schema(Schema.objects.get(name=f"user-{turn}", removed_at=None))
            services.remove_schema(Schema.objects.get(name="tools", removed_at=None))

        together([use, remove])
        for execution in sent:
            [kept] = execution.templates.select_related("schema")
            assert kept.schema.removed_at is None
            services.cancel(execution)
            services.remove_schema(Schema.objects.get(name=f"user-{turn}"))
