"""`build`: lock a version's requirements, make the environment if it is not there yet, try its imports.

request.json and report.json lie in the artifact repository under the parameter `key`, and what nodes hand to each other
below `key`/between. Three grants tell the nodes apart: `build` shows uv's cache, the staging folder and the
environments that are there, and no code of a package runs in such a node; `build-apart` shows nothing of these, and is
for building packages; `build-check`, for importing them, shows the staged environment read-only.
"""

from __future__ import annotations

from hera.workflows import Artifact, Container, NoneArchiveStrategy, Parameter, S3Artifact, Step, Steps, Workflow
from hera.workflows.models import ValueFrom

KEY = "{{workflow.parameters.key}}"
IMAGE = "{{workflow.parameters.image}}"
# Where the files of a build lie: by name, the path in a node and the key in the repository.
FILES = {
    "request": ("/work/request.json", f"{KEY}/request.json"),
    "report": ("/work/report.json", f"{KEY}/output/report.json"),
    "locked": ("/work/locked.txt", f"{KEY}/between/locked.txt"),
    "missing": ("/work/missing.txt", f"{KEY}/between/missing.txt"),
    "wheels": ("/work/wheels", f"{KEY}/between/wheels"),
}


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
        lock = _step(
            "lock",
            "build",
            inputs=["request"],
            later=["locked"],
            outputs=["report"],
            says=["resolved", "known", "checked"],
        )
        resolve = _step("resolve", "build-apart", inputs=["request"], outputs=["locked"])
        sync = _step("sync", "build", inputs=["report"], later=["wheels"], outputs=["missing"], says=["complete"])
        wheels = _step("wheels", "build-apart", inputs=["report", "missing"], outputs=["wheels"])
        check = _step("check", "build-check", inputs=["report"])
        with Steps(name="resolve-apart") as resolve_apart:
            Step(name="resolve", template=resolve)
            Step(name="lock-again", template=lock)
        with Steps(name="make") as make:
            made = Step(name="sync", template=sync)
            apart = f"{_said(made, 'complete')} == false"
            Step(name="wheels", template=wheels, when=apart)
            Step(name="sync-again", template=sync, when=apart)
        with Steps(name="main"):
            locked = Step(name="lock", template=lock)
            Step(name="resolve-apart", template=resolve_apart, when=f"{_said(locked, 'resolved')} == false")
            Step(name="make", template=make, when=f"{_said(locked, 'known')} == false")
            Step(name="check", template=check, when=f"{_said(locked, 'checked')} == false")
    return workflow


def _said(step: Step, parameter: str) -> str:
    return f"{{{{steps.{step.name}.outputs.parameters.{parameter}}}}}"


def _step(
    name: str,
    grant: str,
    *,
    inputs: list[str],
    later: list[str] | None = None,
    outputs: list[str] | None = None,
    says: list[str] | None = None,
) -> Container:
    """A step of orchestra-build: files it takes and gives, files that may come later (if it runs twice), values."""
    later, outputs, says = later or [], outputs or [], says or []
    args = [word for each in [*inputs, *later] for word in (f"--{each}", f"{{{{inputs.artifacts.{each}.path}}}}")]
    args += [word for each in outputs for word in (f"--{each}", f"{{{{outputs.artifacts.{each}.path}}}}")]
    args += [word for each in says for word in (f"--{each}", f"{{{{outputs.parameters.{each}.path}}}}")]
    return Container(
        name=name,
        annotations={"orchestra/grant": grant},
        image=IMAGE,
        command=["orchestra-build", name],
        args=args,
        inputs=[_file(each) for each in inputs] + [_file(each, optional=True) for each in later],
        outputs=[
            *(_file(each) for each in outputs),
            *(Parameter(name=each, value_from=ValueFrom(path=f"/work/{each}")) for each in says),
        ],
    )


def _file(name: str, *, optional: bool | None = None) -> Artifact:
    path, key = FILES[name]
    return S3Artifact(name=name, path=path, key=key, archive=NoneArchiveStrategy(), optional=optional)
