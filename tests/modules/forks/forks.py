"""Starts children that outlive it unless someone sees to it: a plain one, one in a session of its own, a daemon.

All sleep for an hour and ignore SIGTERM and SIGHUP; the marker is in the command line of each.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

CHILD = "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]; time.sleep(3600)"

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
parser.add_argument("--marker", default="forks")
parser.add_argument("--leave", default="false")
arguments = parser.parse_args()

command = [sys.executable, "-c", CHILD, arguments.marker]
subprocess.Popen(command)
subprocess.Popen(command, start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        silence = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(silence, descriptor)
        os.execv(sys.executable, command)
    os._exit(0)
os.wait()
print("started", flush=True)
if arguments.leave.lower() in {"true", "1"}:
    (arguments.output / "events.txt").write_text(f"{arguments.start} {arguments.stop}\n")
else:
    time.sleep(3600)
