"""The spawner: a small process that forks shims, so that a node's start costs a fork and not a Python's start.

Run as `python -I -S spawner.py FD`, FD being one end of a SOCK_SEQPACKET pair. Each message is the folder of a node;
each answer is the same folder and, as ancillary data, a pidfd of the shim. It ends when the other end closes; the
shims go on. `python -I -S spawner.py probe FOLDER` prints why no private root can be made (nothing: it can).
"""

from __future__ import annotations

import array
import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from orchestra_engine.removal import remove_tree
from orchestra_engine.sandbox import private_root, shim

MESSAGE_BYTES = 8192


def serve(connection: socket.socket) -> None:
    """Fork a shim for each message until the connection ends."""
    tell = start_sweeper(connection)
    wake_read, wake_write = os.pipe()
    for fd in (wake_read, wake_write):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    poll.register(wake_read, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_read, 512)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
        if connection.fileno() in ready:
            message = connection.recv(MESSAGE_BYTES)
            if not message:
                return
            pid = fork()
            if pid == 0:
                _become_shim(connection, (wake_read, wake_write), Path(os.fsdecode(message)), tell)
            pidfd = os.pidfd_open(pid)
            connection.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [pidfd]))])
            os.close(pidfd)


def fork() -> int:
    """os.fork, tried again for as long as the machine has no room for another process."""
    while True:
        try:
            return os.fork()
        except OSError:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
            time.sleep(0.1)


def start_sweeper(connection: socket.socket) -> int:
    """Start the process that does for shims what nobody has to wait for; the pipe on which they tell it.

    It ends when nobody can write there any more: neither the spawner nor a shim.
    """
    listen, tell = os.pipe()
    if fork() == 0:
        connection.close()
        os.close(tell)
        try:
            sweep(listen)
        finally:
            os._exit(0)
    os.close(listen)
    os.set_blocking(tell, False)
    return tell


def sweep(listen: int) -> None:
    """Bring files to the disk and remove folders, as a pipe says: SYNC or REMOVE, a path and a zero byte each."""
    rest = b""
    while piece := os.read(listen, 1 << 16):
        *orders, rest = (rest + piece).split(b"\0")
        for order in orders:
            if order.startswith(shim.REMOVE):
                remove_tree(os.fsdecode(order[1:]))
            else:
                with contextlib.suppress(OSError):
                    sync(order[1:])


def sync(path: bytes) -> None:
    """Wait until a file and its name are on the disk. Raises OSError."""
    for each in (path, os.path.dirname(path)):
        fd = os.open(each, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _become_shim(connection: socket.socket, wake: tuple[int, int], folder: Path, sweep: int) -> None:
    try:
        signal.set_wakeup_fd(-1)
        connection.close()
        for fd in wake:
            os.close(fd)
        shim.run(folder, sweep=sweep)
    finally:
        os._exit(0)


def main(arguments: list[str]) -> None:
    """The two commands of the module's text."""
    if arguments[0] == "probe":
        print(private_root.why_not(Path(arguments[1])))
        return
    shim.boot_id()  # once for all shims
    private_root.machine()
    gc.disable()  # shims live shortly and make few objects; a collection would copy the pages that they share
    gc.freeze()
    serve(socket.socket(fileno=int(arguments[0])))


if __name__ == "__main__":
    main(sys.argv[1:])
