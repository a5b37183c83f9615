"""Every field of a Workflow's spec, templates and containers: what this engine does with it.

RUN: as Argo does. IGNORED: accepted and listed, because it only says where or how Kubernetes places or keeps a pod.
REFUSED: a manifest that has it is not run, because its result would not be what it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Does = Literal["run", "ignored", "refused"]


@dataclass(frozen=True)
class Field:
    """What is done with a field, and why or what to do instead."""

    does: Does
    text: str = ""


RUN = Field("run")
_PLACES = Field("ignored", "it only says where Kubernetes places a pod")
_CLUSTER = Field("ignored", "it only concerns the cluster")
_PROBE = Field("ignored", "nothing probes a process here")
_NO_POD = Field("refused", "there is no pod whose specification could be changed; set the template's own fields")
_CLAIM = Field("refused", "devices of a cluster cannot be claimed on this machine; run it on the engine argo")

SPEC: dict[str, Field] = {
    **dict.fromkeys(
        (
            "activeDeadlineSeconds arguments entrypoint hooks onExit parallelism priority retryStrategy shutdown suspend "
            "synchronization templateDefaults templates workflowMetadata workflowTemplateRef"
        ).split(),
        RUN,
    ),
    **dict.fromkeys("affinity nodeSelector schedulerName tolerations podPriorityClassName".split(), _PLACES),
    **dict.fromkeys(
        (
            "archiveLogs artifactGC automountServiceAccountToken executor imagePullSecrets metrics podDisruptionBudget "
            "podGC serviceAccountName ttlStrategy volumeClaimGC podResources"
        ).split(),
        _CLUSTER,
    ),
    "artifactRepositoryRef": Field("ignored", "artifacts go to this engine's own repository, under the same keys"),
    "dnsConfig": Field("ignored", "processes resolve names as this machine does"),
    "dnsPolicy": Field("ignored", "processes resolve names as this machine does"),
    "hostNetwork": Field("ignored", "processes use this machine's network in any case"),
    "podMetadata": Field("ignored", "there is no pod that could carry it (annotations orchestra/… are read)"),
    "securityContext": Field("ignored", "processes run as the user who runs the engine, in its sandbox"),
    "hostAliases": Field("refused", "names are resolved as on this machine; give the address instead"),
    "podSpecPatch": _NO_POD,
    "volumes": Field("run", "emptyDir only; anything else is refused"),
    "volumeClaimTemplates": Field("refused", "there are no persistent volumes here; pass files as artifacts"),
    "executorPlugins": Field("refused", "plugins run in the cluster; use a container template"),
    "resourceClaims": _CLAIM,
}

TEMPLATE: dict[str, Field] = {
    **dict.fromkeys(
        (
            "activeDeadlineSeconds container containerSet dag failFast inputs memoize name outputs parallelism "
            "retryStrategy script steps suspend synchronization timeout"
        ).split(),
        RUN,
    ),
    "annotations": Field("run", "the display name and orchestra/…; others are only kept"),
    "metadata": Field("ignored", "there is no pod that could carry it (annotations orchestra/… are read)"),
    **dict.fromkeys("affinity nodeSelector priorityClassName schedulerName tolerations".split(), _PLACES),
    **dict.fromkeys(
        "automountServiceAccountToken executor metrics serviceAccountName podResources".split(), _CLUSTER
    ),
    "securityContext": SPEC["securityContext"],
    "hostAliases": SPEC["hostAliases"],
    "podSpecPatch": _NO_POD,
    "volumes": SPEC["volumes"],
    "resourceClaims": _CLAIM,
    "archiveLocation": Field("refused", "artifacts go to this engine's own repository; give each artifact an s3.key"),
    "daemon": Field("refused", "nothing can run beside the steps that use it; start it within the step itself"),
    "initContainers": Field("refused", "a pod here is one program; use a containerSet with dependencies"),
    "sidecars": Field("refused", "a pod here is one program; use a containerSet, or start it within the step itself"),
    "data": Field("refused", "data templates need the cluster's artifact store; list the files in a container"),
    "http": Field("refused", "http templates need Argo's agent; call it from a container or script"),
    "plugin": Field("refused", "plugins run in the cluster; use a container template"),
    "resource": Field("refused", "there is no cluster whose objects could be changed; run it on the engine argo"),
    "pendingTimeout": Field("refused", "a process starts at once or waits for a lock; use timeout or activeDeadlineSeconds"),
}

CONTAINER: dict[str, Field] = {
    **dict.fromkeys("args command dependencies env envFrom image name source workingDir".split(), RUN),
    "resources": Field("run", "limits.memory; limits.cpu where cgroups are delegated; requests are ignored"),
    "volumeMounts": Field("run", "of emptyDir volumes"),
    "imagePullPolicy": Field("ignored", "a name of an image stands for an environment on this machine"),
    **dict.fromkeys("livenessProbe readinessProbe startupProbe".split(), _PROBE),
    **dict.fromkeys(
        (
            "ports resizePolicy restartPolicy restartPolicyRules stdin stdinOnce terminationMessagePath "
            "terminationMessagePolicy tty"
        ).split(),
        _CLUSTER,
    ),
    "securityContext": Field("ignored", "processes run as the user who runs the engine; privileged is refused"),
    "lifecycle": Field("refused", "nothing runs beside the program; do it within the program"),
    "volumeDevices": Field("refused", "block devices cannot be mounted here"),
    "mirrorVolumeMounts": Field("refused", "a pod here is one program"),
}

VOLUMES = ("emptyDir",)
LOCATIONS = {
    "git": "fetch the repository in a step, or give it as an input of the module",
    "http": "download the file in a step",
    "gcs": "only the engine's own repository is reached: use s3 with nothing but a key",
    "oss": "only the engine's own repository is reached: use s3 with nothing but a key",
    "azure": "only the engine's own repository is reached: use s3 with nothing but a key",
    "hdfs": "only the engine's own repository is reached: use s3 with nothing but a key",
    "artifactory": "only the engine's own repository is reached: use s3 with nothing but a key",
    "plugin": "only the engine's own repository is reached: use s3 with nothing but a key",
}
