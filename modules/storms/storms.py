"""Predict geomagnetic storms from the solar wind: ``python storms.py OUTPUT_DIR --start S --stop T [--threshold P]``.

Reads ``$ORCHESTRA_INPUT_DIR/solar_wind.parquet``; writes ``storms.txt`` (CAT: start, stop, probability, minimum Dst in
nT), ``probability.txt`` (TS: hour, probability) and ``storms.png`` into OUTPUT_DIR. Intervals are half-open, times UTC.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import features
import model
import numpy as np
import plot
import solar_wind
from intervals import Interval, merged
from numpy.typing import NDArray

BAD_DATA = 65  # sysexits.h: EX_DATAERR


@dataclass(frozen=True)
class Prediction:
    """The hours that overlap the interval, shape (n,), what was predicted for each, and the events."""

    hours: NDArray[np.datetime64]
    bz_gsm: features.Floats
    probability: features.Floats
    dst: features.Floats
    events: list[Interval]


def predict(
    time: NDArray[np.datetime64],
    values: dict[str, features.Floats],
    *,
    start: np.datetime64,
    stop: np.datetime64,
    threshold: float,
    merge_hours: float,
    learned: model.Model,
) -> Prediction:
    """Events clipped to [start, stop); ``time`` and ``values`` are measurements as in ``features.on_hours``."""
    history = np.timedelta64(features.HISTORY_HOURS, "h")
    hours, grid = features.on_hours(time, values, start=start - history, stop=stop)
    probability, dst = learned.judge(grid)
    asked = slice(features.HISTORY_HOURS, None)
    hours, probability, dst = hours[asked], probability[asked], dst[asked]
    flags = np.nan_to_num(probability) >= threshold
    events = [
        Interval(max(event.start, start), min(event.stop, stop), event.first, event.last)
        for event in merged(hours.astype("datetime64[s]"), flags, gap_hours=merge_hours)
    ]
    return Prediction(hours, grid["bz_gsm"][asked], probability, dst, events)


def write(prediction: Prediction, folder: Path, *, threshold: float) -> None:
    """Write the catalog, the hourly probability and the picture into an existing folder."""
    with (folder / "storms.txt").open("w") as catalog:
        for event in prediction.events:
            span = slice(event.first, event.last + 1)
            chance, low = np.nanmax(prediction.probability[span]), np.nanmin(prediction.dst[span])
            catalog.write(f"{event.start} {event.stop} {chance:.3f} {low:.1f}\n")
    with (folder / "probability.txt").open("w") as series:
        for hour, chance in zip(prediction.hours.astype("datetime64[s]"), prediction.probability, strict=True):
            series.write(f"{hour} {chance:.4f}\n")
    plot.draw(
        folder / "storms.png",
        hours=prediction.hours,
        bz_gsm=prediction.bz_gsm,
        probability=prediction.probability,
        dst=prediction.dst,
        threshold=threshold,
        events=prediction.events,
    )


def moment(text: str) -> np.datetime64:
    """A time in ISO 8601, taken as UTC if it names no zone; raises argparse.ArgumentTypeError."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2001-03-28T00:00:00") from None
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(value, "s")


def share(text: str) -> float:
    """A probability above 0 and up to 1; raises argparse.ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 < value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a probability above 0 and up to 1")
    return value


def duration(text: str) -> float:
    """A number of hours, 0 or more; raises argparse.ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of hours, 0 or more")
    return value


def arguments() -> argparse.Namespace:
    """The command line; ends the process with code 2 if it is wrong."""
    parser = argparse.ArgumentParser(description="Predict geomagnetic storms (Dst <= -50 nT) from the solar wind.")
    parser.add_argument("output", type=Path, metavar="OUTPUT_DIR")
    parser.add_argument("--start", type=moment, required=True, help="first instant, UTC")
    parser.add_argument("--stop", type=moment, required=True, help="first instant after the interval, UTC")
    parser.add_argument(
        "--threshold", type=share, help="probability from which an hour is stormy (default: the model's)"
    )
    parser.add_argument("--merge_hours", type=duration, default=12.0, help="shorter pauses do not part an event")
    parsed = parser.parse_args()
    if parsed.stop <= parsed.start:
        parser.error(f"--stop {parsed.stop} must be after --start {parsed.start}")
    return parsed


def main() -> int:
    parsed = arguments()
    learned = model.load()
    threshold = learned.threshold if parsed.threshold is None else parsed.threshold
    try:
        time, values = solar_wind.read(Path(os.environ.get("ORCHESTRA_INPUT_DIR", ".")) / "solar_wind.parquet")
    except solar_wind.BadInput as error:
        print(f"storms: {error}", file=sys.stderr)
        return BAD_DATA
    prediction = predict(
        time,
        values,
        start=parsed.start,
        stop=parsed.stop,
        threshold=threshold,
        merge_hours=parsed.merge_hours,
        learned=learned,
    )
    judged = int(np.isfinite(prediction.probability).sum())
    if judged == 0:
        print(
            f"storms: no hour from {parsed.start} to {parsed.stop} has enough solar wind to judge it", file=sys.stderr
        )
        return BAD_DATA
    parsed.output.mkdir(parents=True, exist_ok=True)
    write(prediction, parsed.output, threshold=threshold)
    print(
        f"{judged} of {prediction.hours.size} hours judged, {len(prediction.events)} events at threshold {threshold:g}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
