"""Runs for ever and ignores SIGTERM and SIGINT."""

import argparse
import signal
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("output", type=Path)
parser.add_argument("--start", required=True)
parser.add_argument("--stop", required=True)
parser.add_argument("--marker")
arguments = parser.parse_args()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("started", flush=True)
while True:
    time.sleep(1)
