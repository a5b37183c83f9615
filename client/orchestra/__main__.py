"""`python -m orchestra`: the older command line, as it always was, beside the commands of `orchestra`."""

from __future__ import annotations

import sys

from orchestra.command import main
from orchestra.legacy import is_legacy, legacy_main

if __name__ == "__main__":
    if is_legacy(sys.argv[1:]):
        legacy_main(sys.argv[1:])
    else:
        main()
