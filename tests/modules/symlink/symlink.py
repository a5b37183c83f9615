"""Reads a file of its folder through a link that stays in it."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
arguments = parser.parse_args()
text = Path(__file__).with_name("hours.txt").read_text()
(arguments.output / "events.txt").write_text(f"{text.split()[0]} {arguments.stop}\n")
