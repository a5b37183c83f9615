"""The command line of the sample AMDA, shared by `python -m app.amda.sample` and `manage.py sample_amda`."""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from app.amda.sample.faults import BadFaults, Faults
from app.amda.sample.rest import Sample
from app.amda.sample.server import NotLoopback, SampleServer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0, the default, takes a free one")
    parser.add_argument("--ready-file", type=Path, help="write the URL into this file once requests are served")
    parser.add_argument(
        "--account", action="append", default=[], metavar="USER:PASSWORD", help="accept only these accounts"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="go wrong on purpose: fail=2, status=500, on=tree, slow_seconds=3, in_progress=2, empty, truncate, drop",
    )


def serve(*, host: str, port: int, ready_file: Path | None, accounts: Sequence[str], faults: Sequence[str]) -> None:
    """Serve until SIGTERM or Ctrl-C; raises BadFaults, NotLoopback, or OSError if the port is taken."""
    pairs = dict(account.partition(":")[::2] for account in accounts)
    server = SampleServer(Sample(accounts=pairs, faults=Faults.from_options(faults)), host=host, port=port)
    signal.signal(signal.SIGTERM, _leave)
    print(f"The sample AMDA serves omni-hour-all at {server.url} (AMDA's calls below /php/rest)", flush=True)
    if ready_file:
        _write_atomically(ready_file, f"{server.url}\n")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        if ready_file:
            ready_file.unlink(missing_ok=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m app.amda.sample", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args(argv)
    try:
        serve(
            host=options.host,
            port=options.port,
            ready_file=options.ready_file,
            accounts=options.account,
            faults=options.fault,
        )
    except (BadFaults, NotLoopback, OSError, OverflowError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


def _leave(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _write_atomically(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(text)
    os.replace(file.name, path)
