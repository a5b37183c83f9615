"""Apostrophes and all that in its name, description, default argument and output."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
parser.add_argument("--word")
arguments = parser.parse_args()
print(arguments.word)
(arguments.output / "Tom's events.txt").write_text(f"{arguments.start} {arguments.stop}\n")
(arguments.output / "word.txt").write_text(arguments.word, encoding="utf-8")
