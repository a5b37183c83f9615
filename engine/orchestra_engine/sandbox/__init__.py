"""Sandboxes for nodes: a private root where the kernel allows it, else a plain folder; and the shim that uses them."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

SPAWNER = Path(__file__).with_name("spawner.py")


@functools.cache
def why_no_private_root(folder: str = "") -> str:
    """Try a private root below `folder` (default: the temporary folder); empty if it works, else the reason."""
    # Not in every process that has this package: their work after each fork would be a tenth of a node's cost.
    import shutil
    import subprocess
    import tempfile

    scratch = tempfile.mkdtemp(prefix="orchestra-probe-", dir=folder or None)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(SPAWNER), "probe", scratch],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout.strip() or done.stderr.strip()
    except subprocess.TimeoutExpired:
        return "trying it took longer than 30 s"
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def choose(wanted: str, folder: Path) -> str:
    """`private` or `plain` for nodes below `folder`. `wanted`: auto, private or plain.

    Raises RuntimeError if `private` is wanted and cannot be had.
    """
    if wanted == "plain":
        return "plain"
    reason = why_no_private_root(str(folder))
    if reason and wanted == "private":
        raise RuntimeError(f"no private root on this machine: {reason}")
    return "plain" if reason else "private"
