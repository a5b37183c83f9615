"""The table of script/benchmark."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator

from tests.benchmarks import language, server
from tests.benchmarks.figures import HEADER, Figure

WHAT: dict[str, Callable[..., Iterator[Figure]]] = {"server": server.measure, "language": language.measure}


def main() -> int:
    """Print the figures; the exit code does not judge them."""
    parser = argparse.ArgumentParser(
        prog="script/benchmark",
        description="Measures what Orchestra adds to the programs that it runs, beside bare ones in the same run.",
    )
    parser.add_argument("what", nargs="?", choices=[*WHAT, "all"], default="all", help="(default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="few repetitions, smaller workflows, SQLite only")
    asked = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    print(f"load before: {os.getloadavg()[0]:.1f} (the figures are promised for an idle machine)")
    print(HEADER, flush=True)
    for name in WHAT if asked.what == "all" else [asked.what]:
        for figure in WHAT[name](quick=asked.quick):
            print(figure.row(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
