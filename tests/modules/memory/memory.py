"""Takes and touches memory, 10 MiB at a time: 600 MiB unless told otherwise, where 200 are declared."""

import argparse
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
parser.add_argument("--mebibytes", type=int, default=600)
arguments = parser.parse_args()
taken = []
for number in range(arguments.mebibytes // 10):
    taken.append(bytearray(b"x") * (10 * 2**20))
    if number % 5 == 4:
        print(f"{10 * (number + 1)} MiB taken", flush=True)
        time.sleep(0.05)
(arguments.output / "events.txt").write_text(f"{arguments.start} {arguments.stop}\n")
