"""Writes the first and last time of the data that was fetched for it, and how many rows there are."""

import argparse
import csv
import os
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
arguments = parser.parse_args()
with Path(os.environ["ORCHESTRA_INPUT_DIR"], "field.csv").open() as file:
    times = [row["time"] for row in csv.DictReader(file)]
(arguments.output / "count.txt").write_text(f"{times[0]} {times[-1]} {len(times)}\n")
