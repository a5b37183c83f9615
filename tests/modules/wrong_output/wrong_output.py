"""Ends well, but writes event.txt where events.txt is declared."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
arguments = parser.parse_args()
(arguments.output / "event.txt").write_text(f"{arguments.start} {arguments.stop}\n")
