"""A child process for the part that can crash: reading a broken CDF file ends in SIGSEGV, not in an exception."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType

from faults import TRANSIENT

_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL}


def supervised(work: Callable[[], int], *, attempts: int, backoff: float, hide: Callable[[str], str]) -> int:
    """Run `work` in a child and give its exit code; a crash is tried again, `backoff` seconds later, then doubled.

    Must be called while this process has one thread. A child killed from outside gives 128 + the signal's number;
    `hide` takes secrets out of the traceback of an unexpected exception.
    """
    for attempt in range(1, attempts + 1):
        code = _in_child(work, hide)
        if code >= 0:
            return code
        if -code not in _CRASHES:
            return 128 - code
        reason = f"the file that AMDA gave cannot be read: reading it crashed with {signal.Signals(-code).name}"
        if attempt < attempts:
            pause = backoff * 2 ** (attempt - 1)
            print(f"{reason}\n  attempt {attempt} of {attempts}; again in {pause:g} s", flush=True)
            time.sleep(pause)
    print(f"fetch: {reason}", file=sys.stderr, flush=True)
    return TRANSIENT


def _in_child(work: Callable[[], int], hide: Callable[[str], str]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os._exit(_finished(work, hide))

    def pass_on(number: int, frame: FrameType | None) -> None:
        # It may have ended just now.
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        signal.signal(signal.SIGTERM, before)


def _finished(work: Callable[[], int], hide: Callable[[str], str]) -> int:
    code = 1
    try:
        code = work()
    except BaseException:  # the child must never return into its parent's code
        print(hide(traceback.format_exc()), file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    return code
