"""What is asked for: checked completely before any heavy library is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from faults import Permanent

FORMATS = ("parquet", "csv", "cdf")
_KEYS = ("name", "source", "parameters", "format", "before_seconds", "after_seconds", "description")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
_TEN_YEARS = 10 * 366 * 86400


@dataclass(frozen=True, kw_only=True)
class Input:
    """One file to write: `<name>.<format>`, AMDA's parameters from `before` seconds early to `after` seconds late."""

    name: str
    parameters: tuple[str, ...]
    formats: tuple[str, ...] = ("parquet",)
    before: timedelta = timedelta()
    after: timedelta = timedelta()

    def around(self, start: datetime, stop: datetime) -> tuple[datetime, datetime]:
        """The interval with this input's margins; raises Permanent if it leaves the calendar."""
        try:
            return start - self.before, stop + self.after
        except OverflowError:
            raise Permanent(f"--inputs: {self.name}: the interval with its margins leaves the calendar") from None


def moment(text: str, *, name: str) -> datetime:
    """An ISO time, UTC where no zone is given; raises Permanent."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Permanent(f"{name}: {text!r} is not an ISO time such as 2001-03-28T00:00:00") from None
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def interval(start: str, stop: str) -> tuple[datetime, datetime]:
    """The half-open interval [start, stop) in UTC; an empty one is allowed. Raises Permanent."""
    first, last = moment(start, name="--start"), moment(stop, name="--stop")
    if last < first:
        raise Permanent(f"--stop {stop} is before --start {start}")
    return first, last


def server(text: str) -> str:
    """AMDA's entry point without a slash at its end and without `/php/rest`; raises Permanent."""
    url = text.strip().rstrip("/").removesuffix("/php/rest").rstrip("/")
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise Permanent(f"--server: {text!r} is not an http or https address")
    if "@" in parts.netloc:
        raise Permanent("--server: an account does not belong in the address; see ORCHESTRA_AMDA_USER in the README")
    return url


def from_parameters(text: str, *, name: str, output_format: str) -> list[Input]:
    """The one input of `--parameters`: a JSON list of ids, or ids between commas. Raises Permanent.

    Parquet is always among its formats, so that the module's declared output is always there.
    """
    if text.lstrip().startswith("["):
        identifiers = _json(text, name="--parameters")
    else:
        identifiers = [part.strip() for part in text.split(",") if part.strip()]
    faults: list[str] = []
    _check_parameters(identifiers, "--parameters", faults)
    _check_name(name, "--name", faults)
    _check_format(output_format, "--format", faults)
    _raise(faults)
    formats = ("parquet",) if output_format == "parquet" else ("parquet", output_format)
    return [Input(name=name, parameters=tuple(identifiers), formats=formats)]


def from_inputs(text: str) -> list[Input]:
    """The inputs of `--inputs`: the `inputs` of a metadata.json, as JSON. Raises Permanent with every fault."""
    declared = _json(text, name="--inputs")
    if not isinstance(declared, list):
        raise Permanent("--inputs: a JSON list of objects is needed")
    faults: list[str] = []
    inputs = [_input(item, f"--inputs[{index}]", faults) for index, item in enumerate(declared)]
    names = [item.name for item in inputs if item]
    faults += [f"--inputs: two inputs are named {name!r}" for name in sorted(set(names)) if names.count(name) > 1]
    _raise(faults)
    return [item for item in inputs if item]


def parameter_id(text: str) -> str:
    """AMDA's id of `imf`, `amda/imf` or `ace-imf-all/imf`."""
    return text.rsplit("/", 1)[-1]


def dataset_id(text: str) -> str:
    """The dataset that a parameter was said to be in, or nothing."""
    parts = text.removeprefix("amda/").rsplit("/", 1)
    return parts[0] if len(parts) == 2 else ""


def _input(item: Any, where: str, faults: list[str]) -> Input | None:
    if not isinstance(item, dict):
        faults.append(f"{where}: an object is needed")
        return None
    found = len(faults)
    faults += [f"{where}.{key}: unknown; known are {', '.join(_KEYS)}" for key in item if key not in _KEYS]
    if item.get("source", "amda") != "amda":
        faults.append(f"{where}.source: {item['source']!r} is unknown; this module knows amda")
    _check_name(item.get("name"), f"{where}.name", faults)
    _check_parameters(item.get("parameters"), f"{where}.parameters", faults)
    output_format = item.get("format", "parquet")
    _check_format(output_format, f"{where}.format", faults)
    before, after = (item.get(key, 0) for key in ("before_seconds", "after_seconds"))
    for key, value in (("before_seconds", before), ("after_seconds", after)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _TEN_YEARS:
            faults.append(f"{where}.{key}: {value!r} is not a number of seconds from 0 to {_TEN_YEARS}")
    if len(faults) > found:
        return None
    return Input(
        name=item["name"],
        parameters=tuple(item["parameters"]),
        formats=(output_format,),
        before=timedelta(seconds=before),
        after=timedelta(seconds=after),
    )


def _json(text: str, *, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Permanent(f"{name}: not JSON: {error}") from None


def _check_parameters(value: Any, where: str, faults: list[str]) -> None:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item.strip() for item in value):
        faults.append(f'{where}: a list of AMDA ids is needed, such as ["omni-hour-all/omni_imf"]')
    elif len({parameter_id(item) for item in value}) < len(value):
        faults.append(f"{where}: a parameter is named twice")


def _check_name(value: Any, where: str, faults: list[str]) -> None:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        faults.append(f"{where}: {value!r} is not a name of letters, digits, '_' and '-'")
    elif value == "provenance":
        faults.append(f"{where}: 'provenance' is the name of the file that tells where the data come from")


def _check_format(value: Any, where: str, faults: list[str]) -> None:
    if value not in FORMATS:
        faults.append(f"{where}: {value!r} is not one of {', '.join(FORMATS)}")


def _raise(faults: Sequence[str]) -> None:
    if faults:
        raise Permanent("\n".join(faults))
