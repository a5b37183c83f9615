"""Parses its command line as soon as it is imported, and ends if that fails: it must be run, never imported."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
arguments = parser.parse_args()
if __name__ != "__main__":
    raise SystemExit("imported, though it is a script")
(arguments.output / "events.txt").write_text(f"{arguments.start} {arguments.stop}\n")
