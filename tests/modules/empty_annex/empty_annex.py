"""Its metadata.json has an annex without type and filename, as an old template had."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
arguments = parser.parse_args()
(arguments.output / "events.txt").write_text(f"{arguments.start} {arguments.stop}\n")
(arguments.output / "hours.txt").write_text(f"{arguments.start} 1.5\n")
