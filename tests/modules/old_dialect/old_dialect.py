"""The first dialect of metadata.json: long type names, names of arguments, a requirements file, classes."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
parser.add_argument("--parameter")
parser.add_argument("--window", type=int)
parser.add_argument("--ratio", type=float)
arguments = parser.parse_args()
(arguments.output / "out").write_text(
    f"# {arguments.parameter} {arguments.window} {arguments.ratio}\n{arguments.start} {arguments.stop} 1\n"
)
