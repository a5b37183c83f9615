"""The second of two modules that come in one archive."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
arguments = parser.parse_args()
print("second")
(arguments.output / "events.txt").write_text(f"{arguments.start} {arguments.stop}\n")
