"""Several outputs: one declared, three annexes (one an image), a file and a folder that are not declared."""

import argparse
from pathlib import Path

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f6"
    "45400000000049454e44ae426082"
)

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
arguments = parser.parse_args()
(arguments.output / "events.txt").write_text(f"{arguments.start} {arguments.stop}\n")
(arguments.output / "hours.txt").write_text(f"{arguments.start} 1.5 nan\n")
(arguments.output / "more.txt").write_text(f"{arguments.start} {arguments.start}\n")
(arguments.output / "plot.png").write_bytes(PIXEL)
(arguments.output / "notes.txt").write_text("not declared\n")
(arguments.output / "folder").mkdir()
(arguments.output / "folder" / "inside.txt").write_text("not declared either\n")
