"""Typed hyperparameters: writes a (int), b (float) and c (str) as Python shows them."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
parser.add_argument("--a", type=int)
parser.add_argument("--b", type=float)
parser.add_argument("--c")
arguments = parser.parse_args()
(arguments.output / "values.txt").write_text(f"{arguments.a!r} {arguments.b!r} {arguments.c!r}\n")
