"""Contiguous intervals of one class each, an hour long, over the interval asked for; one of them has no length."""

import argparse
from datetime import datetime, timedelta
from pathlib import Path

CLASSES = 10

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", type=datetime.fromisoformat, required=True)
parser.add_argument("--stop", type=datetime.fromisoformat, required=True)
arguments = parser.parse_args()
time, number = arguments.start, 0
with (arguments.output / "regions.txt").open("w") as catalog:
    while time < arguments.stop:
        end = min(time + timedelta(hours=1), arguments.stop)
        catalog.write(f"{time.isoformat()} {end.isoformat()} {number % CLASSES}\n")
        time, number = end, number + 1
    catalog.write(f"{time.isoformat()} {time.isoformat()} {number % CLASSES}\n")
