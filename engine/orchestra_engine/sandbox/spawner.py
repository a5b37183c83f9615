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
from collections import deque
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from orchestra_engine.sandbox import private_root, shim, sweeper

MESSAGE_BYTES = 8192
_SPARES = 2  # shims that wait for a node


class Spawner:
    """Hands each message to a shim until the connection ends. Shims are forked ahead: they wait for their node."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.orders = _start_sweeper(connection)
        self.wakeup = os.pipe()
        for fd in self.wakeup:
            os.set_blocking(fd, False)
        self.spares: deque[tuple[int, int]] = deque()  # process id of a shim, the pipe on which it waits

    def serve(self) -> None:
        """Work until the other end of the connection is closed."""
        wake_read, wake_write = self.wakeup
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        poll.register(wake_read, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll(0 if len(self.spares) < _SPARES else None)}
            if not ready:
                self._fork_spare()
            if wake_read in ready:
                _reap(wake_read)
            if self.connection.fileno() in ready:
                message = self.connection.recv(MESSAGE_BYTES)
                if not message:
                    return
                self._answer(message, self._hand_over(message))

    def _answer(self, message: bytes, pid: int) -> None:
        pidfd = os.pidfd_open(pid)
        self.connection.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [pidfd]))])
        os.close(pidfd)

    def _hand_over(self, folder: bytes) -> int:
        """Give a node to a shim that waits; its process id. One that was killed while it waited is passed over."""
        while True:
            if not self.spares:
                self._fork_spare()
            pid, pipe = self.spares.popleft()
            try:
                os.write(pipe, folder)
                return pid
            except BrokenPipeError:
                continue
            finally:
                os.close(pipe)

    def _fork_spare(self) -> None:
        listen, tell = os.pipe()
        pid = fork()
        if pid == 0:
            os.close(tell)
            self._become_shim(listen)
        os.close(listen)
        self.spares.append((pid, tell))

    def _become_shim(self, listen: int) -> None:
        try:
            signal.set_wakeup_fd(-1)
            self.connection.close()
            for fd in (*self.wakeup, *(pipe for _, pipe in self.spares)):
                os.close(fd)
            shim.get_ready()
            folder = os.read(listen, MESSAGE_BYTES)
            os.close(listen)
            signal.sigtimedwait([signal.SIGTERM], 0)  # sent while it waited: not meant for this node
            if folder:  # else the spawner has ended
                shim.run(Path(os.fsdecode(folder)), orders=self.orders)
        finally:
            os._exit(0)


def _reap(wake_read: int) -> None:
    with contextlib.suppress(BlockingIOError):
        os.read(wake_read, 512)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def fork() -> int:
    """os.fork, tried again for as long as the machine has no room for another process."""
    while True:
        try:
            return os.fork()
        except OSError:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
            time.sleep(0.1)


def _start_sweeper(connection: socket.socket) -> int:
    """Start the sweeper; the pipe for its orders. It ends when neither the spawner nor a shim is left to give any."""
    listen, orders = os.pipe()
    if fork() == 0:
        try:
            connection.close()
            os.close(orders)
            sweeper.sweep(listen)
        finally:
            os._exit(0)
    os.close(listen)
    os.set_blocking(orders, False)
    return orders


def main(arguments: list[str]) -> None:
    """The two commands of the module's text."""
    if arguments[0] == "probe":
        print(private_root.why_not(Path(arguments[1])))
        return
    shim.boot_id()  # once for all shims
    private_root.machine()
    gc.disable()  # shims live shortly and make few objects; a collection would copy the pages that they share
    gc.freeze()
    Spawner(socket.socket(fileno=int(arguments[0]))).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
