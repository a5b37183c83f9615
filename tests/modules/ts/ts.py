"""A timeseries: a number a minute from start up to, not including, stop; always the same ones."""

import argparse
import random
from datetime import datetime, timedelta
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", type=datetime.fromisoformat, required=True)
parser.add_argument("--stop", type=datetime.fromisoformat, required=True)
arguments = parser.parse_args()
numbers = random.Random(arguments.start.isoformat())
time = arguments.start
with (arguments.output / "minutes.txt").open("w") as series:
    while time < arguments.stop:
        series.write(f"{time.isoformat()} {numbers.random():.6f}\n")
        time += timedelta(minutes=1)
