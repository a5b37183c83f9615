"""The first dialect with Dockerfile lines as post_process, which are refused."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
arguments = parser.parse_args()
(arguments.output / "events.txt").write_text(f"{arguments.start} {arguments.stop}\n")
