"""What hera makes runs here unchanged: ten workflows built with its own classes, and what each has to come to.

Annotations are not postponed here: hera reads those of a script's function.
"""

from collections.abc import Callable

import pytest

pytest.importorskip("hera.workflows", reason="hera is not installed")

from hera.workflows import (
    DAG,
    Artifact,
    Container,
    ContainerNode,
    ContainerSet,
    EmptyDirVolume,
    Env,
    InlineScriptConstructor,
    NoneArchiveStrategy,
    Parameter,
    RetryStrategy,
    Step,
    Steps,
    Suspend,
    Task,
    Workflow,
    models,
    script,
)
from orchestra_engine.sandbox import why_no_private_root

from tests.acceptance.desk.command import Desk

Expected = dict[str, tuple[str, str]]  # node name → (phase, log)


@script(image="python:3.11", constructor=InlineScriptConstructor())
def double(number: int) -> None:
    print(number * 2)


def hello() -> tuple[Workflow, Expected]:
    """A container with variables."""
    with Workflow(name="w", entrypoint="hello") as w:
        Container(
            name="hello",
            image="busybox",
            command=["sh", "-c"],
            args=["echo hello $WHO"],
            env=[Env(name="WHO", value="you")],
        )
    return w, {"w": ("Succeeded", "hello you\n")}


def scripts_in_steps() -> tuple[Workflow, Expected]:
    """Scripts from Python functions, the result of one the argument of the next."""
    with Workflow(name="w", entrypoint="main") as w, Steps(name="main") as main:
        first = double(name="first", arguments={"number": 4})
        double(name="second", arguments={"number": first.result})
    assert main.name == "main"
    return w, {"w[0].first": ("Succeeded", "8\n"), "w[1].second": ("Succeeded", "16\n")}


def diamond() -> tuple[Workflow, Expected]:
    """A dag by `>>`."""
    with Workflow(name="w", entrypoint="main") as w:
        echo = Container(
            name="echo", image="busybox", command=["echo", "{{inputs.parameters.m}}"], inputs=[Parameter(name="m")]
        )
        with DAG(name="main"):
            a, b, c, d = (echo(name=name, arguments={"m": name}) for name in "abcd")
            a >> [b, c] >> d
    return w, {f"w.{name}": ("Succeeded", f"{name}\n") for name in "abcd"}


def on_failure() -> tuple[Workflow, Expected]:
    """A task that runs because another failed."""
    with Workflow(name="w", entrypoint="main") as w:
        bad = Container(name="bad", image="busybox", command=["sh", "-c", "echo oh; exit 3"])
        rescue = Container(name="rescue", image="busybox", command=["echo", "rescued"])
        with DAG(name="main"):
            task = bad(name="bad")
            task.on_failure(rescue(name="rescue"))
    return w, {"w.bad": ("Failed", "oh\n"), "w.rescue": ("Succeeded", "rescued\n")}


def loops() -> tuple[Workflow, Expected]:
    """withItems, withParam and withSequence."""
    with Workflow(name="w", entrypoint="main") as w:
        say = Container(
            name="say", image="busybox", command=["echo", "{{inputs.parameters.m}}"], inputs=[Parameter(name="m")]
        )
        with Steps(name="main"):
            Step(name="a", template=say, arguments={"m": "{{item}}"}, with_items=["one", "two"])
            Step(name="b", template=say, arguments={"m": "{{item.k}}"}, with_param='[{"k": "v"}]')
            Step(name="c", template=say, arguments={"m": "{{item}}"}, with_sequence=models.Sequence(count="2"))
    return w, {
        "w[0].a(0:one)": ("Succeeded", "one\n"),
        "w[0].a(1:two)": ("Succeeded", "two\n"),
        "w[1].b(0:k:v)": ("Succeeded", "v\n"),
        "w[2].c(0:0)": ("Succeeded", "0\n"),
        "w[2].c(1:1)": ("Succeeded", "1\n"),
    }


def artifacts() -> tuple[Workflow, Expected]:
    """A file from one task to the next."""
    with Workflow(name="w", entrypoint="main") as w:
        make = Container(
            name="make",
            image="busybox",
            command=["sh", "-c", "echo data > {{outputs.artifacts.out.path}}"],
            outputs=[Artifact(name="out", path="/tmp/out", archive=NoneArchiveStrategy())],
        )
        use = Container(
            name="use",
            image="busybox",
            command=["cat", "{{inputs.artifacts.got.path}}"],
            inputs=[Artifact(name="got", path="/tmp/got")],
        )
        with DAG(name="main"):
            made = make(name="make")
            made >> use(name="use", arguments=[made.get_artifact("out").with_name("got")])
    return w, {"w.make": ("Succeeded", ""), "w.use": ("Succeeded", "data\n")}


def outputs() -> tuple[Workflow, Expected]:
    """An output parameter from a file, and a condition on it."""
    with Workflow(name="w", entrypoint="main") as w:
        toss = Container(
            name="toss",
            image="busybox",
            command=["sh", "-c", "echo -n heads > {{outputs.parameters.side.path}}"],
            outputs=[Parameter(name="side", value_from=models.ValueFrom(path="/tmp/side"))],
        )
        say = Container(name="say", image="busybox", command=["echo", "it is"])
        with Steps(name="main") as main:
            tossed = toss(name="toss")
            with main.parallel():
                say(name="heads", when=f"{tossed.get_parameter('side').value} == heads")
                say(name="tails", when=f"{tossed.get_parameter('side').value} == tails")
    return w, {"w[1].heads": ("Succeeded", "it is\n"), "w[1].tails": ("Skipped", "")}


def retried() -> tuple[Workflow, Expected]:
    """A retry strategy with an expression, and an exit handler."""
    with Workflow(name="w", entrypoint="flaky") as w:
        Container(
            name="flaky",
            image="busybox",
            command=["sh", "-c", "echo {{retries}}; exit $((2 - {{retries}}))"],
            retry_strategy=RetryStrategy(limit="3", expression="asInt(lastRetry.exitCode) < 3"),
        )
        w.on_exit = Container(name="bye", image="busybox", command=["echo", "{{workflow.status}}"])
    return w, {
        "w(0)": ("Failed", "0\n"),
        "w(1)": ("Failed", "1\n"),
        "w(2)": ("Succeeded", "2\n"),
        "w.onExit": ("Succeeded", "Succeeded\n"),
    }


def container_set() -> tuple[Workflow, Expected]:
    """Containers that share a folder, one after the other."""
    shared = EmptyDirVolume(name="shared", mount_path="/shared")
    mount = models.VolumeMount(name="shared", mount_path="/shared")
    with (
        Workflow(name="w", entrypoint="set") as w,
        ContainerSet(name="set", volumes=[shared], volume_mounts=[mount]),
    ):
        ContainerNode(name="a", image="busybox", command=["sh", "-c", "echo from a > /shared/f"])
        ContainerNode(name="main", image="busybox", command=["cat", "/shared/f"], dependencies=["a"])
    return w, {"w": ("Succeeded", "from a\n"), "w.a": ("Succeeded", ""), "w.main": ("Succeeded", "")}


def suspended() -> tuple[Workflow, Expected]:
    """A pause, then a task of a nested dag."""
    with Workflow(name="w", entrypoint="main", arguments=[Parameter(name="who", value="all")]) as w:
        pause = Suspend(name="pause", duration=1)
        say = Container(name="say", image="busybox", command=["echo", "{{workflow.parameters.who}}"])
        with DAG(name="inner") as inner:
            Task(name="deep", template=say)
        with DAG(name="main"):
            Task(name="wait", template=pause) >> Task(name="inner", template=inner)
    return w, {"w.wait": ("Succeeded", ""), "w.inner.deep": ("Succeeded", "all\n")}


BUILDERS: list[Callable[[], tuple[Workflow, Expected]]] = [
    hello, scripts_in_steps, diamond, on_failure, loops, artifacts, outputs, retried, container_set, suspended,
]  # fmt: skip


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_what_hera_makes_runs_as_expected(desk: Desk, build: Callable[[], tuple[Workflow, Expected]]) -> None:
    if build is container_set and (reason := why_no_private_root()):
        pytest.skip(f"an emptyDir needs the private root: {reason}")
    made, expected = build()
    text = made.to_yaml()
    assert desk.call("lint", desk.write(text)).returncode == 0
    result = desk.call("workflow", "run", "w.yaml")
    phases = desk.phases()
    assert {name: phases.get(name) for name in expected} == {name: phase for name, (phase, _) in expected.items()}
    assert {name: log(desk, name) for name in expected} == {name: text for name, (_, text) in expected.items()}
    assert (result.returncode, desk.phase()) == (0, "Succeeded"), result.stdout + result.stderr


def log(desk: Desk, node: str) -> str:
    """What a node wrote: for a containerSet the last container's log."""
    found = desk.log(node)
    if found:
        return found
    ident = next(one["id"] for one in desk.workflow()["status"]["nodes"].values() if one["name"] == node)
    file = desk.folder / ".orchestra" / "w" / "nodes" / ident / "log.main"
    return file.read_text() if file.exists() else ""
