"""What is counted below a process, and how far."""

from __future__ import annotations

import subprocess
import sys

from orchestra_engine.sandbox import limits

CHAIN = """
import subprocess, sys
left = int(sys.argv[1])
again = [sys.executable, "-c", sys.argv[2], str(left - 1), sys.argv[2]]
child = subprocess.Popen(again) if left else None
if not left:
    print("all there", flush=True)
sys.stdin.read()
"""


def test_what_multiplies_is_not_chased_beyond_what_is_asked_for() -> None:
    argv = [sys.executable, "-c", CHAIN, "4", CHAIN]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as chain:
        assert chain.stdout is not None
        assert chain.stdout.readline() == b"all there\n"
        found = limits.descendants(chain.pid)
        assert len(found) == 4
        assert limits.descendants(chain.pid, most=2) == found[:2]
        assert limits.exceeded(chain.pid, memory=None, processes=3, inclusive=False) is not None
        assert limits.exceeded(chain.pid, memory=None, processes=4, inclusive=False) is None
        chain.communicate(b"")
