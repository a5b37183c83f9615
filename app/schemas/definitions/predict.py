"""`predict`: get the data that a module takes, if it takes any, and run the module over them.

The controller fills in the parameters, the memory limit of `predict` and the deadlines. Files lie in the artifact
repository under the parameter `key`: request.json and fetch.json before, input/ and output/ afterwards.
"""

from __future__ import annotations

from hera.workflows import DAG, Container, NoneArchiveStrategy, Parameter, S3Artifact, SecretEnv, Task, Workflow

KEY = "{{workflow.parameters.key}}"
ACCOUNT = "orchestra-amda"  # the Secret with the account at AMDA, if there is one: keys user and password
GRANT = {"orchestra/grant": "fetch"}  # the account where there are no Secrets


def definition() -> Workflow:
    """The schema as a Workflow of hera's."""
    with Workflow(
        name="predict",
        api_version="argoproj.io/v1alpha1",
        entrypoint="main",
        arguments=[
            Parameter(name="image", description="of the module's version"),
            Parameter(
                name="fetch", value="false", enum=["true", "false"], description="whether it takes data from AMDA"
            ),
            Parameter(name="fetch-image", value="", description="of the version of `fetch` that gets them"),
            Parameter(name="key", description="where the attempt's files lie in the artifact repository"),
        ],
    ) as workflow:
        fetch, predict = _fetch(), _predict()
        with DAG(name="main"):
            fetching = Task(name="fetch", template=fetch, when="{{workflow.parameters.fetch}} == true")
            Task(name="predict", template=predict, depends=fetching.name)
    return workflow


def _object(name: str, *, path: str, key: str, optional: bool | None = None) -> S3Artifact:
    return S3Artifact(name=name, path=path, key=f"{KEY}/{key}", archive=NoneArchiveStrategy(), optional=optional)


def _secret(key: str) -> SecretEnv:
    return SecretEnv(name=f"ORCHESTRA_AMDA_{key.upper()}", secret_name=ACCOUNT, secret_key=key, optional=True)


def _fetch() -> Container:
    return Container(
        name="fetch",
        annotations=GRANT,
        image="{{workflow.parameters.fetch-image}}",
        command=["orchestra-run"],
        args=["--request", "{{inputs.artifacts.request.path}}", "--output", "{{outputs.artifacts.data.path}}"],
        env=[_secret(key) for key in ("user", "password")],
        inputs=[_object("request", path="/work/request.json", key="fetch.json")],
        outputs=[_object("data", path="/work/out", key="input")],
    )


def _predict() -> Container:
    return Container(
        name="predict",
        image="{{workflow.parameters.image}}",
        command=["orchestra-run"],
        args=[
            "--request",
            "{{inputs.artifacts.request.path}}",
            "--input",
            "{{inputs.artifacts.data.path}}",
            "--output",
            "{{outputs.artifacts.output.path}}",
        ],
        inputs=[
            _object("request", path="/work/request.json", key="request.json"),
            _object("data", path="/work/in", key="input", optional=True),
        ],
        outputs=[_object("output", path="/work/out", key="output")],
    )
