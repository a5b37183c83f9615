"""The server of one machine: prepares its state, then runs web process and controller until one of them ends."""

from __future__ import annotations

import argparse
import errno
import fcntl
import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from script.lib import ROOT, processes, read_settings_file

HOST = "127.0.0.1"
PORT = 8000
READY_SECONDS = 60.0
WEB_STOP_SECONDS = 10.0
CONTROLLER_STOP_SECONDS = 20.0


class Refusal(Exception):
    """The server cannot start; the text says why and what to do."""


def var_folder(env: Mapping[str, str]) -> Path:
    """The folder of all state that a server with these variables has."""
    return Path(env.get("ORCHESTRA_VAR") or ROOT / "var").resolve()


def lock(var: Path) -> IO[str]:
    """Be the only server of this state while the file is open; raises `Refusal` if there is one."""
    try:
        (var / "run").mkdir(parents=True, exist_ok=True)
        file = (var / "run" / "server.lock").open("a+")
    except OSError as error:
        raise Refusal(f"{var} cannot hold the state: {error}. ORCHESTRA_VAR names another folder.") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        who = file.read().strip() or "another process"
        file.close()
        raise Refusal(
            f"A server runs on {var} already ({who}). Stop it first, or give this one a state of its own: "
            "ORCHESTRA_VAR=/some/folder script/server --port 8001"
        ) from None
    file.seek(0)
    file.truncate()
    file.write(f"process {os.getpid()}")
    file.flush()
    return file


def port_number(text: str) -> int:
    """A port as a person gives it, with --port or in ORCHESTRA_PORT; raises ArgumentTypeError."""
    if text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port; it has to be a number from 0 to 65535")


def how_many(name: str, text: str) -> str:
    """A setting that counts processes or threads, as a word of a command; raises `Refusal`."""
    if text.isdecimal() and int(text) > 0:
        return text
    raise Refusal(f"{name} is {text!r}; it has to be a whole number, more than 0.")


def listen(port: int) -> socket.socket:
    """A listening socket on loopback, any free port for 0; raises `Refusal` if the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        reasons = {errno.EADDRINUSE: "is in use", errno.EACCES: "needs more rights"}
        why = reasons.get(error.errno or 0, f"cannot be had ({error})")
        raise Refusal(f"Port {port} of {HOST} {why}. Take another one: --port 8001 or ORCHESTRA_PORT=8001") from None
    listener.listen(1024)
    return listener


class Server:
    """The two processes of Orchestra on one machine. Use as: `with Server(port=0) as server: …`."""

    def __init__(self, *, port: int, env: Mapping[str, str] | None = None, log: Path | None = None) -> None:
        self._env = {**os.environ, **(env or {})}
        self._log = log
        self._workers = how_many("ORCHESTRA_WEB_WORKERS", self._env.get("ORCHESTRA_WEB_WORKERS", "2"))
        self._threads = how_many("ORCHESTRA_WEB_THREADS", self._env.get("ORCHESTRA_WEB_THREADS", "16"))
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._lock = lock(var_folder(self._env))
        try:
            self._listener = listen(port)
        except Refusal:
            self._lock.close()
            raise
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self.web: subprocess.Popen[bytes] | None = None
        self.controller: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def prepare(self, *, modules: bool = True) -> None:
        """Bring the database, the shipped schemas, the static files and (with `modules`) shipped modules up to date."""
        argv = [*processes.MANAGE, "prepare", *([] if modules else ["--no-modules"])]
        process = processes.start(argv, env=self._env, log=self._log)
        try:
            if process.wait() != 0:
                raise Refusal("The state could not be prepared; what `manage.py prepare` says stands above.")
        finally:
            processes.stop(process, seconds=5.0)

    def start(self) -> None:
        """Start both processes and return when they can work; raises `Refusal` if they cannot."""
        self.start_controller()
        descriptor = self._listener.fileno()
        self.web = processes.start(self._gunicorn(descriptor), env=self._env, log=self._log, pass_fds=[descriptor])
        self._watch("web process", self.web)
        self._until_ready()

    def start_controller(self) -> None:
        """Start the controller; by itself only after another one of this server has ended."""
        self.controller = processes.start([*processes.MANAGE, "controller"], env=self._env, log=self._log)
        self._watch("controller", self.controller)

    def wait(self) -> str:
        """Sleep until a process ends or a signal asks to stop; says which."""
        return self._events.get()

    def check(self) -> None:
        """Raise `Refusal` if one of the two processes has ended."""
        if not self._events.empty():
            raise Refusal(self._events.get() or "Stopped.")

    def stop_on_signals(self) -> None:
        """Let Ctrl-C and TERM end `wait` instead of this process."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self._events.put(""))

    def cancel_all(self, *, seconds: float) -> None:
        """End what runs and is queued, as long as the controller can do it; nothing can be asked any more."""
        self._stop_web()
        if self.controller and self.controller.poll() is None:
            argv = [*processes.MANAGE, "cancel", "--all", "--wait", str(seconds), "--verbosity", "0"]
            processes.start(argv, env=self._env).wait()

    def stop(self) -> None:
        """End the web process first, so that nothing more is asked, then the controller; what runs goes on."""
        self._stop_web()
        if self.controller:
            processes.stop(self.controller, seconds=CONTROLLER_STOP_SECONDS)
        self._lock.close()

    def _stop_web(self) -> None:
        self._listener.close()
        if self.web:
            processes.stop(self.web, seconds=WEB_STOP_SECONDS)

    def _gunicorn(self, descriptor: int) -> list[str]:
        # Threads, because following a log keeps a request open.
        return [
            sys.executable, "-m", "gunicorn", "app.wsgi:application",
            "--bind", f"fd://{descriptor}",
            "--worker-class", "gthread",
            "--workers", self._workers, "--threads", self._threads,
            "--preload", "--no-control-socket", "--graceful-timeout", "5", "--log-level", "warning",
        ]  # fmt: skip

    def _watch(self, name: str, process: subprocess.Popen[bytes]) -> None:
        def report() -> None:
            code = process.wait()
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            self._events.put(f"The {name} {how}.")

        threading.Thread(target=report, daemon=True).start()

    def _until_ready(self) -> None:
        until = time.monotonic() + READY_SECONDS
        answer = "no answer"
        while time.monotonic() < until:
            self.check()
            ready, answer = self._ask()
            if ready:
                return
            time.sleep(0.05)
        raise Refusal(f"The server was not ready after {READY_SECONDS:.0f} s: {answer}")

    def _ask(self) -> tuple[bool, str]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5.0)
        try:
            connection.request("GET", "/api/v1/ready")
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
            if response.status == http.client.OK:
                return True, text
            return False, str(json.loads(text).get("error", text))
        except (OSError, http.client.HTTPException, ValueError) as error:
            return False, str(error)
        finally:
            connection.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/server",
        description="Orchestra on this machine: the web process and the controller. Ctrl-C stops both.",
    )
    port = os.environ.get("ORCHESTRA_PORT") or str(PORT)
    parser.add_argument(
        "--port", type=port_number, default=port, help=f"of {HOST}; 0 takes a free one (default: %(default)s)"
    )
    parser.add_argument("--ready-file", type=Path, help="written, as JSON, when the server can work")
    return parser


def main() -> int:
    """Run until a signal or the end of one of the two processes; the exit code is 0 only for a signal."""
    read_settings_file()
    asked = _parser().parse_args()
    try:
        with Server(port=asked.port) as server:
            server.stop_on_signals()
            print("Preparing the state …", file=sys.stderr, flush=True)
            server.prepare()
            server.start()
            print(f"Orchestra is ready at {server.url} (pages for operators: {server.url}/admin/). Ctrl-C stops it.")
            sys.stdout.flush()
            if asked.ready_file:
                _write_ready(asked.ready_file, server)
            event = server.wait()
            goes_on = "Stopping … What runs goes on, and the next start takes it over."
            print(f"{event} {goes_on}".strip(), file=sys.stderr, flush=True)
        return 1 if event else 0
    except Refusal as refusal:
        print(f"script/server: {refusal}", file=sys.stderr)
        return 1


def _write_ready(path: Path, server: Server) -> None:
    assert server.web and server.controller
    told = {"url": server.url, "web": server.web.pid, "controller": server.controller.pid}
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(told))
    fresh.replace(path)


if __name__ == "__main__":
    sys.exit(main())
