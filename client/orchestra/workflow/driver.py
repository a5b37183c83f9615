"""Bringing the workflows of a folder forward: as their engine, or by looking on while another command is it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Mapping
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from orchestra.desk import DeskError
from orchestra.files import write_json
from orchestra.workflow.folder import Folder, Json

if TYPE_CHECKING:
    from orchestra_engine.engine import Engine

_LOOK_SECONDS = 0.2  # between two looks at what another command runs


class Interrupts:
    """Counts Ctrl-C, SIGTERM and the end of the terminal (unless that is ignored, as `nohup` has it) instead of ending
    the process; its descriptor is readable after one."""

    def __init__(self) -> None:
        self.count = 0
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            os.set_blocking(end, False)
        self._before: dict[int, Any] = {}
        self._wakeup = -1

    def __enter__(self) -> Self:
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        hangup = () if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else (signal.SIGHUP,)
        for number in (signal.SIGINT, signal.SIGTERM, *hangup):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._read)
        os.close(self._write)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1

    def fileno(self) -> int:
        """The descriptor that is readable once a signal has come."""
        return self._read

    def drain(self) -> None:
        """Make the descriptor wait for the next signal."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass


class Driver:
    """Runs what is in a folder, or looks on until it can."""

    def __init__(self, folder: Folder, *, sandbox: str = "auto") -> None:
        self.folder, self.sandbox = folder, sandbox
        self.engine: Engine | None = None
        self._pipe = -1
        self._seen: dict[str, tuple[float, Json]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def lead(self) -> bool:
        """Become the engine of the folder if nobody is, and take over what is unfinished. Raises DeskError."""
        if self.engine is None and self.folder.lead():
            try:
                self._pipe = self.folder.open_wake_pipe()
                self.engine = self.folder.engine(self.folder.sandbox_for(self.sandbox))
                self.folder.tell_sandbox(self.engine.sandbox)
                self.engine.adopt()
            except BaseException:
                self.close()
                raise
        return self.engine is not None

    def close(self) -> None:
        """Let go; what runs goes on, and is taken over by the next command."""
        if self.engine is not None:
            self.engine.close()
            self.engine = None
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        self.folder.leave()

    def submit(self, workflow: Json) -> None:
        """Have a workflow run. Raises orchestra_engine.engine.Refused, DeskError."""
        if self.lead() and self.engine is not None:
            self.engine.submit(workflow)
            self.folder.remember_sandbox(workflow["metadata"]["name"], self.engine.sandbox)
            return
        used = self.folder.told_sandbox() or self.sandbox
        if self.sandbox not in ("auto", used):
            raise DeskError(
                f"another command runs workflows of {self.folder.path} in the sandbox {used}: wait for its end, or "
                "use another --folder"
            )
        engine = self.folder.engine(used)
        try:
            engine.submit(workflow)
            self.folder.remember_sandbox(workflow["metadata"]["name"], used)
        finally:
            engine.close()
        self.folder.wake()

    def step(self, interrupts: Interrupts, timeout: float | None) -> None:
        """Bring everything forward until something has changed, a signal came or `timeout` seconds went by."""
        if self.lead() and self.engine is not None:
            self.engine.poll(timeout, wake=[interrupts.fileno(), self._pipe])
            self._serve()
        else:
            wait = _LOOK_SECONDS if timeout is None else min(timeout, _LOOK_SECONDS)
            select.select([interrupts.fileno()], [], [], wait)
        interrupts.drain()

    def get(self, name: str) -> Json | None:
        """A workflow as it is now."""
        if self.engine is not None:
            return self.engine.get(name)
        try:
            stamp = (self.folder.path / name / "workflow.json").stat().st_mtime
        except OSError:
            return None
        seen = self._seen.get(name)
        if seen is None or seen[0] != stamp:
            record = self.folder.store().load(name)
            if record is None:
                return None
            seen = self._seen[name] = (stamp, record.workflow)
        return seen[1]

    def control(self, name: str, what: str, **more: Any) -> None:
        """Do to a running workflow: stop, terminate, suspend, resume or set (see `carry_out`). Raises DeskError."""
        while not (self.lead() and self.engine is not None):
            if self.folder.ask({"name": name, "what": what, **more}):
                return
        carry_out(self.engine, name, what, more)

    def _serve(self) -> None:
        assert self.engine is not None
        try:
            os.read(self._pipe, 4096)
        except BlockingIOError:
            return
        self.engine.adopt()
        for answer, request in self.folder.asked():
            reason = ""
            try:
                name, what = str(request.pop("name", "")), str(request.pop("what", ""))
                carry_out(self.engine, name, what, request)
            except DeskError as error:
                reason = str(error)
            write_json(answer, {"error": reason})


def carry_out(engine: Engine, name: str, what: str, more: Mapping[str, Any]) -> None:
    """Do one of the things of `Driver.control`: to the `nodes` (ids), if there are any, and with what they get.

    Raises DeskError.
    """
    from orchestra_engine.engine import NotFound

    nodes, parameters = more.get("nodes"), more.get("parameters") or {}
    try:
        if what == "resume":
            for node in [None] if nodes is None else nodes:
                engine.resume(name, node, parameters)
        elif what == "set":
            values = {key: more.get(key) or None for key in ("phase", "message")}
            for node in nodes or ():
                engine.set(name, node, parameters=parameters, **values)
        elif what in ("stop", "terminate", "suspend"):
            getattr(engine, what)(name)
        else:
            raise DeskError(f"{what!r} is nothing that can be done to a workflow")
    except (NotFound, ValueError) as error:
        raise DeskError(str(error)) from None
