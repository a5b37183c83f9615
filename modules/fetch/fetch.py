"""Pull parameters from AMDA over an interval and write them as files with units and provenance.

    python fetch.py OUTPUT_DIR --start S --stop T --parameters '["omni-hour-all/omni_imf"]' [--format parquet]
    python fetch.py OUTPUT_DIR --start S --stop T --inputs '[{"name": "solar_wind", "parameters": […]}]'

Exit codes: 0 (also for "AMDA has no data there"), 65 the request is wrong, 75 AMDA failed and may be asked again later.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import request
import surroundings
from faults import Fault, Permanent
from supervision import supervised

if TYPE_CHECKING:
    from amda import Amda, Parameter, Series
    from kept import Kept

AMDA = "https://amda.irap.omp.eu"


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    account = surroundings.Account.from_environment()
    try:
        job = _checked(options)
    except Fault as fault:
        return _told_fault(fault, account)
    with surroundings.scratch_folder() as scratch:
        return supervised(
            lambda: _run(job, account, Path(scratch)),
            attempts=job.attempts,
            backoff=job.backoff,
            hide=account.hide,
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output_dir", type=Path)
    parser.add_argument("--start", required=True, help="ISO time, UTC")
    parser.add_argument("--stop", required=True, help="ISO time, UTC; not included")
    parser.add_argument("--parameters", default="", help="ids, as a JSON list or between commas")
    parser.add_argument("--format", default="parquet", help="parquet, csv or cdf; parquet is written in any case")
    parser.add_argument("--name", default="data", help="name of the file that --parameters make")
    parser.add_argument(
        "--inputs", default="", help="the inputs of a module's metadata.json, one file for each; wins over --parameters"
    )
    parser.add_argument("--server", default="", help=f"AMDA's address; else ORCHESTRA_AMDA_URL, else {AMDA}")
    parser.add_argument("--attempts", type=int, default=3, help="how often AMDA is asked before giving up")
    parser.add_argument("--backoff", type=float, default=2.0, help="seconds before the second attempt, then doubled")
    return parser


@dataclass(frozen=True, kw_only=True)
class Job:
    """The arguments, checked."""

    inputs: Sequence[request.Input]
    start: datetime
    stop: datetime
    server: str
    folder: Path
    attempts: int
    backoff: float


def _checked(options: argparse.Namespace) -> Job:
    start, stop = request.interval(options.start, options.stop)
    server = request.server(options.server or os.environ.get("ORCHESTRA_AMDA_URL", "") or AMDA)
    if not options.inputs and not options.parameters:
        raise Permanent("--parameters or --inputs is needed")
    if options.attempts < 1 or not 0 <= options.backoff < math.inf:
        raise Permanent("--attempts must be at least 1 and --backoff not negative")
    if options.inputs:
        inputs = request.from_inputs(options.inputs)
    else:
        inputs = request.from_parameters(options.parameters, name=options.name, output_format=options.format)
    for item in inputs:
        item.around(start, stop)
    return Job(
        inputs=inputs,
        start=start,
        stop=stop,
        server=server,
        folder=options.output_dir,
        attempts=options.attempts,
        backoff=options.backoff,
    )


def _run(job: Job, account: surroundings.Account, scratch: Path) -> int:
    root = os.environ.get("ORCHESTRA_CACHE_DIR", "")
    cache = surroundings.cache_folder(Path(root), server=job.server, account=account) if root else None
    surroundings.arrange(server=job.server, account=account, scratch=scratch, cache=cache)
    listener = surroundings.Listener(account)
    listener.install()
    # Only now: speasy reads its settings while it is being imported, and takes a second to load.
    from amda import Amda
    from kept import Kept

    try:
        amda = Amda(server=job.server, listener=listener, attempts=job.attempts, backoff=job.backoff)
        _fetch(amda, Kept(cache / "data") if cache else None, job, account)
    except Fault as fault:
        return _told_fault(fault, account)
    return 0


def _told_fault(fault: Fault, account: surroundings.Account) -> int:
    print(f"fetch: {account.hide(str(fault))}", file=sys.stderr, flush=True)
    return fault.code


def _fetch(amda: Amda, kept: Kept | None, job: Job, account: surroundings.Account) -> None:
    # Every id is looked up before the first one is fetched: a typing error shows at once.
    described = [[amda.describe(text) for text in item.parameters] for item in job.inputs]
    job.folder.mkdir(parents=True, exist_ok=True)
    common = _common(amda, account)
    written: list[dict[str, Any]] = []
    for item, parameters in zip(job.inputs, described, strict=True):
        start, stop = item.around(job.start, job.stop)
        series = [(parameter, _got(amda, kept, parameter, start, stop)) for parameter in parameters]
        written += _write(item, series, start, stop, job.folder, common)
    (job.folder / "provenance.json").write_text(json.dumps({**common, "files": written}, indent=2) + "\n")


def _got(amda: Amda, kept: Kept | None, parameter: Parameter, start: datetime, stop: datetime) -> Series:
    began = time.monotonic()
    series = kept.find(parameter, start, stop) if kept else None
    where = "from the cache"
    if series is None:
        series = amda.get(parameter, start, stop)
        where = f"{time.monotonic() - began:.1f} s"
        if kept:
            kept.keep(parameter, start, stop, series)
    rows = f"{len(series.time)} rows" if len(series.time) else "no data"
    print(f"{parameter.id}: {_iso(start)} to {_iso(stop)}: {rows}, {where}", flush=True)
    return series


def _write(
    item: request.Input,
    series: Sequence[tuple[Parameter, Series]],
    start: datetime,
    stop: datetime,
    folder: Path,
    common: dict[str, Any],
) -> list[dict[str, Any]]:
    import table

    made = table.join(series)
    notes = _notes(series, start, stop)
    for note in notes:
        print(f"note: {note}", flush=True)
    about = {
        "requested": {"start": _iso(start), "stop": _iso(stop)},
        "rows": len(made.time),
        "first": f"{made.time[0]}Z" if len(made.time) else None,
        "last": f"{made.time[-1]}Z" if len(made.time) else None,
        "content_sha256": made.content_sha256(),
        "parameters": [{**_parameter(parameter), "fetched": one.fetched} for parameter, one in series],
        "columns": [{"name": column.name, **column.about()} for column in made.columns],
        "notes": notes,
    }
    entries = []
    for suffix in item.formats:
        path = folder / f"{item.name}.{suffix}"
        unfinished = folder / f".{item.name}.unfinished.{suffix}"
        table.write(made, unfinished, provenance={**common, **about})
        unfinished.replace(path)
        content = path.read_bytes()
        file = {"name": path.name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        entries.append({**file, **about})
        print(f"wrote {path.name}: {len(made.time)} rows, {len(made.columns)} columns", flush=True)
    return entries


def _notes(series: Sequence[tuple[Parameter, Series]], start: datetime, stop: datetime) -> list[str]:
    notes = []
    for parameter, one in series:
        if not len(one.time):
            notes.append(f"AMDA has no data of {parameter.id} between {_iso(start)} and {_iso(stop)}")
        if parameter.first and parameter.last and (start < parameter.first or stop > parameter.last):
            covered = f"{_iso(parameter.first)} to {_iso(parameter.last)}"
            notes.append(f"AMDA's dataset {parameter.dataset} covers only {covered}")
    return list(dict.fromkeys(notes))


def _common(amda: Amda, account: surroundings.Account) -> dict[str, Any]:
    from amda import SPEASY_VERSION

    return {
        "source": "amda",
        "server": amda.server,
        "account": account.user or None,
        "written": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "software": {"fetch": surroundings.VERSION, "speasy": SPEASY_VERSION, "python": platform.python_version()},
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "id": parameter.id,
        "name": parameter.name,
        "unit": parameter.units,
        "ucd": parameter.ucd,
        "description": parameter.description,
        "dataset": parameter.dataset,
        "spase_id": parameter.spase_id,
        "sampling": parameter.sampling,
        "dataset_start": _iso(parameter.first) if parameter.first else None,
        "dataset_stop": _iso(parameter.last) if parameter.last else None,
        "last_update": parameter.last_update,
    }


def _iso(when: datetime) -> str:
    return when.replace(tzinfo=None).isoformat()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
