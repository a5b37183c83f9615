"""A catalog of three events with a number and a word each."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
arguments = parser.parse_args()
(arguments.output / "events.txt").write_text(
    "2001-03-28T01:00:00 2001-03-28T02:00:00 412.5 sheath\n"
    "2001-03-31T05:00:00 2001-04-02T21:00:00 700.0 cloud\n"
    "2001-04-11T17:00:00 2001-04-13T20:00:00 nan unknown\n"
)
