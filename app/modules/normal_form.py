"""What metadata.json says, whichever dialect it is written in: the form that everything else reads."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Argument(TypedDict):
    """An option of the module's command line."""

    name: str
    type: str  # str, int, float, bool
    default: NotRequired[Any]
    description: NotRequired[str]
    minimum: NotRequired[float]
    maximum: NotRequired[float]
    choices: NotRequired[list[Any]]


class Column(TypedDict):
    """A column of a catalog behind start and stop."""

    name: str
    type: str  # str, int, float, bool
    unit: str
    description: str
    ucd: str


class Output(TypedDict):
    """A file that the module writes; the last three only for the main output, where declared."""

    type: str  # TT, CAT, TS, IMAGE
    filename: str
    classmap: NotRequired[dict[str, int]]
    colormap: NotRequired[dict[str, list[int]]]
    columns: NotRequired[list[Column]]


class Input(TypedDict):
    """Data that Orchestra fetches before a run; the file is `<name>.<format>` in the input folder."""

    name: str
    source: str  # amda
    parameters: list[str]
    format: str  # parquet, csv, cdf
    before_seconds: float
    after_seconds: float


class Install(TypedDict):
    """What the module needs and how it is called."""

    model_version: str
    python_version: str  # as written: 3.11 or >=3.11
    requirements: list[str]  # merged from list and file
    requirements_file: str  # empty if there is none
    requirement_options: list[str]  # lines as --extra-index-url … of the file
    files: list[str]
    executable: str  # path below the tree, without .py
    pre_process: list[list[str]]  # argvs
    post_process: list[list[str]]


class Resources(TypedDict):
    """Kubernetes quantities; a key is missing where nothing was declared."""

    memory: NotRequired[str]
    cpu: NotRequired[str]


class Metadata(TypedDict):
    """The normal form, with every default filled in."""

    name: str
    version: str
    description: str
    args: list[Argument]
    hyperparameters: list[Argument]
    defaults: dict[str, Any]  # start, stop (UTC, 2001-03-28T00:00:00) where there are any, and those of arguments
    output: Output
    annexes_outputs: list[Output]
    install: Install
    inputs: list[Input]
    resources: Resources
    timeout: int | None  # s


def arguments(metadata: Metadata) -> list[Argument]:
    """Arguments and hyperparameters, in the order of the command line."""
    return [*metadata["args"], *metadata["hyperparameters"]]
