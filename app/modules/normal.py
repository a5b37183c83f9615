"""From a metadata.json that its JSON Schema has seen to the normal form; what no schema can check is checked here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from app.engines.protocol import Fault
from app.modules import commands
from app.modules.arguments import RESERVED, TYPES, compile_schema, convert, shorten
from app.modules.arguments import check as check_arguments
from app.modules.faults import Faulty, Steps, near_miss, path_of
from app.modules.normal_form import Argument, Column, Input, Install, Metadata, Output, Resources
from app.modules.requirements import Requirements

OUTPUT_TYPES = {"timetable": "TT", "catalog": "CAT", "timeseries": "TS", "image": "IMAGE"}
# The interval that the new dialect runs over where metadata.json names none.
DEFAULT_INTERVAL = {"start": "2008-07-03T00:00:00", "stop": "2008-07-05T23:59:00"}
DEFAULT_PYTHON = ">=3.11"


def normalise(data: Mapping[str, Any], *, folder: Path, faults: list[Fault], unsound: set[Steps]) -> Metadata:
    """The normal form; faults are appended, and parts that are `unsound` are left out of it.

    If `faults` is empty afterwards, the result is whole.
    """
    return _Reader(data, folder=folder, faults=faults, unsound=unsound).metadata()


class _Reader:
    def __init__(self, data: Mapping[str, Any], *, folder: Path, faults: list[Fault], unsound: set[Steps]) -> None:
        self.data = data
        self.folder = folder
        self.faults = faults
        self.unsound = unsound
        self.places: dict[str, Steps] = {}  # where each argument is declared

    def fault(self, steps: Steps, message: str) -> None:
        self.faults.append(Fault(path=path_of(steps), message=message))

    def sound(self, *steps: str | int) -> bool:
        """Whether the schema found nothing wrong with a value, with what it holds or with what holds it."""
        size = len(steps)
        return not any(bad[:size] == steps[: len(bad)] for bad in self.unsound)

    def get(self, *steps: str, default: Any = None) -> Any:
        """A sound value, else the default."""
        if not self.sound(*steps):
            return default
        value: Any = self.data
        for step in steps:
            value = value.get(step, default) if isinstance(value, dict) else default
        return value

    def metadata(self) -> Metadata:
        """Everything, part by part."""
        names: set[str] = set()
        args = self.arguments("args", names)
        hyperparameters = self.arguments("hyperparameters", names)
        defaults = self.defaults([*args, *hyperparameters])
        output = self.output()
        return Metadata(
            name=self.get("name", default=""),
            version=self.get("version", default="1.0.0"),
            description=self.description(),
            args=args,
            hyperparameters=hyperparameters,
            defaults=defaults,
            output=output,
            annexes_outputs=self.annexes(output),
            install=self.install(),
            inputs=self.inputs(),
            resources=self.resources(),
            timeout=self.get("timeout"),
        )

    def description(self) -> str:
        text: str = self.get("description", default="")
        if text.endswith(".md") and "\n" not in text and self.inside(text):
            return (self.folder / text).read_bytes()[:20000].decode("utf-8", "replace").replace("\0", "")
        return text

    def inside(self, name: str) -> bool:
        """Whether the tree has such a file, and not by a way out of the tree."""
        try:
            file = (self.folder / name).resolve()
            return file.is_relative_to(self.folder.resolve()) and file.is_file()
        except (OSError, ValueError):
            return False

    # --- arguments ----------------------------------------------------------------------------------------------
    def arguments(self, key: str, names: set[str]) -> list[Argument]:
        found: list[Argument] = []
        given = self.data.get(key, [])
        for index, item in enumerate(given if isinstance(given, list) else []):
            if not self.sound(key, index):
                continue
            argument = self.argument(item, (key, index))
            name = argument["name"]
            if key == "args" and name in {"start", "stop"}:
                continue  # the first dialect lists them; every module has them
            if name in RESERVED:
                self.fault(
                    (key, index), f"the name {name} is Orchestra's own; {', '.join(sorted(RESERVED))} are reserved"
                )
            elif name in names:
                self.fault((key, index), f"the name {name} is there twice")
            names.add(name)
            self.places[name] = (key, index)
            found.append(argument)
        return found

    def argument(self, item: Any, where: Steps) -> Argument:
        if isinstance(item, str):
            return Argument(name=item, type="str")
        if isinstance(item, list):
            return Argument(name=item[0], type=TYPES[item[1]] if len(item) > 1 else "str")
        argument = Argument(name=item["name"], type=TYPES[item.get("type", "str")])
        if item.get("default") is not None:
            argument["default"] = item["default"]
        if item.get("description"):
            argument["description"] = item["description"]
        self.bounds(argument, item, where)
        return argument

    def bounds(self, argument: Argument, item: Mapping[str, Any], where: Steps) -> None:
        if ("minimum" in item or "maximum" in item) and argument["type"] not in {"int", "float"}:
            self.fault(where, f"minimum and maximum are for numbers, {argument['name']} is {argument['type']}")
            return
        if "minimum" in item:
            argument["minimum"] = item["minimum"]
        if "maximum" in item:
            argument["maximum"] = item["maximum"]
        if item.get("minimum", -math.inf) > item.get("maximum", math.inf):
            self.fault(where, f"the minimum of {argument['name']} is more than its maximum")
        choices = [
            self.typed(one, argument["type"], (*where, "choices", i)) for i, one in enumerate(item.get("choices", []))
        ]
        if choices:
            argument["choices"] = choices

    def typed(self, value: Any, type_: str, where: Steps) -> Any:
        """A value written in metadata.json as the declared type, from text where it is text."""
        if isinstance(value, str):
            try:
                return convert(value, type_)
            except ValueError as error:
                self.fault(where, str(error))
        return value

    def defaults(self, declared: list[Argument]) -> dict[str, Any]:
        """The default interval, and arguments' own defaults checked and put where they belong."""
        given = self.data.get("defaults", DEFAULT_INTERVAL)
        if not isinstance(given, dict):
            given = {}
        known = {argument["name"]: argument for argument in declared}
        for name, value in given.items():
            if name in known and value is not None:
                known[name]["default"] = value
            elif name not in {"start", "stop"} and (hint := near_miss(name, {"start", "stop", *known} - set(given))):
                self.fault(("defaults", name), f"unknown argument {shorten(name)}{hint}")
        values: dict[str, Any] = self.interval(given)
        for name, argument in known.items():
            if "default" in argument:
                where: Steps = ("defaults", name) if name in given else (*self.places[name], "default")
                bare = {key: value for key, value in argument.items() if key != "default"}
                try:
                    argument["default"] = check_arguments(compile_schema([bare]), {name: argument["default"]})[name]
                except Faulty as error:
                    self.faults += [Fault(path=path_of(where), message=one.message) for one in error.faults]
                values[name] = argument["default"]
        return values

    def interval(self, given: Mapping[str, Any]) -> dict[str, str]:
        times: dict[str, datetime] = {}
        for name in ("start", "stop"):
            if (value := given.get(name)) is None:
                continue
            try:
                time = datetime.fromisoformat(value)
                times[name] = time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
            except (TypeError, ValueError, OverflowError):
                self.fault(("defaults", name), f"{shorten(value)} is no time as 2001-03-28T00:00:00")
        if len(times) == 2 and times["stop"] <= times["start"]:
            self.fault(("defaults", "stop"), "is not after start")
        return {name: time.isoformat() for name, time in times.items()}

    # --- files --------------------------------------------------------------------------------------------------
    def output(self) -> Output:
        output = Output(
            type=self.type_of(self.get("output", "type", default="")),
            filename=self.get("output", "filename", default=""),
        )
        classmap = self.get("output", "classmap")
        colormap = self.get("output", "colormap")
        if classmap:
            output["classmap"] = classmap
        if colormap:
            output["colormap"] = colormap
        for name in colormap or {}:
            if classmap and name not in classmap:
                hint = near_miss(name, classmap)
                self.fault(("output", "colormap", name), f"there is no class {shorten(name)} in classmap{hint}")
        if columns := self.get("output", "columns"):
            output["columns"] = [self.column(one) for one in columns]
            names = [one["name"] for one in columns]
            for index, name in enumerate(names):
                if name in names[:index]:
                    self.fault(("output", "columns", index, "name"), f"the name {shorten(name)} is there twice")
        return output

    def type_of(self, word: str) -> str:
        return OUTPUT_TYPES.get(word, word)

    def column(self, given: Mapping[str, Any]) -> Column:
        return Column(
            name=given["name"],
            type=TYPES[given.get("type", "float")],
            unit=given.get("unit", ""),
            description=given.get("description", ""),
            ucd=given.get("ucd", ""),
        )

    def annexes(self, output: Output) -> list[Output]:
        found: list[Output] = []
        taken = {output["filename"]}
        given = self.data.get("annexes_outputs", [])
        for index, one in enumerate(given if isinstance(given, list) else []):
            if not self.sound("annexes_outputs", index):
                continue
            if one["filename"] in taken:
                self.fault(("annexes_outputs", index, "filename"), f"{shorten(one['filename'])} is there twice")
            taken.add(one["filename"])
            found.append(Output(type=self.type_of(one["type"]), filename=one["filename"]))
        return found

    # --- install ------------------------------------------------------------------------------------------------
    def install(self) -> Install:
        requirements = self.requirements()
        return Install(
            model_version=self.get("install", "model_version", default="1.0.0"),
            python_version=self.python_version(),
            requirements=requirements.lines,
            requirements_file=self.requirements_file(),
            requirement_options=requirements.options,
            files=self.files(),
            executable=self.executable(),
            pre_process=self.commands("pre_process"),
            post_process=self.commands("post_process"),
        )

    def python_version(self) -> str:
        text: str = self.get("install", "python_version", default=DEFAULT_PYTHON).strip()
        try:
            python_specifier(text)
        except ValueError as error:
            self.fault(("install", "python_version"), str(error))
        return text

    def requirements_file(self) -> str:
        """The file of requirements: the first dialect's key, the new one's path, or the usual name if it is there."""
        if named := self.get("install", "requirements_file"):
            return str(named)
        named = self.get("install", "requirements", default="")
        if named == "" and self.sound("install", "requirements") and self.inside("requirements.txt"):
            return "requirements.txt"
        return named if isinstance(named, str) else ""

    def requirements(self) -> Requirements:
        requirements = Requirements()
        given = self.get("install", "requirements", default=[])
        if isinstance(given, list):
            for index, line in enumerate(given):
                requirements.add(line.strip(), path=f"install.requirements[{index}]")
        for key in ("requirements", "requirements_file"):
            if isinstance(name := self.get("install", key), str) and name:
                requirements.add_file(name, tree=self.folder, path=f"install.{key}")
                break
        else:
            if name := self.requirements_file():
                requirements.add_file(name, tree=self.folder, path="install.requirements")
        self.faults += requirements.faults
        return requirements

    def files(self) -> list[str]:
        given = self.get("install", "files", default=[])
        for index, name in enumerate(given):
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not self.exists(name):
                self.fault(("install", "files", index), f"there is no {shorten(name)} in the module")
        return list(given)

    def exists(self, name: str) -> bool:
        try:
            return (self.folder / name).exists()
        except (OSError, ValueError):
            return False

    def executable(self) -> str:
        name: str = self.get("install", "executable", default="").removesuffix(".py")
        if name and not self.inside(f"{name}.py"):
            scripts = sorted(path.stem for path in self.folder.glob("*.py"))
            hint = near_miss(name, scripts) or (f"; there is {', '.join(scripts[:10])}" if scripts else "")
            self.fault(("install", "executable"), f"there is no {shorten(f'{name}.py')} in the module{hint}")
        return name

    def commands(self, key: str) -> list[list[str]]:
        found: list[list[str]] = []
        given = section.get(key, []) if isinstance(section := self.data.get("install"), dict) else []
        for index, one in enumerate(given if isinstance(given, list) else []):
            if not self.sound("install", key, index):
                continue
            try:
                words = commands.split(one) if isinstance(one, str) else list(one)
            except ValueError as error:
                self.fault(("install", key, index), str(error))
                continue
            if not words[0]:
                self.fault(("install", key, index), "names no command")
            found.append(words)
        return found

    # --- what is new --------------------------------------------------------------------------------------------
    def inputs(self) -> list[Input]:
        found: list[Input] = []
        given = self.data.get("inputs", [])
        for index, one in enumerate(given if isinstance(given, list) else []):
            if not self.sound("inputs", index):
                continue
            if one["name"] in [earlier["name"] for earlier in found]:
                self.fault(("inputs", index, "name"), f"the name {one['name']} is there twice")
            found.append(
                Input(
                    name=one["name"],
                    source=one["source"],
                    parameters=one["parameters"],
                    format=one.get("format", "parquet"),
                    before_seconds=one.get("before_seconds", 0),
                    after_seconds=one.get("after_seconds", 0),
                )
            )
        return found

    def resources(self) -> Resources:
        given = self.get("resources", default={})
        resources = Resources()
        if "memory" in given:
            resources["memory"] = given["memory"]
        if "cpu" in given:
            resources["cpu"] = str(given["cpu"])
        return resources


def python_specifier(text: str) -> SpecifierSet:
    """The interpreters that `python_version` means: 3.11 is that minor, 3.11.7 that one, the rest a specifier.

    Raises ValueError with a sentence for people, also for a specifier that contradicts itself.
    """
    try:
        version = Version(text)
        return SpecifierSet(f"=={text}.*" if len(version.release) < 3 else f"=={text}")
    except InvalidVersion:
        pass
    try:
        wanted = SpecifierSet(text)
    except InvalidSpecifier:
        raise ValueError(f"{shorten(text)} is neither a version as 3.11 nor a specifier as >=3.11") from None
    named = (one.version.removesuffix(".*") for one in wanted)
    thinkable = (f"{major}.{minor}.{patch}" for major in (3, 2, 4) for minor in range(100) for patch in (0, 1, 999))
    if not any(version in wanted for version in chain(named, thinkable)):
        raise ValueError(f"{shorten(text)} contradicts itself: no Python can ever be all of that")
    return wanted
