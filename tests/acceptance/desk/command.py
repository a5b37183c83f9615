"""The command as a process, in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE = 60.0
COMMAND = [sys.executable, "-c", "from orchestra.command import main; main()"]
HEAD = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
"""


def manifest(templates: str, head: str = HEAD) -> str:
    """A manifest of those templates."""
    return f"{head}  templates:\n{templates}"


def shell(name: str, text: str) -> str:
    """A template that runs a line of shell."""
    return f"  - name: {name}\n    container: {{image: busybox, command: [sh, -c], args: [{json.dumps(text)}]}}\n"


@dataclass
class Desk:
    """A folder with the command."""

    folder: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, text: str, name: str = "w.yaml") -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def call(self, *words: str, given: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `orchestra …` to its end."""
        return subprocess.run(
            [*COMMAND, *words], cwd=self.folder, env=self._env(env), capture_output=True, text=True, input=given or "",
            timeout=PATIENCE, check=False, encoding="utf-8",
        )  # fmt: skip

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start `orchestra …` and go on."""
        process = subprocess.Popen(
            [*COMMAND, *words], cwd=self.folder, env=self._env({}), stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.running.append(process)
        return process

    def on_terminal(self, *words: str, columns: int = 200, then: int = 0, **env: str) -> tuple[int, str]:
        """Run `orchestra …` on a terminal of its own: the exit code and all that was written there.

        Once something has been written the terminal is made `then` columns wide.
        """
        mine, its = pty.openpty()
        termios.tcsetwinsize(its, (24, columns))
        own = self._env({"TERM": "xterm", **env})
        del own["COLUMNS"]
        process = subprocess.Popen(
            [*COMMAND, *words], cwd=self.folder, env=own, stdin=its, stdout=its, stderr=its, start_new_session=True
        )
        os.close(its)
        written = b""
        with contextlib.suppress(OSError):  # the terminal is gone once the command has ended
            while piece := os.read(mine, 65_536):
                written += piece
                if then and piece.strip():
                    termios.tcsetwinsize(mine, (24, then))
        os.close(mine)
        return process.wait(timeout=PATIENCE), written.decode(errors="replace").strip()

    def _env(self, more: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRA_")}
        return {**kept, "PYTHONUTF8": "1", "COLUMNS": "200", **more}

    def workflow(self, name: str = "w") -> dict[str, Any]:
        """A workflow as it is kept."""
        record = json.loads((self.folder / ".orchestra" / name / "workflow.json").read_bytes())
        found: dict[str, Any] = record["workflow"]
        return found

    def phase(self, name: str = "w") -> str:
        try:
            return str(self.workflow(name)["status"]["phase"])
        except FileNotFoundError:
            return ""

    def phases(self, name: str = "w") -> dict[str, str]:
        """Phases by node name."""
        nodes = self.workflow(name)["status"]["nodes"].values()
        return {node["name"]: node["phase"] for node in nodes}

    def log(self, node: str, name: str = "w") -> str:
        """What the node of that name has written so far; empty before it runs."""
        try:
            nodes = self.workflow(name)["status"]["nodes"].values()
            ident = next(one["id"] for one in nodes if one["name"] == node)
            return (self.folder / ".orchestra" / name / "nodes" / ident / "log").read_text()
        except (FileNotFoundError, StopIteration):
            return ""

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Look again and again until something holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"never came: {what}"
            time.sleep(0.02)

    def end(self, process: subprocess.Popen[str]) -> str:
        """The whole output of a started command once it has ended."""
        out, _ = process.communicate(timeout=PATIENCE)
        return out
