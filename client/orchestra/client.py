"""Orchestra from Python: one method for each thing that its REST API does."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from email.message import Message
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx

from orchestra.errors import NotFound, Unreachable
from orchestra.files import whole_file
from orchestra.transport import Transport

API = "/api/v1"
FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "LOST"})
PAGE = 100  # rows asked for at once
LONG_POLL_SECONDS = 20
PATIENCE_SECONDS = 30.0  # how long following and waiting bear a server that is away, as during a restart

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class LogPiece:
    """Bytes of a log, the offset to ask for next, and whether nothing more will come."""

    data: bytes
    next_offset: int
    final: bool


class Client:
    """A session with one Orchestra server.

    Every method raises `orchestra.errors.OrchestraError`: `Unreachable`, `NotFound`, `Conflict`, `Invalid` (with the
    faults), `Forbidden` or `ServerFault`. Times are UTC, `2001-03-28T00:00:00`; intervals are half-open [start, stop).
    """

    def __init__(self, url: str | None = None, *, timeout: float = 30.0) -> None:
        self._transport = Transport(url, timeout=timeout)
        self._timeout = timeout

    @property
    def address(self) -> str:
        """The server's address."""
        return self._transport.address

    def close(self) -> None:
        """Let the connections go."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # --- modules ---------------------------------------------------------------------------------------------------
    def modules(self) -> list[Json]:
        """Every module with its version in use."""
        return list(self._pages(f"{API}/modules"))

    def module(self, module: str | int) -> Json:
        """One module, by its number or its name."""
        return self._json("GET", _module(module))

    def versions(self, module: str | int) -> list[Json]:
        """The versions of a module."""
        return list(self._pages(f"{_module(module)}/versions"))

    def register_git(self, url: str, *, ref: str = "", subdirectory: str = "") -> list[Json]:
        """Register the module in a git repository; the build goes on when this returns."""
        body = {"git_url": url, "ref": ref, "subdirectory": subdirectory}
        return self._registrations("POST", f"{API}/modules", json=body, timeout=None)

    def register_folder(self, path: Path | str) -> list[Json]:
        """Register the module in a folder of the server's machine."""
        return self._registrations("POST", f"{API}/modules", json={"path": str(Path(path).absolute())}, timeout=None)

    def register_upload(self, path: Path | str) -> list[Json]:
        """Register every module of a zip archive."""
        with Path(path).open("rb") as file:
            files = {"file": (Path(path).name, file, "application/zip")}
            return self._registrations("POST", f"{API}/modules", files=files, timeout=None)

    def rebuild(self, module: str | int) -> Json:
        """Fetch the module's source anew and build it; the version in use stays until the build has passed."""
        return self._json("POST", f"{_module(module)}/builds", timeout=None)

    def remove(self, module: str | int) -> None:
        """Remove a module; its finished executions stay readable."""
        self._transport.request("DELETE", _module(module))

    def set_default(self, module: str | int, *, version: int) -> Json:
        """Make a version that was built the one that runs by default."""
        return self._json("PUT", f"{_module(module)}/default", json={"version": version})

    # --- executions ------------------------------------------------------------------------------------------------
    def run(
        self,
        module: str | int,
        *,
        start: str | None = None,
        stop: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        version: int | None = None,
        priority: int = 0,
        idempotency_key: str | None = None,
    ) -> Json:
        """Ask for a prediction over [start, stop); without them, over the module's default interval.

        The request carries an idempotency key (a fresh one if none is given), so that sending it again after a broken
        connection, which this does once, cannot run the module twice.
        """
        body: Json = {"start": start, "stop": stop, "arguments": dict(arguments or {}), "version": version}
        body = {name: value for name, value in body.items() if value is not None} | {"priority": priority}
        return self._ask(f"{_module(module)}/executions", body, idempotency_key=idempotency_key)

    def _ask(self, path: str, body: Json, *, idempotency_key: str | None = None) -> Json:
        """Ask for an execution, a second time if the connection broke before the answer."""
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        try:
            return self._json("POST", path, json=body, headers=headers)
        except Unreachable as error:
            if isinstance(error.__cause__, httpx.ConnectError):
                raise
            return self._json("POST", path, json=body, headers=headers)

    def executions(
        self,
        *,
        module: str | int | None = None,
        state: str | None = None,
        kind: str | None = None,
        limit: int | None = None,
    ) -> list[Json]:
        """Executions, newest first; `state` and `kind` as the API names them (`RUNNING`, `prediction`)."""
        given = {"module": module, "state": state, "kind": kind}
        params = {name: value for name, value in given.items() if value is not None}
        return list(self._pages(f"{API}/executions", params=params, limit=limit))

    def execution(self, execution: int) -> Json:
        """One execution: its nodes, attempts, outputs and, if it failed, why."""
        return self._json("GET", f"{API}/executions/{execution}")

    def cancel(self, execution: int) -> Json:
        """Ask for its end: the first time as Argo's Stop, the second as Terminate."""
        return self._json("POST", f"{API}/executions/{execution}/cancel")

    def resume(self, execution: int, *, node: str | None = None, parameters: Mapping[str, Any] | None = None) -> Json:
        """Let go on what waits for somebody, or one waiting node (its id, name or display name) with its outputs."""
        body = {"node": node, "parameters": parameters}
        given = {name: value for name, value in body.items() if value is not None}
        return self._json("POST", f"{API}/executions/{execution}/resume", json=given)

    def retry(self, execution: int) -> Json:
        """Start a new attempt of an execution that failed, was cancelled or got lost."""
        return self._json("POST", f"{API}/executions/{execution}/retry")

    def resubmit(self, execution: int) -> Json:
        """Ask for the same once more, as a new execution."""
        return self._json("POST", f"{API}/executions/{execution}/resubmit")

    def build(self, build: int) -> Json:
        """One build and its execution."""
        return self._json("GET", f"{API}/builds/{build}")

    def wait(self, execution: int, *, on_change: Callable[[Json], None] | None = None) -> Json:
        """Come back when it has ended; `on_change` gets it when its state, message or suspended nodes are others."""
        seen: tuple[Any, ...] | None = None
        every = 0.05  # s; growing, so that a quick run is seen soon and a slow one asks little
        while True:
            now = self._patiently(lambda: self.execution(execution))
            held = [node["phase"] for node in now.get("nodes") or () if node["type"] == "Suspend"]
            if on_change and seen != (news := (now["state"], now.get("message"), held)):
                seen = news
                on_change(now)
            if now["state"] in FINAL:
                return now
            time.sleep(every)
            every = min(1.0, every * 1.3)

    # --- schemas ---------------------------------------------------------------------------------------------------
    def schemas(self) -> list[Json]:
        """The manifests that the server keeps, by name."""
        return list(self._pages(f"{API}/schemas"))

    def schema(self, name: str, *, version: int | None = None) -> Json:
        """A schema's latest version, or another: its manifest, inputs, outputs and warnings."""
        return self._json("GET", _schema(name), params={} if version is None else {"version": version})

    def add_schema(self, manifest: str, *, name: str = "", inputs: Mapping[str, Any] | None = None) -> Json:
        """Save the text of a manifest as a schema's next version.

        `inputs` has JSON Schemas by name; None keeps those of the version before, {} drops them.
        """
        given: Json = {"manifest": manifest, **({"name": name} if name else {})}
        return self._json("POST", f"{API}/schemas", json=given if inputs is None else {**given, "inputs": dict(inputs)})

    def remove_schema(self, name: str) -> None:
        """Take a schema off the server; what was made from it stays readable."""
        self._transport.request("DELETE", _schema(name))

    def run_schema(self, name: str, *, arguments: Mapping[str, Any] | None = None, version: int | None = None) -> Json:
        """Ask for a run of a schema; sent once more after a broken connection, it is not run twice."""
        return self._ask(f"{_schema(name)}/executions", {"arguments": dict(arguments or {}), "version": version})

    def send_manifest(self, manifest: str, *, arguments: Mapping[str, Any] | None = None) -> Json:
        """Ask for a run of a manifest's text that the server does not have yet."""
        return self._ask(f"{API}/executions", {"manifest": manifest, "arguments": dict(arguments or {})})

    # --- logs ------------------------------------------------------------------------------------------------------
    def log(
        self,
        execution: int,
        *,
        offset: int = 0,
        node: str | None = None,
        attempt: int | None = None,
        wait: int = 0,
    ) -> LogPiece:
        """A log's bytes from `offset` on; with `wait`, an empty answer comes only after that many seconds (≤ 30)."""
        params: Json = {"offset": offset, "node": node, "attempt": attempt, "wait": wait or None}
        response = self._transport.request(
            "GET",
            f"{API}/executions/{execution}/log",
            params={name: value for name, value in params.items() if value is not None},
            timeout=self._timeout + wait,
        )
        data = response.content
        return LogPiece(
            data=data,
            next_offset=int(response.headers.get("Orchestra-Log-Offset", offset + len(data))),
            final=response.headers.get("Orchestra-Final", "").lower() == "true",
        )

    def whole_log(self, execution: int, *, node: str | None = None, attempt: int | None = None) -> Iterator[bytes]:
        """A log as far as there is one now, piece by piece."""
        offset = 0
        while (piece := self.log(execution, offset=offset, node=node, attempt=attempt)).data:
            yield piece.data
            offset = piece.next_offset

    def follow(
        self, execution: int, *, node: str | None = None, attempt: int | None = None, offset: int = 0
    ) -> Iterator[bytes]:
        """A log from the byte `offset` on, piece by piece, until nothing more will come."""
        wait = 0
        while True:
            piece = self._patiently(partial(self.log, execution, offset=offset, node=node, attempt=attempt, wait=wait))
            if piece.data:
                yield piece.data
            if piece.final:
                return
            offset, wait = piece.next_offset, LONG_POLL_SECONDS

    # --- results ---------------------------------------------------------------------------------------------------
    def artifacts(self, execution: int) -> list[Json]:
        """The files that an execution gave out."""
        return list(self._pages(f"{API}/executions/{execution}/artifacts"))

    def catalog(self, execution: int, *, limit: int | None = None) -> Json:
        """The catalog that an execution made: name, type, columns, and in `items` its events, at most `limit`."""
        path = f"{API}/executions/{execution}/catalog"
        first = self._json("GET", path, params={"limit": min(limit or PAGE, PAGE)})
        events, total = list(first["items"]), first["total"]
        wanted = total if limit is None else min(limit, total)
        while len(events) < wanted:
            page = self._json("GET", path, params={"limit": min(PAGE, wanted - len(events)), "offset": len(events)})
            if not page["items"]:
                break
            events += page["items"]
        return {**first, "items": events}

    def save_output(
        self,
        execution: int,
        *,
        to: Path | None = None,
        name: str | None = None,
        everything: bool = False,
        original: bool = False,
        on_size: Callable[[int, int | None], None] | None = None,
    ) -> Path:
        """Save the declared output, one file by `name`, or `everything` (several files come as one zip).

        With `original` the file is as the module wrote it, without AMDA's header. `to` is a file or an existing folder
        (default: the working folder). The file appears under its name only when it is whole. `on_size(bytes so far,
        bytes in all or None)` is called as it grows. Returns the path; raises `Conflict` if there is no result (yet).
        """
        with self._output(execution, name=name, everything=everything, original=original) as response:
            target = _target(to, suggested=_filename(response.headers) or f"execution-{execution}")
            _save(response, target, on_size=on_size)
        return target

    def read_output(
        self, execution: int, *, name: str | None = None, everything: bool = False, original: bool = False
    ) -> Iterator[bytes]:
        """The bytes that `save_output` would save."""
        with self._output(execution, name=name, everything=everything, original=original) as response:
            yield from response.iter_bytes()

    def _output(
        self, execution: int, *, name: str | None, everything: bool, original: bool
    ) -> AbstractContextManager[httpx.Response]:
        path, params = f"{API}/executions/{execution}/output", {"name": name, "all": "1" if everything else None}
        if original:
            number = self._artifact(execution, name)
            path, params = f"{API}/executions/{execution}/artifacts/{number}", {"original": "1"}
        return self._transport.stream(path, params={key: value for key, value in params.items() if value})

    def _artifact(self, execution: int, name: str | None) -> int:
        """The number of the file of this name, or of the declared output."""
        files = self.artifacts(execution)
        for file in files:
            if file["name"] == name or (name is None and file["role"] == "output"):
                return int(file["id"])
        raise NotFound(f"Execution {execution} has no file {name or 'that its module declared as output'}.", status=404)

    # --- the server ------------------------------------------------------------------------------------------------
    def ready(self) -> Json:
        """What the server says about its own health; raises `ServerFault` if it cannot work."""
        return self._json("GET", f"{API}/ready")

    # --- within ----------------------------------------------------------------------------------------------------
    def _json(self, method: str, path: str, **options: Any) -> Json:
        return dict(self._transport.json(method, path, **options))

    def _registrations(self, method: str, path: str, **options: Any) -> list[Json]:
        return list(self._json(method, path, **options)["items"])

    def _pages(self, path: str, *, params: Mapping[str, Any] | None = None, limit: int | None = None) -> Iterator[Json]:
        """The rows of a list, however many pages it has, up to `limit`."""
        given, offset = dict(params or {}), 0
        while True:
            size = PAGE if limit is None else min(PAGE, limit - offset)
            page = self._json("GET", path, params={**given, "limit": size, "offset": offset})
            yield from page["items"]
            offset += len(page["items"])
            if not page["items"] or offset >= page["total"] or (limit is not None and offset >= limit):
                return

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Ask again while the server is away for a moment; a run does not end because the server restarts."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return ask()
            except Unreachable:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)


def _module(module: str | int) -> str:
    name = str(module)
    if not name.strip() or "/" in name:  # no name has a slash, and an address would mean something else
        raise NotFound(f"There is no module {name!r}.", status=404)
    return f"{API}/modules/{quote(str(module), safe='')}"


def _schema(name: str) -> str:
    return f"{API}/schemas/{quote(name, safe='')}"


def _filename(headers: Mapping[str, str]) -> str:
    """The name that the server suggests, without any folder."""
    message = Message()
    message["Content-Disposition"] = headers.get("Content-Disposition", "")
    return (message.get_filename() or "").replace("\\", "/").rsplit("/", 1)[-1].lstrip(".")


def _save(response: httpx.Response, target: Path, *, on_size: Callable[[int, int | None], None] | None) -> None:
    """Write an answer's body to a file that appears only when it is whole."""
    total, size = response.headers.get("Content-Length"), 0
    with whole_file(target) as file:
        for piece in response.iter_bytes():
            size += file.write(piece)
            if on_size:
                on_size(size, int(total) if total else None)


def _target(to: Path | None, *, suggested: str) -> Path:
    if to is None:
        return Path.cwd() / suggested
    if to.is_dir():
        return to / suggested
    if not to.absolute().parent.is_dir():
        raise NotADirectoryError(f"{to} cannot be written: there is no folder {to.absolute().parent}.")
    return to.absolute()
