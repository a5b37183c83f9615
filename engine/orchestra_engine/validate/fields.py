"""Every field of a Workflow's spec, a template and a container: run, ignored, or refused and what to do instead.

The tables are read by `support` and by the documentation's page on the language, so that neither can be wrong alone.
"""

from __future__ import annotations

from dataclasses import dataclass

RUN, IGNORED, REFUSED = "run", "ignored", "refused"


@dataclass(frozen=True)
class Field:
    """What happens to a field, and why."""

    fate: str
    why: str = ""


_RUN = Field(RUN)
_PLACES = Field(IGNORED, "it only says where or as what a pod is placed")
_KUBERNETES = Field(IGNORED, "it only concerns Kubernetes' own objects")
_RESOURCES = Field(REFUSED, "there is no scheduler that hands out devices; take the field out")
_PATCH = Field(REFUSED, "there is no pod to patch; set the fields themselves in the template")
_HOSTS = Field(REFUSED, "names are resolved as on this machine; use addresses instead")
_PROCESS = "a node is one process tree on this machine; "

SPEC: dict[str, Field] = {
    "activeDeadlineSeconds": _RUN,
    "affinity": _PLACES,
    "archiveLogs": Field(IGNORED, "logs are always kept"),
    "arguments": _RUN,
    "artifactGC": Field(IGNORED, "artifacts are kept until the owner of the repository removes them"),
    "artifactRepositoryRef": Field(IGNORED, "artifacts go to the engine's own repository"),
    "automountServiceAccountToken": _KUBERNETES,
    "dnsConfig": Field(IGNORED, "names are resolved as on this machine"),
    "dnsPolicy": Field(IGNORED, "names are resolved as on this machine"),
    "entrypoint": _RUN,
    "executor": _KUBERNETES,
    "executorPlugins": Field(REFUSED, "executor plugins need a pod; take them out"),
    "hooks": _RUN,
    "hostAliases": _HOSTS,
    "hostNetwork": Field(IGNORED, "nodes always use this machine's network"),
    "imagePullSecrets": _KUBERNETES,
    "metrics": Field(IGNORED, "this engine emits no metrics of workflows"),
    "nodeSelector": _PLACES,
    "onExit": _RUN,
    "parallelism": _RUN,
    "podDisruptionBudget": _KUBERNETES,
    "podGC": _KUBERNETES,
    "podMetadata": _PLACES,
    "podPriorityClassName": _PLACES,
    "podResources": _PLACES,
    "podSpecPatch": _PATCH,
    "priority": Field(RUN, "who takes a lock first"),
    "resourceClaims": _RESOURCES,
    "retryStrategy": _RUN,
    "schedulerName": _PLACES,
    "securityContext": Field(IGNORED, "nodes run as this user, without privileges"),
    "serviceAccountName": _KUBERNETES,
    "shutdown": _RUN,
    "suspend": _RUN,
    "synchronization": _RUN,
    "templateDefaults": _RUN,
    "templates": _RUN,
    "tolerations": _PLACES,
    "ttlStrategy": Field(IGNORED, "finished workflows stay until they are deleted"),
    "volumeClaimGC": _KUBERNETES,
    "volumeClaimTemplates": Field(REFUSED, "there are no persistent volumes; pass files as artifacts"),
    "volumes": Field(RUN, "emptyDir only"),
    "workflowMetadata": _RUN,
    "workflowTemplateRef": _RUN,
}

TEMPLATE: dict[str, Field] = {
    "activeDeadlineSeconds": _RUN,
    "affinity": _PLACES,
    "annotations": Field(RUN, "the display name, workflows.argoproj.io/display-name"),
    "archiveLocation": Field(IGNORED, "artifacts and logs go to the engine's own repository"),
    "automountServiceAccountToken": _KUBERNETES,
    "container": _RUN,
    "containerSet": Field(RUN, "`retries` of its retryStrategy is the number of attempts, as on Argo"),
    "daemon": Field(REFUSED, _PROCESS + "start the service outside, or inside the step that needs it"),
    "dag": _RUN,
    "data": Field(REFUSED, "it lists foreign artifact stores; list the files in a script"),
    "executor": _KUBERNETES,
    "failFast": _RUN,
    "hostAliases": _HOSTS,
    "http": Field(REFUSED, "it needs Argo's agent; send the request from a script"),
    "initContainers": Field(REFUSED, _PROCESS + "do it at the beginning of the main container, or in a step before"),
    "inputs": _RUN,
    "memoize": _RUN,
    "metadata": Field(
        IGNORED, "labels and annotations of pods; only annotations that begin with orchestra/ are looked at"
    ),
    "metrics": Field(IGNORED, "this engine emits no metrics of workflows"),
    "name": _RUN,
    "nodeSelector": _PLACES,
    "outputs": _RUN,
    "parallelism": _RUN,
    "pendingTimeout": Field(RUN, "while a node waits for a lock; it never waits for a place in a cluster"),
    "plugin": Field(REFUSED, "executor plugins need a pod; do it in a script"),
    "podResources": _PLACES,
    "podSpecPatch": _PATCH,
    "priorityClassName": _PLACES,
    "resource": Field(
        REFUSED, "there is no Kubernetes to make the object in; run kubectl in a container if there is one"
    ),
    "resourceClaims": _RESOURCES,
    "retryStrategy": _RUN,
    "schedulerName": _PLACES,
    "script": _RUN,
    "securityContext": Field(IGNORED, "nodes run as this user, without privileges"),
    "serviceAccountName": _KUBERNETES,
    "sidecars": Field(REFUSED, _PROCESS + "start the service inside the step that needs it, or use a containerSet"),
    "steps": _RUN,
    "suspend": _RUN,
    "synchronization": _RUN,
    "timeout": _RUN,
    "tolerations": _PLACES,
    "volumes": Field(RUN, "emptyDir only"),
}

CONTAINER: dict[str, Field] = {
    "args": _RUN,
    "command": _RUN,
    "dependencies": _RUN,
    "env": Field(RUN, "value, configMapKeyRef and secretKeyRef"),
    "envFrom": Field(RUN, "configMapRef and secretRef"),
    "image": _RUN,
    "imagePullPolicy": Field(IGNORED, "an image is a name for an environment of this machine; nothing is pulled"),
    "lifecycle": Field(REFUSED, "there is no kubelet to call the hooks; do it in the command itself"),
    "livenessProbe": Field(IGNORED, "there is no kubelet to ask"),
    "name": _RUN,
    "ports": Field(IGNORED, "nodes use this machine's network as it is"),
    "readinessProbe": Field(IGNORED, "there is no kubelet to ask"),
    "resizePolicy": _PLACES,
    "resources": Field(RUN, "limits.memory; limits.cpu where cgroups are delegated"),
    "restartPolicy": Field(IGNORED, "retryStrategy decides"),
    "restartPolicyRules": Field(IGNORED, "retryStrategy decides"),
    "securityContext": Field(IGNORED, "nodes run as this user, without privileges"),
    "source": _RUN,
    "startupProbe": Field(IGNORED, "there is no kubelet to ask"),
    "stdin": Field(IGNORED, "nobody is there to type"),
    "stdinOnce": Field(IGNORED, "nobody is there to type"),
    "terminationMessagePath": _KUBERNETES,
    "terminationMessagePolicy": _KUBERNETES,
    "tty": Field(IGNORED, "nobody is there to type"),
    "volumeDevices": Field(REFUSED, "there are no block devices to hand in; pass files as artifacts"),
    "volumeMounts": Field(RUN, "of emptyDir volumes"),
    "workingDir": _RUN,
}
