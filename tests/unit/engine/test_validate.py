"""What is refused, in whose words, and that all of it is said at once."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest
from orchestra_engine import validate
from orchestra_engine.manifest import load
from orchestra_engine.validate import fields, types

CASES = Path(__file__).parents[2] / "conformance" / "cases"
FILES = sorted(path for path in CASES.glob("*/*.yaml") if ".configmaps" not in path.name)


def workflow(**spec: Any) -> dict[str, Any]:
    main = {"name": "main", "container": {"image": "busybox", "command": ["true"]}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {"entrypoint": "main", "templates": [main], **spec},
    }


def template(**extra: Any) -> dict[str, Any]:
    return workflow(
        templates=[{"name": "main", "container": {"image": "busybox", "command": ["true"]}, **extra}],
    )


def refused(manifest: dict[str, Any], **known: Any) -> dict[str, str]:
    return {fault.path: fault.message for fault in validate.check(manifest, **known) if fault.kind == "refused"}


def ignored(manifest: dict[str, Any]) -> set[str]:
    return {fault.path for fault in validate.check(manifest) if fault.kind == "ignored"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_recorded_manifests_are_refused_as_argo_refused_them(path: Path) -> None:
    record = json.loads(path.with_suffix(".status.json").read_text())
    manifest = load(path.read_text())[0]
    by = record.get("rejectedBy")
    assert validate.controller_message(manifest) == (record["message"] if by == "controller" else None)
    assert {fault.by for fault in validate.check(manifest) if fault.kind == "refused"} == ({by} if by else set())


def test_a_good_manifest_has_no_fault() -> None:
    assert validate.check(workflow()) == []


def test_every_fault_is_said_at_once_with_its_path() -> None:
    manifest = template(
        daemon=True,
        sidecars=[{"name": "s", "image": "busybox"}],
        initContainers=[{"name": "i", "image": "busybox"}],
        volumes=[{"name": "v", "hostPath": {"path": "/"}}, {"name": "ok", "emptyDir": {}}],
    )
    manifest["spec"]["templates"][0]["container"]["securityContext"] = {"privileged": True}
    manifest["spec"]["templates"][0]["container"]["env"] = [
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "k"}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "k", "optional": True}}},
        {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    manifest["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "c"}, "spec": {}}]
    faults = refused(manifest)
    assert set(faults) == {
        "spec.volumeClaimTemplates",
        "spec.templates[0].daemon",
        "spec.templates[0].sidecars",
        "spec.templates[0].initContainers",
        "spec.templates[0].volumes[0].hostPath",
        "spec.templates[0].container.securityContext.privileged",
        "spec.templates[0].container.env[0].valueFrom.secretKeyRef",
        "spec.templates[0].container.env[2].valueFrom.fieldRef",
    }
    assert all(message for message in faults.values())


def test_a_secret_that_is_there_may_be_used() -> None:
    manifest = template()
    manifest["spec"]["templates"][0]["container"]["env"] = [
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "present", "key": "k"}}}
    ]
    assert refused(manifest, secrets={"present"}) == {}


def test_fields_that_only_place_a_pod_are_ignored_and_listed() -> None:
    manifest = template(nodeSelector={"a": "b"}, tolerations=[{"key": "x"}], metadata={"labels": {"a": "b"}})
    manifest["spec"]["templates"][0]["container"]["imagePullPolicy"] = "Always"
    manifest["spec"]["serviceAccountName"] = "run"
    assert refused(manifest) == {}
    assert ignored(manifest) == {
        "spec.serviceAccountName",
        "spec.templates[0].nodeSelector",
        "spec.templates[0].tolerations",
        "spec.templates[0].metadata",
        "spec.templates[0].container.imagePullPolicy",
    }


def test_foreign_artifact_stores_are_refused() -> None:
    manifest = template(
        inputs={"artifacts": [{"name": "a", "path": "/a", "s3": {"key": "k", "bucket": "theirs"}}]},
        outputs={"artifacts": [{"name": "b", "path": "/b", "gcs": {"bucket": "x", "key": "k"}}]},
    )
    assert set(refused(manifest)) == {
        "spec.templates[0].inputs.artifacts[0].s3.bucket",
        "spec.templates[0].outputs.artifacts[0].gcs",
    }


@pytest.mark.parametrize(
    ("call", "place"),
    [
        ({"steps": [[{"name": "s", "template": "main"}]]}, "steps[0][0]"),
        ({"dag": {"tasks": [{"name": "s", "template": "main"}]}}, "dag.tasks[0]"),
    ],
    ids=["step", "task"],
)
def test_a_foreign_store_is_refused_where_a_step_or_hook_hands_it_over(call: dict[str, Any], place: str) -> None:
    foreign = {"artifacts": [{"name": "a", "git": {"repo": "https://example.org/x.git"}}]}
    one = call["steps"][0][0] if "steps" in call else call["dag"]["tasks"][0]
    one |= {"arguments": foreign, "hooks": {"exit": {"template": "main", "arguments": foreign}}}
    manifest = workflow(entrypoint="calls", hooks={"exit": {"template": "main", "arguments": foreign}})
    manifest["spec"]["templates"].append({"name": "calls", **call})
    assert set(refused(manifest)) == {
        "spec.hooks.exit.arguments.artifacts[0].git",
        f"spec.templates[1].{place}.arguments.artifacts[0].git",
        f"spec.templates[1].{place}.hooks.exit.arguments.artifacts[0].git",
    }


@pytest.mark.parametrize(
    "loop", [{"withItems": ["x"] * 20_001}, {"withSequence": {"count": "1000000"}}, {"withSequence": {"count": 10**30}}]
)
def test_a_loop_that_is_known_to_be_endless_is_refused_before_it_begins(loop: dict[str, Any]) -> None:
    manifest = workflow(entrypoint="calls")
    manifest["spec"]["templates"].append({"name": "calls", "steps": [[{"name": "s", "template": "main", **loop}]]})
    assert "at most 20000" in " ".join(refused(manifest).values())


def test_a_processor_limit_is_listed_as_what_not_every_machine_keeps() -> None:
    manifest = template()
    manifest["spec"]["templates"][0]["container"]["resources"] = {"limits": {"cpu": 1, "memory": "64Mi"}}
    assert refused(manifest) == {}
    assert ignored(manifest) == {"spec.templates[0].container.resources.limits.cpu"}


@pytest.mark.parametrize("kind", ["resource", "http", "data", "plugin"])
def test_templates_that_need_a_cluster_are_refused(kind: str) -> None:
    bodies = {
        "resource": {"action": "get", "manifest": "a: b"},
        "http": {"url": "http://127.0.0.1"},
        "data": {"source": {"artifactPaths": {"name": "x", "s3": {"key": "k"}}}, "transformation": []},
        "plugin": {"hello": {}},
    }
    assert f"spec.templates[0].{kind}" in refused(workflow(templates=[{"name": "main", kind: bodies[kind]}]))


def test_a_grant_has_to_be_given_by_the_caller() -> None:
    manifest = template(metadata={"annotations": {"orchestra/grant": "build"}})
    assert set(refused(manifest)) == {"spec.templates[0].metadata.annotations.orchestra/grant"}
    assert validate.check(manifest, grants={"build"}) == []


def test_a_program_has_to_be_named_by_the_manifest() -> None:
    manifest = template(container={"image": "busybox", "args": ["x"]})
    assert set(refused(manifest)) == {"spec.templates[0].container.command"}
    manifest["spec"]["templateDefaults"] = {"container": {"command": ["echo"]}}
    assert refused(manifest) == {}
    inside = template(containerSet={"containers": [{"name": "main", "image": "busybox"}]})
    del inside["spec"]["templates"][0]["container"]
    assert set(refused(inside)) == {"spec.templates[0].containerSet.containers[0].command"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("orchestra/limit-processes", "many", "no quantity"),
        ("orchestra/limit-processes", "0", "too low"),
        ("orchestra/lmit-processes", "3", "orchestra/limit-processes"),
    ],
)
def test_a_wrong_limit_is_refused_and_not_left_out(name: str, value: str, words: str) -> None:
    found = refused(template(metadata={"annotations": {name: value}}))
    assert words in found[f"spec.templates[0].metadata.annotations.{name}"]


def test_a_right_limit_is_taken() -> None:
    assert refused(template(metadata={"annotations": {"orchestra/limit-file-bytes": "200Mi"}})) == {}


def test_a_part_of_a_volume_is_refused() -> None:
    mount = {"name": "v", "mountPath": "/v", "subPath": "x"}
    container = {"image": "busybox", "command": ["true"], "volumeMounts": [mount]}
    manifest = template(container=container, volumes=[{"name": "v", "emptyDir": {}}])
    assert set(refused(manifest)) == {"spec.templates[0].container.volumeMounts[0].subPath"}


def test_where_a_retry_is_placed_is_ignored() -> None:
    assert ignored(template(retryStrategy={"limit": "1", "affinity": {"nodeAntiAffinity": {}}})) == {
        "spec.templates[0].retryStrategy.affinity"
    }


def test_what_cannot_run_in_an_inline_template_is_found_too() -> None:
    inline = {"container": {"image": "busybox", "command": ["true"]}, "daemon": True}
    manifest = workflow(templates=[{"name": "main", "steps": [[{"name": "a", "inline": inline}]]}])
    assert set(refused(manifest)) == {"spec.templates[0].steps[0][0].inline.daemon"}


def test_all_of_the_controllers_faults_are_found_not_only_the_first() -> None:
    manifest = workflow(
        templates=[
            {"name": "main", "steps": [[{"name": "a", "template": "nope"}, {"name": "b", "template": "t"}]]},
            {"name": "t", "inputs": {"parameters": [{"name": "x"}]}, "container": {"image": "", "command": ["x"]}},
        ],
        onExit="gone",
    )
    assert list(refused(manifest)) == [
        "spec.templates[0].steps[0][0].template",
        "spec.templates[1].container.image",
        "spec.templates[1].inputs.parameters",
        "spec.onExit",
    ]


def test_a_template_of_a_workflow_template_may_be_used() -> None:
    library = {"spec": {"templates": [{"name": "t", "container": {"image": "busybox", "command": ["true"]}}]}}
    manifest = workflow(
        templates=[{"name": "main", "steps": [[{"name": "a", "templateRef": {"name": "l", "template": "t"}}]]}]
    )
    assert refused(manifest, workflow_templates={"l": library}) == {}
    assert "template reference l.t not found" in refused(manifest)["spec.templates[0].steps[0][0].templateRef"]


def test_recursion_is_no_fault_and_ends() -> None:
    main = {"name": "main", "steps": [[{"name": "again", "template": "main", "when": "false"}]]}
    assert validate.check(workflow(templates=[main])) == []


@pytest.mark.parametrize(
    "value", [None, [], 3, "x", {"templates": 3}, {"templates": [3]}, {"templates": [{"steps": 1}]}]
)
def test_nonsense_is_a_fault_and_never_an_exception(value: Any) -> None:
    manifest = workflow()
    manifest["spec"] = value
    assert refused(manifest)


@pytest.mark.parametrize("path", FILES[::7], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_manifest_with_any_value_replaced_is_judged_without_an_exception(path: Path) -> None:
    manifest = load(path.read_text())[0]
    for place in _places(manifest):
        for nonsense in (None, 7, "{{", [], {}, [None], {"x": None}):
            changed = copy.deepcopy(manifest)
            _put(changed, place, nonsense)
            validate.check(changed)
            validate.controller_message(changed)


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in ((*at, key), *_places(item, (*at, key)))]


def _put(value: Any, place: tuple[Any, ...], new: Any) -> None:
    for key in place[:-1]:
        value = value[key]
    value[place[-1]] = new


def test_the_tables_name_exactly_the_fields_that_argo_has() -> None:
    known = types.definitions()
    assert set(fields.SPEC) == set(known["WorkflowSpec"]["properties"])
    assert set(fields.TEMPLATE) == set(known["Template"]["properties"])
    containers = [known[name]["properties"] for name in ("Container", "ScriptTemplate", "ContainerNode")]
    assert set(fields.CONTAINER) == set().union(*containers)


def test_the_work_grows_with_the_manifest_not_with_its_square() -> None:
    def seconds(count: int) -> float:
        tasks = [
            {"name": f"t{n}", "template": "leaf", "dependencies": [f"t{n - 1}"] if n else []} for n in range(count)
        ]
        manifest = workflow(templates=[{"name": "main", "dag": {"tasks": tasks}}, *workflow()["spec"]["templates"]])
        manifest["spec"]["templates"][1]["name"] = "leaf"
        began = time.process_time()
        assert validate.check(manifest) == []
        return time.process_time() - began

    seconds(20)
    few, many = min(seconds(50) for _ in range(3)), min(seconds(200) for _ in range(3))
    assert many < 16 * few


@pytest.mark.parametrize("name", ["../../x", "/abs", "..", "a/b", "a\n", "{{inputs.parameters.x}}"])
def test_a_volume_is_named_by_a_label_and_never_by_a_path(name: str) -> None:
    container = {"image": "busybox", "command": ["true"], "volumeMounts": [{"name": name, "mountPath": "/v"}]}
    spec = {"volumes": [{"name": name, "emptyDir": {}}], "templates": [{"name": "main", "container": container}]}
    assert "spec.volumes[0].name" in refused(workflow(**spec))


@pytest.mark.parametrize("path", ["/../x", "/a/../../x", "relative", "/", "", "/a:b"])
def test_a_volume_is_mounted_inside_the_container(path: str) -> None:
    container = {"image": "busybox", "command": ["true"], "volumeMounts": [{"name": "v", "mountPath": path}]}
    spec = {"volumes": [{"name": "v", "emptyDir": {}}], "templates": [{"name": "main", "container": container}]}
    assert "spec.templates[0].container.volumeMounts[0].mountPath" in refused(workflow(**spec))


def test_a_manifest_nested_without_end_is_refused() -> None:
    nested: dict[str, Any] = {"container": {"image": "busybox", "command": ["true"]}}
    for _ in range(2000):
        nested = {"steps": [[{"name": "s", "inline": nested}]]}
    [message] = refused(workflow(templates=[{"name": "main", **nested}])).values()
    assert "nested more than" in message


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\ufdd0/etc\ufdd1"])
def test_text_that_no_program_can_be_given_is_refused_where_it_stands(text: str) -> None:
    container = {"image": "busybox", "command": ["echo", text]}
    assert list(refused(workflow(templates=[{"name": "main", "container": container}]))) == [
        "spec.templates[0].container.command[1]"
    ]
