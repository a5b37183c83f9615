"""Environments of modules for tests, made once by uv and found again by what is in them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from uv import find_uv_bin


def environment(requirements: Sequence[str], *, cache: Path) -> Path:
    """The interpreter of an environment with these requirements, below `cache`; made if it is not there.

    Two callers at once make one. Raises CalledProcessError, with uv's words on stderr, if it cannot be made.
    """
    wanted = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "requirements": sorted(requirements),
    }
    digest = hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:24]
    place, python = cache / digest, cache / digest / "bin" / "python"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            uv = find_uv_bin()
            subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(place)], check=True)
            subprocess.run([uv, "pip", "install", "-q", "--python", str(python), *requirements], check=True)
            (place / "complete").touch()
    return python


def module_environment(module: Path, *, cache: Path) -> Path:
    """The interpreter for a module with a requirements.txt."""
    lines = (module / "requirements.txt").read_text().splitlines()
    return environment([line for line in lines if not line.lstrip().startswith("#")], cache=cache)


def clean_variables(**more: str) -> dict[str, str]:
    """The variables that a node's process would see, and `more`."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SSL_CERT_FILE", "TMPDIR") if name in os.environ}
    return {**kept, **more}
