"""`build`: lock a version's requirements, make the environment if it is not there yet, try its imports.

request.json and report.json lie in the artifact repository under the parameter `key`. The grant shows the nodes uv's
cache, the build's staging folder, and the environments that are there.
"""

from __future__ import annotations

from hera.workflows import Artifact, Container, NoneArchiveStrategy, Parameter, S3Artifact, Step, Steps, Workflow
from hera.workflows.models import ValueFrom

KEY = "{{workflow.parameters.key}}"
IMAGE = "{{workflow.parameters.image}}"
GRANT = {"orchestra/grant": "build"}


def definition() -> Workflow:
    """The schema as a Workflow of hera's."""
    with Workflow(
        name="build",
        api_version="argoproj.io/v1alpha1",
        entrypoint="main",
        arguments=[
            Parameter(name="image", value="orchestra/builder", description="with orchestra-build and uv"),
            Parameter(name="key", description="where the attempt's files lie in the artifact repository"),
        ],
    ) as workflow:
        lock, sync, check = _lock(), _later("sync"), _later("check")
        with Steps(name="main"):
            locked = Step(name="lock", template=lock)
            report = Artifact(name="report", from_="{{steps.lock.outputs.artifacts.report}}")
            Step(name="sync", template=sync, arguments=[report], when=f"{_said(locked, 'known')} == false")
            Step(name="check", template=check, arguments=[report], when=f"{_said(locked, 'checked')} == false")
    return workflow


def _said(step: Step, parameter: str) -> str:
    return f"{{{{steps.{step.name}.outputs.parameters.{parameter}}}}}"


def _lock() -> Container:
    """Resolves, and says whether the environment is there (known) and its imports were tried (checked)."""
    return Container(
        name="lock",
        annotations=GRANT,
        image=IMAGE,
        command=["orchestra-build", "lock"],
        args=[
            "--request", "{{inputs.artifacts.request.path}}",
            "--report", "{{outputs.artifacts.report.path}}",
            "--known", "{{outputs.parameters.known.path}}",
            "--checked", "{{outputs.parameters.checked.path}}",
        ],
        inputs=[
            S3Artifact(
                name="request", path="/work/request.json", key=f"{KEY}/request.json", archive=NoneArchiveStrategy()
            )
        ],
        outputs=[
            S3Artifact(
                name="report", path="/work/report.json", key=f"{KEY}/output/report.json", archive=NoneArchiveStrategy()
            ),
            Parameter(name="known", value_from=ValueFrom(path="/work/known")),
            Parameter(name="checked", value_from=ValueFrom(path="/work/checked")),
        ],
    )  # fmt: skip


def _later(name: str) -> Container:
    return Container(
        name=name,
        annotations=GRANT,
        image=IMAGE,
        command=["orchestra-build", name],
        args=["--report", "{{inputs.artifacts.report.path}}"],
        inputs=[Artifact(name="report", path="/work/report.json")],
    )
