"""Child processes that end together with whoever started them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from script.lib import ROOT

MANAGE = (sys.executable, str(ROOT / "manage.py"))
PR_SET_PDEATHSIG = 1


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of Orchestra's own processes: this one's, without what would make each start slower."""
    variables = {**os.environ, "DJANGO_SETTINGS_MODULE": "app.settings", **(extra or {})}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    return variables


def start(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that a Ctrl-C reaches only us; it gets TERM should we die first.

    What it prints goes on to our stderr, or to the end of the file `log`.
    """
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("ab")) if log else sys.stderr
        return subprocess.Popen(
            [str(word) for word in argv],
            cwd=ROOT,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=pass_fds,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509  (two system calls, no lock)
        )


def stop(process: subprocess.Popen[bytes], *, seconds: float) -> None:
    """End a process by TERM, by KILL if it has not ended after that time."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _die_with(parent: int) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def prepare() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(1)

    return prepare
