"""Rows for tests, made directly: each function fills in what the test does not care about."""

from __future__ import annotations

import hashlib
import itertools
from datetime import UTC, datetime
from typing import Any

from app.artifacts.models import Artifact
from app.catalogs.models import Catalog, CatalogType, Event
from app.executions.models import Attempt, Execution, ExecutionArtifact, Kind, Role
from app.executions.states import State
from app.modules.arguments import compile_schema
from app.modules.models import Build, BuildState, Environment, Module, Version
from app.schemas.models import Schema, SchemaVersion

_numbers = itertools.count(1)

START = datetime(2001, 3, 28, tzinfo=UTC)
STOP = datetime(2001, 3, 29, tzinfo=UTC)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def metadata(name: str, **changes: Any) -> dict[str, Any]:
    """The normal form of a metadata.json; `changes` replaces whole keys."""
    return {
        "name": name,
        "version": "1.0.0",
        "description": f"what {name} does",
        "args": [{"name": "threshold", "type": "float", "default": 0.5}],
        "hyperparameters": [{"name": "depth", "type": "int"}],
        "defaults": {"start": "2001-03-28T00:00:00", "stop": "2001-03-29T00:00:00", "threshold": 0.5},
        "output": {"type": "TT", "filename": "events.txt"},
        "annexes_outputs": [],
        "install": {
            "model_version": "1.0.0",
            "python_version": ">=3.11",
            "requirements": [],
            "requirements_file": "",
            "requirement_options": [],
            "files": [],
            "executable": name,
            "pre_process": [],
            "post_process": [],
        },
        "inputs": [],
        "resources": {},
        "timeout": None,
    } | changes


def environment(**values: Any) -> Environment:
    number = next(_numbers)
    return Environment.objects.create(
        **{
            "digest": digest(f"environment {number}"),
            "python_version": "3.11.7",
            "platform": "linux-x86_64",
            "base_prefix": "/usr",
            "cache_tag": "cpython-311",
            **values,
        }
    )


def version(module: Module, *, built: bool = True, data: dict[str, Any] | None = None, **values: Any) -> Version:
    """The module's next version; if it is built it becomes the default."""
    number = module.versions.count() + 1
    described = data or metadata(module.name)
    made = Version.objects.create(
        **{
            "module": module,
            "number": number,
            "label": described["version"],
            "metadata": described,
            "arguments_schema": compile_schema([*described["args"], *described["hyperparameters"]]),
            "source_kind": "git",
            "source_url": "https://example.org/module.git",
            "commit": digest(f"{module.name} {number}")[:40],
            "tree_digest": digest(f"tree {module.name} {number}"),
            "metadata_digest": digest(f"metadata {module.name} {number}"),
            "requirements_digest": digest("no requirements"),
            "environment": environment() if built else None,
            **values,
        }
    )
    if built:
        module.default = made
        module.save()
    return made


def module(name: str = "", *, built: bool = True, pk: int | None = None, **changes: Any) -> Module:
    """A module with one version and its build; `changes` are those of its metadata."""
    name = name or f"module{next(_numbers)}"
    made = Module.objects.create(pk=pk, name=name)
    build(version(made, built=built, data=metadata(name, **changes)))
    return made


def build(made: Version, *, state: str = "", **values: Any) -> Build:
    """A build of a version, passed if the version has an environment, with its execution."""
    state = state or (BuildState.PASSED if made.environment_id else BuildState.PENDING)
    row = Build.objects.create(version=made, state=state, environment=made.environment, **values)
    ends = {BuildState.PASSED: State.SUCCEEDED, BuildState.FAILED: State.FAILED, BuildState.CANCELLED: State.CANCELLED}
    execution(made.module, of=made, kind=Kind.BUILD, state=ends.get(row.state, State.QUEUED), build=row)
    return row


def schema_version(name: str) -> SchemaVersion:
    """The newest version of a schema, made empty if there is none."""
    found = SchemaVersion.objects.filter(schema__name=name).order_by("-number").first()
    if found is not None:
        return found
    schema = Schema.objects.create(name=name, origin="shipped")
    made = SchemaVersion.objects.create(schema=schema, number=1, manifest={}, text="", digest=digest(name))
    schema.latest = made
    schema.save()
    return made


MANIFEST = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  name: 'NAME'
spec:
  entrypoint: main
  arguments:
    parameters: [{name: who, value: world}]
  templates:
    - name: main
      container: {image: busybox, command: [echo, "{{workflow.parameters.who}}"]}
"""


def schema(name: str = "greeting", *, versions: int = 1) -> SchemaVersion:
    """The latest of some versions of a schema that an operator has added."""
    from app.schemas import services

    for number in range(versions):
        made = services.save(MANIFEST.replace("NAME", name) + "# again" * number, name=name).version
    return made


def execution(
    module: Module, *, of: Version | None = None, kind: str = Kind.PREDICTION, state: str = State.QUEUED, **values: Any
) -> Execution:
    """An execution of a module in any state, with its attempt."""
    prediction = kind == Kind.PREDICTION
    made = Execution.objects.create(
        **{
            "kind": kind,
            "schema_version": schema_version("predict" if prediction else "build"),
            "version": of or module.default or module.versions.get(),
            "start": START if prediction else None,
            "stop": STOP if prediction else None,
            "arguments": {"threshold": 0.5} if prediction else {},
            "state": state,
            **values,
        }
    )
    Attempt.objects.create(
        execution=made, number=made.attempt, workflow_name=f"{kind}-{made.pk}-{made.attempt}", state=state
    )
    return made


def file(
    of: Execution, name: str, content: bytes = b"", *, role: str = Role.OUTPUT, type: str = ""
) -> ExecutionArtifact:
    """A file that an execution gave out, also in the repository."""
    from django.conf import settings

    key = f"executions/{of.pk}/{of.attempt}/output/{name}"
    path = settings.REPOSITORY_DIR / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    artifact = Artifact.objects.create(key=key, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    return ExecutionArtifact.objects.create(
        execution=of, attempt=of.attempt, artifact=artifact, name=name, role=role, type=type
    )


def catalog(of: ExecutionArtifact, events: list[tuple[datetime, datetime]], **values: Any) -> Catalog:
    """A time table of these intervals, parsed from a file."""
    made = Catalog.objects.create(
        **{
            "artifact": of.artifact,
            "type": CatalogType.TT,
            "name": of.name,
            "start": events[0][0] if events else None,
            "stop": events[-1][1] if events else None,
            "event_count": len(events),
            **values,
        }
    )
    Event.objects.bulk_create(
        Event(catalog=made, position=position, start=start, stop=stop) for position, (start, stop) in enumerate(events)
    )
    return made
