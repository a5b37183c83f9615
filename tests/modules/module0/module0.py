"""Writes what it was started with: argv one a line, then the folder, the variables of Orchestra and PATH."""

import json
import os
import sys
from pathlib import Path

output = Path(sys.argv[1])
(output / "arguments.txt").write_text("".join(f"{argument}\n" for argument in sys.argv[1:]))
seen = {"cwd": os.getcwd(), "variables": dict(os.environ), "argv": sys.argv}
(output / "surroundings.json").write_text(json.dumps(seen, indent=2))
print(json.dumps(sys.argv))
