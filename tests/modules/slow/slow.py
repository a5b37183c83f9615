"""Says that it started, waits (100 s unless told otherwise), then writes one event. Ends at SIGTERM."""

import argparse
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
parser.add_argument("--seconds", type=float, default=100.0)
arguments = parser.parse_args()
print("started", flush=True)
end = time.monotonic() + arguments.seconds
while (left := end - time.monotonic()) > 0:
    time.sleep(min(left, 1.0))
    print(f"{max(end - time.monotonic(), 0.0):.0f} s left", flush=True)
(arguments.output / "events.txt").write_text(f"{arguments.start} {arguments.stop}\n")
