"""Takes no notice of --start and --stop: the same two events always, long before and long after."""

import sys
from pathlib import Path

Path(sys.argv[1], "events.txt").write_text(
    "1970-01-01T00:00:00 1970-01-02T00:00:00\n2040-01-01T00:00:00 2040-01-02T00:00:00\n"
)
