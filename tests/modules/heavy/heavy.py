"""Prints a million numbered lines, then writes one event."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
parser.add_argument("--lines", type=int, default=1_000_000)
arguments = parser.parse_args()
for number in range(arguments.lines):
    print(f"line {number + 1} of {arguments.lines}")
(arguments.output / "events.txt").write_text(f"{arguments.start} {arguments.stop}\n")
