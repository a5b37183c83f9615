"""AMDA through speasy: what a parameter is, and its values over an interval."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np
import speasy
from faults import Fault, Permanent, Transient
from request import dataset_id, parameter_id
from speasy.core.impex import ImpexProductType
from speasy.core.impex.exceptions import MissingCredentials
from speasy.core.requests_scheduling import request_dispatch
from surroundings import Listener
from urllib3.exceptions import MaxRetryError

SPEASY_VERSION: str = speasy.__version__
_RECORDS_PER_CHUNK = 200_000
_SECONDS = {"S": 1.0, "M": 60.0, "H": 3600.0, "D": 86400.0}
T = TypeVar("T")


class NoAnswer(Exception):
    """AMDA did not give a file for a part of the interval."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter as AMDA's inventory describes it; times of the dataset are None for a user's own parameters."""

    id: str
    name: str
    units: str
    ucd: str
    description: str
    components: tuple[str, ...]
    dataset: str
    spase_id: str
    sampling: str
    last_update: str
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, kw_only=True)
class Series:
    """Values over time: `time` has shape (n,), `values` (n, k) float64 with NaN where there is no value.

    `fetched` is the UTC time at which AMDA gave them.
    """

    time: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]
    fetched: str
    axis: dict[str, Any] = field(default_factory=dict)


class Amda:
    """One AMDA server, asked with patience; raises Transient if it does not start within `attempts`."""

    def __init__(self, *, server: str, listener: Listener, attempts: int, backoff: float) -> None:
        self.server = server
        self._listener = listener
        self._attempts = attempts
        self._backoff = backoff
        self._provider = self._patiently(self._start, f"AMDA at {server} did not start")

    def describe(self, text: str) -> Parameter:
        """What `text`, a parameter's id with or without its dataset, stands for; raises Permanent."""
        identifier, wanted = parameter_id(text), dataset_id(text)
        inventory = self._provider.flat_inventory
        kind = self._provider.product_type(identifier)
        if kind is ImpexProductType.DATASET:
            inside = ", ".join(f"{identifier}/{parameter.spz_uid()}" for parameter in inventory.datasets[identifier])
            raise Permanent(f"{text} is a dataset; name its parameters: {inside}")
        if kind is ImpexProductType.COMPONENT:
            parent = inventory.components[identifier].parameter
            raise Permanent(f"{text} is a component; ask for its parameter, {parent}")
        if kind is not ImpexProductType.PARAMETER:
            near = difflib.get_close_matches(identifier, inventory.parameters, n=5)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise Permanent(f"AMDA at {self.server} has no parameter {text}{hint}")
        parameter = _described(inventory, identifier)
        if wanted and parameter.dataset != wanted:
            raise Permanent(f"{identifier} is in AMDA's dataset {parameter.dataset or '(none)'}, not in {wanted}")
        return parameter

    def get(self, parameter: Parameter, start: datetime, stop: datetime) -> Series:
        """Values of [start, stop), no rows if AMDA has none; raises Transient or Permanent.

        AMDA's "no data" is a file without records. No file at all is a failure and never taken for "no data".
        """
        if start >= stop or (parameter.first and (stop <= parameter.first or start > parameter.last)):
            return _nothing(parameter)
        self._provider.max_chunk_size_days = _chunk_days(parameter.sampling)
        what = f"AMDA at {self.server} gave no answer for {parameter.id}"
        return self._patiently(lambda: self._get_once(parameter, start, stop), what)

    def _get_once(self, parameter: Parameter, start: datetime, stop: datetime) -> Series:
        # speasy cuts fractions of a second off: ask up to the next whole one, what is too much is dropped below.
        until = stop if not stop.microsecond else stop.replace(microsecond=0) + timedelta(seconds=1)
        try:
            # Without speasy's cache the interval is asked for as it is, and a part that AMDA refuses is an error: from
            # the cache, the parts that are there would come back alone, and the refused one would look like no data.
            variable = self._provider.get_data(parameter.id, start, until, disable_cache=True, disable_proxy=True)
        except MissingCredentials:
            raise Permanent(
                f"AMDA gives {parameter.id} over this interval only to an account: set it in ORCHESTRA_AMDA_USER "
                "and ORCHESTRA_AMDA_PASSWORD"
            ) from None
        if variable is None:
            raise NoAnswer(f"nothing between {start:%Y-%m-%dT%H:%M:%S} and {stop:%Y-%m-%dT%H:%M:%S}")
        return _series(parameter, variable, start, stop)

    def _start(self) -> Any:
        request_dispatch.init_provider("amda")
        provider = request_dispatch.PROVIDERS.get("amda")
        if provider is None:
            raise NoAnswer("it is down, unreachable, or refuses the account")
        return provider

    def _patiently(self, ask: Callable[[], T], what: str) -> T:
        for attempt in range(1, self._attempts + 1):
            self._listener.refusal = ""
            try:
                return ask()
            except Fault:
                raise
            except Exception as error:  # speasy lets through whatever its libraries raise on a broken answer
                reason = self._listener.refusal or f"{type(error).__name__}: {error}"
                if isinstance(error, NoAnswer):
                    reason = f"{error}; it said {self._listener.refusal}" if self._listener.refusal else str(error)
                told = self._listener.account.hide(f"{what}: {reason}")
                # urllib3 has been patient already.
                if attempt == self._attempts or isinstance(error, MaxRetryError):
                    raise Transient(told) from None
            pause = self._backoff * 2 ** (attempt - 1)
            print(f"{told}\n  attempt {attempt} of {self._attempts}; again in {pause:g} s", flush=True)
            time.sleep(pause)
        raise AssertionError("unreachable: attempts is at least 1")


def _described(inventory: Any, identifier: str) -> Parameter:
    index = inventory.parameters[identifier]
    dataset = inventory.datasets.get(getattr(index, "dataset", None))

    def text(node: Any, name: str) -> str:
        return str(getattr(node, name, "") or "")

    return Parameter(
        id=identifier,
        name=text(index, "name"),
        units=text(index, "units"),
        ucd=text(index, "ucd"),
        description=text(index, "description"),
        components=tuple(component.spz_name() for component in index if hasattr(component, "index1")),
        dataset=text(index, "dataset"),
        spase_id=text(dataset, "spaseId"),
        sampling=text(dataset, "sampling"),
        last_update=text(dataset, "lastModificationDate") or text(dataset, "lastUpdate"),
        first=_utc(text(index, "start_date")),
        last=_utc(text(index, "stop_date")),
    )


def _utc(text: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def _series(parameter: Parameter, variable: Any, start: datetime, stop: datetime) -> Series:
    values = np.asarray(variable.values)
    if not (np.issubdtype(values.dtype, np.number) or np.issubdtype(values.dtype, np.bool_)):
        raise Permanent(f"{parameter.id} is not made of numbers but of {values.dtype}")
    if len(values) == 0:
        return _nothing(parameter)
    values = np.asarray(variable.replace_fillval_by_nan(convert_to_float=True).values, dtype=np.float64)
    shape = values.shape[1:]
    times = np.asarray(variable.time).astype("datetime64[ns]")
    keep = (times >= _instant(start)) & (times < _instant(stop))
    # Chunks may share their border: one row per time, in order.
    times, first = np.unique(times[keep], return_index=True)
    values = values[keep][first].reshape(len(times), -1)
    axes = [axis for axis in variable.axes[1:] if np.asarray(axis.values).shape == shape]
    axis = {}
    if len(shape) == 1 and shape[0] > 1 and axes and np.issubdtype(np.asarray(axes[0].values).dtype, np.number):
        axis = {"name": axes[0].name, "unit": axes[0].unit or "", "values": np.asarray(axes[0].values).tolist()}
    return Series(time=times, values=values, names=column_names(parameter, shape), fetched=_now(), axis=axis)


def _nothing(parameter: Parameter) -> Series:
    names = column_names(parameter, (len(parameter.components) or 1,))
    return Series(time=np.empty(0, "datetime64[ns]"), values=np.empty((0, len(names))), names=names, fetched=_now())


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _instant(when: datetime) -> np.datetime64:
    return np.datetime64(when.replace(tzinfo=None), "ns")


def column_names(parameter: Parameter, shape: tuple[int, ...]) -> tuple[str, ...]:
    """`imf` for a scalar, `imf_bx` for a component with a name, else `imf_0`, `imf_0_1`."""
    size = int(np.prod(shape))
    if size == 1:
        return (parameter.id,)
    names = [re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") for name in parameter.components]
    if len(names) != size or len(set(names)) < size or not all(names):
        names = ["_".join(map(str, index)) for index in np.ndindex(*shape)]
    return tuple(f"{parameter.id}_{name}" for name in names)


def _chunk_days(sampling: str) -> int:
    """Days that AMDA is asked for at once: speasy's ten, or more where the dataset is sparse."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([SMHD])", sampling)
    if not match:
        return 10
    seconds = float(match[1]) * _SECONDS[match[2]]
    return int(min(max(_RECORDS_PER_CHUNK * seconds / 86400, 10), 366))
