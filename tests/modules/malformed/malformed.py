"""Ends well, but lines 2 to 5 of its catalog are no events: no time, no stop, stop before start, no number."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
arguments = parser.parse_args()
(arguments.output / "events.txt").write_text(
    "2001-03-28T01:00:00 2001-03-28T02:00:00 412.5\n"
    "2001-03-28T03:00:00 yesterday 1\n"
    "2001-03-28T05:00:00\n"
    "2001-03-28T08:00:00 2001-03-28T07:00:00 3\n"
    "2001-03-28T09:00:00 2001-03-28T10:00:00 fast\n"
)
