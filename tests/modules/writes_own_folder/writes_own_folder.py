"""Writes into its own folder and over its own code; fails if it finds what another run wrote."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
arguments = parser.parse_args()
mark = Path(__file__).with_name("was_here.txt")
if mark.exists() or Path("was_here_too.txt").exists():
    raise SystemExit("another run wrote into this run's folder")
mark.write_text("a run was here\n")
Path("was_here_too.txt").write_text("a run was here\n")
Path(__file__).write_text("raise SystemExit('another run changed the code')\n")
(arguments.output / "events.txt").write_text(f"{arguments.start} {arguments.stop}\n")
