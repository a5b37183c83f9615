"""Argo Workflows on the testbed, from binaries: its controller runs on the node, its executor in every pod."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from script.lib.testbed import (
    BIN,
    KUBECONFIG,
    NODE_IP,
    ROOTS,
    RUN,
    S3,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
    apply,
    images,
    kubectl,
    processes,
    say,
)

_EXECUTOR = "testbed/argoexec:1"
_BUCKET = "orchestra"
_PULL = "imagePullPolicy: IfNotPresent\n"


def up(folder: Path) -> None:
    """Start Argo from a folder that holds `workflow-controller`, `argoexec` and `crds/`."""
    images.load(_executor(folder / "argoexec"))
    for definition in sorted((folder / "crds").glob("argoproj.io_*.yaml")):
        kubectl("apply", "--server-side", "--force-conflicts", "-f", definition, stdout=subprocess.DEVNULL)
    apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argo"}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "workflow-controller-configmap", "namespace": "argo"},
            "data": {"executor": _PULL, "mainContainer": _PULL},
        },
    )
    processes.start(
        "argo",
        *(folder / "workflow-controller", "--kubeconfig", KUBECONFIG, "--namespace", "argo"),
        *("--executor-image", _EXECUTOR, "--executor-image-pull-policy", "IfNotPresent"),
        env={"LEADER_ELECTION_DISABLE": "true", "DEFAULT_REQUEUE_TIME": "2s"},
    )
    say("Argo's controller runs; see", RUN / "argo.log")


def _executor(program: Path) -> Path:
    tar = images.file_of(_EXECUTOR)
    if tar.exists() and tar.stat().st_mtime >= program.stat().st_mtime:
        return tar
    root = ROOTS / "argoexec"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(images.busybox(), root, symlinks=True)
    shutil.copy2(program, root / "bin/argoexec")
    return images.archive([_EXECUTOR], root, entrypoint=["argoexec"])


def namespace(name: str) -> None:
    """A namespace in which workflows run: the rights of the executor, and S3 as the default artifact repository.

    Keys begin with `NAMESPACE/WORKFLOW/POD`, as the records in tests/conformance have them.
    """
    processes.wait("S3", _has_bucket)
    rules = [{"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "executor"}
    rights, here = "rbac.authorization.k8s.io/v1", {"namespace": name}
    annotation = {"workflows.argoproj.io/default-artifact-repository": "default"}
    apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        {"apiVersion": rights, "kind": "Role", "metadata": {"name": "executor", **here}, "rules": rules},
        {
            "apiVersion": rights,
            "kind": "RoleBinding",
            "metadata": {"name": "executor", **here},
            "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", "name": "default", **here}],
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s3", **here},
            "stringData": {"accessKey": S3_ACCESS_KEY, "secretKey": S3_SECRET_KEY},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "artifact-repositories", **here, "annotations": annotation},
            "data": {"default": json.dumps({"s3": _repository()})},
        },
    )


def _has_bucket() -> bool:
    """Whether the bucket is there; it is made where the store answers and has none."""
    for command in ("s3.bucket.list", f"s3.bucket.create -name {_BUCKET}"):
        argv = [str(BIN / "weed"), "shell", f"-master={NODE_IP}:9333"]
        done = subprocess.run(argv, check=False, input=command, capture_output=True, text=True)
        if done.returncode == 0 and _BUCKET in done.stdout:
            return True
    return False


def _repository() -> dict[str, object]:
    return {
        "endpoint": S3.removeprefix("http://"),
        "bucket": _BUCKET,
        "insecure": True,
        "keyFormat": "{{workflow.namespace}}/{{workflow.name}}/{{pod.name}}",
        "accessKeySecret": {"name": "s3", "key": "accessKey"},
        "secretKeySecret": {"name": "s3", "key": "secretKey"},
    }
