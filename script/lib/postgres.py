"""A PostgreSQL server of one's own, in a temporary folder, reached by a Unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

START_SECONDS = 60
SETTINGS = {"listen_addresses": "", "fsync": "off", "full_page_writes": "off", "max_connections": "200"}


class Missing(Exception):
    """PostgreSQL's programs are not on this machine."""


def programs() -> Path:
    """The folder of `initdb` and `pg_ctl`, the newest; raises `Missing`."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    if not places:
        raise Missing("PostgreSQL's programs were not found; on Debian or Ubuntu: apt install postgresql")
    return places[-1].parent


@contextmanager
def server() -> Iterator[str]:
    """Run a server for the time of the `with`; gives the DATABASE_URL of its database `postgres`.

    It never runs as root: root's server belongs to the user `postgres`, or `nobody` if there is none.
    """
    binaries = programs()
    # Short, because the path of a Unix socket has to be.
    folder = Path(tempfile.mkdtemp(prefix="orchestra-pg-", dir="/tmp")).resolve()
    user = _owner() if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    folder.chmod(0o755)
    data, log = folder / "data", folder / "log"

    def run(*argv: str | Path) -> None:
        result = subprocess.run(argv, cwd=folder, user=user, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            more = log.read_text() if log.exists() else ""
            raise RuntimeError(f"{argv[0]} failed: {result.stdout}{result.stderr}{more}")

    try:
        run(binaries / "initdb", "-D", data, "-U", "orchestra", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = " ".join(f"-c {name}={value or chr(39) * 2}" for name, value in SETTINGS.items())
        options += f" -k {folder}"
        start = ["start", "-w", "-t", str(START_SECONDS), "-l", str(log), "-o", options]
        run(binaries / "pg_ctl", "-D", data, *start)
        try:
            yield f"postgres://orchestra@/postgres?host={quote(str(folder))}"
        finally:
            run(binaries / "pg_ctl", "-D", data, "stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _owner() -> str:
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"
