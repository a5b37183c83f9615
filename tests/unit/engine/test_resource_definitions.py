"""What Argo 4.1's resource definitions demand of fields beyond what hera's models of 4.0 say."""

from __future__ import annotations

import pytest
from orchestra_engine.manifest import load
from orchestra_engine.validate import types

TEXT = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  artifactGC: {strategy: Never}
  metrics:
    prometheus:
    - {name: ends, help: how many, labels: [{key: why, value: x}], gauge: {realtime: false, value: "1", operation: Set}}
  resourceClaims: [{name: gpu, resourceClaimName: one}]
  volumes:
  - {name: v, projected: {sources: [{podCertificate: {keyType: rsa, signerName: me, userAnnotations: {a: b}}}]}}
  templates:
  - name: main
    metrics: {prometheus: [{name: ends, help: how many, counter: {value: "1"}}]}
    inputs:
      artifacts:
      - {name: a, path: /a, s3: {key: a, addressingStyle: path}}
      - {name: b, path: /b, http: {url: "http://example.org", saveStreamViaFile: true}}
    container:
      image: busybox
      env: [{name: A, valueFrom: {fileKeyRef: {key: a, path: b, volumeName: v}}}]
      lifecycle: {preStop: {httpGet: {port: http}}}
      restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1, 2]}}]
  - name: get
    resource: {action: get, mergeStrategy: merge, manifest: x}
  - name: all
    steps: [[{name: a, template: main}]]
"""  # fmt: skip


def test_all_of_it_is_known() -> None:
    [workflow] = load(TEXT)
    assert types.check(workflow) == []


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("[[{name: a, template: main}]]", "[]", "spec.templates[2].steps"),
        ("action: get", "action: fetch", "spec.templates[1].resource.action"),
        ("mergeStrategy: merge", "mergeStrategy: join", "spec.templates[1].resource.mergeStrategy"),
        ("addressingStyle: path", "addressingStyle: none", "spec.templates[0].inputs.artifacts[0].s3.addressingStyle"),
        ("saveStreamViaFile: true", "saveStreamViaFile: 1",
         "spec.templates[0].inputs.artifacts[1].http.saveStreamViaFile"),
        ("values: [1, 2]", "values: [x]",
         "spec.templates[0].container.restartPolicyRules[0].exitCodes.values[0]"),
        ("operator: In, ", "", "spec.templates[0].container.restartPolicyRules[0].exitCodes.operator"),
        ("volumeName: v", "volume: v", "spec.templates[0].container.env[0].valueFrom.fileKeyRef.volumeName"),
        ("port: http", "port: []", "spec.templates[0].container.lifecycle.preStop.httpGet.port"),
        ("signerName: me, ", "", "spec.volumes[0].projected.sources[0].podCertificate.signerName"),
        ("name: gpu, ", "", "spec.resourceClaims[0].name"),
        ("strategy: Never", "strategy: Always", "spec.artifactGC.strategy"),
        ("{prometheus: [{name: ends, help: how many, counter", "{other: [{name: ends, help: how many, counter",
         "spec.templates[0].metrics.prometheus"),
        ("name: ends, help: how many, labels", "name: the ends, help: how many, labels",
         "spec.metrics.prometheus[0].name"),
        ("help: how many, labels", "help: '', labels", "spec.metrics.prometheus[0].help"),
        ("key: why", "key: 1st", "spec.metrics.prometheus[0].labels[0].key"),
        ('counter: {value: "1"}', 'counter: {value: ""}', "spec.templates[0].metrics.prometheus[0].counter.value"),
        ('value: "1", operation', f"value: '{'1' * 257}', operation", "spec.metrics.prometheus[0].gauge.value"),
        ("operation: Set", "operation: Mul", "spec.metrics.prometheus[0].gauge.operation"),
    ],
)  # fmt: skip
def test_what_the_definitions_demand_is_told_at_its_path(old: str, new: str, path: str) -> None:
    assert TEXT.count(old) == 1
    [workflow] = load(TEXT.replace(old, new))
    assert path in [fault.path for fault in types.check(workflow)]
