"""Intervals in which a value is zero or below, from the hours in field.csv beside it, clipped to [start, stop)."""

import argparse
import csv
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", type=datetime.fromisoformat, required=True)
parser.add_argument("--stop", type=datetime.fromisoformat, required=True)
arguments = parser.parse_args()
with Path(__file__).with_name("field.csv").open() as file:
    hours = [(datetime.fromisoformat(row["time"]), float(row["field_nT"])) for row in csv.DictReader(file)]
with (arguments.output / "out.cat").open("w") as catalog:
    for below, group in groupby(hours, key=lambda hour: hour[1] <= 0):
        interval = list(group)
        start = max(interval[0][0], arguments.start)
        stop = min(interval[-1][0] + timedelta(hours=1), arguments.stop)
        if below and start < stop:
            catalog.write(f"{start.isoformat()} {stop.isoformat()} {min(value for _, value in interval)}\n")
