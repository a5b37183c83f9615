"""The folder (`.orchestra/`) that workflows at the desk live in, and who runs them.

One command at a time is the folder's engine: it holds the lock `.lock`, and writes into it which sandbox it uses.
Others leave requests in `.requests/` and write a byte into the FIFO `.wake`; when the engine's command ends or is
killed, the next one that needs an engine takes over what still runs. Besides that the folder is the engine's root (see
orchestra_engine.store): a folder for each workflow (in it a file `sandbox`, which says where its nodes run),
`configmaps/`, `secrets/`, `workflowtemplates/`; `images.json` (see orchestra.workflow.images); and `artifacts/`, the
artifact repository.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestra.desk import DeskError
from orchestra.files import write_json
from orchestra.workflow.tree import finished

if TYPE_CHECKING:
    from orchestra_engine.engine import Engine
    from orchestra_engine.store import Store

Json = dict[str, Any]
KIND_FOLDERS = {"ConfigMap": "configmaps", "Secret": "secrets", "WorkflowTemplate": "workflowtemplates"}
LATEST = "@latest"
_SANDBOX = "sandbox"  # file in a workflow's folder
_ANSWER_SECONDS = 0.05  # between two looks for an answer


@dataclass(kw_only=True)
class Folder:
    """A folder of workflows."""

    path: Path
    _lock: int = field(default=-1, init=False)

    @property
    def requests(self) -> Path:
        """Where other commands leave what they ask of the one that runs a workflow."""
        return self.path / ".requests"

    @property
    def wake_pipe(self) -> Path:
        """The pipe that wakes the command that runs a workflow."""
        return self.path / ".wake"

    def prepare(self) -> None:
        """Make the folder if it is not there. Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        ignore = self.path / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")

    def store(self) -> Store:
        """The workflows, to be read (or changed while nothing runs them)."""
        from orchestra_engine.store import Store

        return Store(self.path.absolute())

    def workflow(self, name: str) -> Json:
        """A workflow of the folder. Raises DeskError if there is none."""
        from orchestra_engine.store import BadName

        record = None
        with contextlib.suppress(BadName):  # nothing can have that name
            record = self.store().load(name)
        if record is None:
            known = ", ".join(self.store().names()[-10:]) or "none at all"
            raise DeskError(f"there is no workflow {name} in {self.path} (there is: {known})")
        return record.workflow

    def known(self, name: str) -> str:
        """The name that is meant: `@latest` is the newest workflow. Raises DeskError if there is none at all."""
        if name != LATEST:
            return name
        names = self.store().names()
        if not names:
            raise DeskError(f"there is no workflow in {self.path} that could be the latest")
        return max(names, key=self._age)

    def all_known(self, names: Iterable[str]) -> list[str]:
        """The names that are meant, each once. Raises DeskError."""
        return list(dict.fromkeys(self.known(name) for name in names))

    def _age(self, name: str) -> tuple[str, int]:
        try:  # times of creation are whole seconds; the note of the sandbox is written just after it
            noted = (self.path / name / _SANDBOX).stat().st_mtime_ns
        except OSError:
            noted = 0
        return str(self.workflow(name)["metadata"].get("creationTimestamp") or ""), noted

    # Who is the engine

    def lead(self) -> bool:
        """Become the folder's engine if nobody is; True if this process is it."""
        if self._lock >= 0:
            return True
        lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def led(self) -> bool:
        """Whether some process, perhaps this one, is the engine."""
        if self._lock >= 0:
            return True
        try:
            lock = os.open(self.path / ".lock", os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError):  # another's folder may still be looked at
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def tell_sandbox(self, sandbox: str) -> None:
        """Let others know, as the engine, where nodes run."""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, sandbox.encode(), 0)

    def told_sandbox(self) -> str:
        """Where the engine of the folder runs nodes; empty if that is not known."""
        try:
            return (self.path / ".lock").read_text()
        except (FileNotFoundError, PermissionError):
            return ""

    def remember_sandbox(self, name: str, sandbox: str) -> None:
        """Note where a workflow's nodes run. Raises OSError."""
        (self.path / name / _SANDBOX).write_text(sandbox)

    def sandbox_of(self, name: str) -> str:
        """Where a workflow's nodes run, or `auto` if that was never said."""
        try:
            return (self.path / name / _SANDBOX).read_text() or "auto"
        except OSError:
            return "auto"

    def sandbox_for(self, wanted: str) -> str:
        """The sandbox that an engine has to use: that of what is unfinished, else the wanted one.

        Raises DeskError if these differ and `wanted` is not `auto`.
        """
        noted = {name: self.sandbox_of(name) for name in self.store().names()}
        for name, used in noted.items():
            if used not in ("auto", wanted) and not finished(self.workflow(name)):
                if wanted != "auto":
                    raise DeskError(
                        f"{name} has not ended and runs in the sandbox {used}: `orchestra workflow watch {name}` or "
                        f"`orchestra workflow terminate {name}` first, or use another --folder"
                    )
                return used
        return wanted

    def leave(self) -> None:
        """Be the engine no more."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def engine(self, sandbox: str) -> Engine:
        """An engine on the folder. Raises DeskError if the sandbox cannot be had."""
        from orchestra_engine.engine import Config, Engine

        from orchestra.workflow.images import FolderImages

        config = Config(
            root=self.path.absolute(),
            repository=self.path.absolute() / "artifacts",
            images=FolderImages(self.path.absolute()),
            sandbox=sandbox,
        )
        try:
            return Engine(config)
        except RuntimeError as error:
            raise DeskError(f"{error} (`orchestra doctor` says more; --sandbox plain may do)") from None

    # Requests to whoever is the engine

    def open_wake_pipe(self) -> int:
        """The end of the FIFO that an engine waits on."""
        with contextlib.suppress(FileExistsError):
            os.mkfifo(self.wake_pipe, 0o600)
        return os.open(self.wake_pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def wake(self) -> None:
        """Have the engine look at the folder now, if there is one."""
        with contextlib.suppress(OSError):
            pipe = os.open(self.wake_pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.write(pipe, b"w")
            finally:
                os.close(pipe)

    def ask(self, request: Mapping[str, Any]) -> bool:
        """Have the engine's process carry out a request; False if there is none, so that nothing has been done.

        Raises DeskError with its reason if it refuses.
        """
        self.requests.mkdir(exist_ok=True)
        file = self.requests / f"{time.time_ns()}-{os.getpid()}.json"
        answer = file.with_suffix(".answer")
        write_json(file, request)
        try:
            while self.led():
                self.wake()
                time.sleep(_ANSWER_SECONDS)
                if answer.exists():
                    break
            if not answer.exists():
                return False
            reason = json.loads(answer.read_bytes()).get("error")
        finally:
            file.unlink(missing_ok=True)
            answer.unlink(missing_ok=True)
        if reason:
            raise DeskError(reason)
        return True

    def asked(self) -> Iterator[tuple[Path, Json]]:
        """The requests that wait, the oldest first, each with the file that the answer goes into."""
        for file in sorted(self.requests.glob("*.json")) if self.requests.is_dir() else ():
            try:
                request = json.loads(file.read_bytes())
                file.unlink()
            except (OSError, ValueError):
                continue
            yield file.with_suffix(".answer"), request
