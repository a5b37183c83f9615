"""Fails: says why on stderr and ends with exit code 3, after it wrote a part of its output."""

import sys
from pathlib import Path

Path(sys.argv[1], "events.txt").write_text("2001-03-28T00:00:00 2001-03-28T01:00:00\n")
print("reading the solar wind")
print("no solar wind today", file=sys.stderr)
sys.exit(3)
