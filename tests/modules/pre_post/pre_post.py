"""Needs what its pre_process makes; its post_process says that it ran."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
arguments = parser.parse_args()
for name in ("before.txt", "a name with blanks.txt"):
    if not Path(name).exists():
        raise SystemExit(f"{name} is missing: pre_process did not run")
if Path("after.txt").exists():
    raise SystemExit("post_process ran before the module")
(arguments.output / "events.txt").write_text(f"{arguments.start} {arguments.stop}\n")
