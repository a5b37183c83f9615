"""Leaves a file in the module's folder and says so."""

import sys
from pathlib import Path

Path(sys.argv[1]).write_text("made by a step\n")
print(f"step: {sys.argv[1]}", flush=True)
