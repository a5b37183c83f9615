"""The sample AMDA over HTTP, on the loopback interface only.

    with server.running(port=0, faults={"fail": 2}) as url:
        ...                        # url is http://127.0.0.1:PORT, AMDA's calls are below /php/rest

`POST /control` with a JSON object replaces the faults (see `faults.Faults`; `{}` ends them all) and forgets the
requests counted so far; `GET /control` tells both.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from app.amda.sample.faults import BadFaults, Faults
from app.amda.sample.rest import Answer, File, Sample

log = logging.getLogger(__name__)
_REST = "/php/rest/"
_MAX_BODY = 64 * 1024


class NotLoopback(ValueError):
    """The sample was asked to listen where other machines could reach it."""


class SampleServer(ThreadingHTTPServer):
    """An HTTP server around one Sample; raises NotLoopback for a host that is not the machine itself."""

    daemon_threads = True

    def __init__(self, sample: Sample, *, host: str = "127.0.0.1", port: int = 0) -> None:
        if not _is_loopback(host):
            raise NotLoopback(f"{host} is not a loopback address: the sample AMDA serves this machine only")
        self.sample = sample
        super().__init__((host, port), _Handler)
        sample.url = self.url

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        # A client that hangs up is no fault of the sample's; anything else is told with its traceback.
        log.debug("A request from %s ended early", client_address, exc_info=True)


@contextmanager
def running(
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    faults: Faults | Mapping[str, Any] | None = None,
    accounts: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Serve in a thread of this process; gives the base URL (AMDA's entry point, without `/php/rest`)."""
    if not isinstance(faults, Faults):
        faults = Faults.from_mapping(faults or {})
    server = SampleServer(Sample(accounts=accounts or {}, faults=faults), host=host, port=port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "SampleAMDA"
    server: SampleServer

    def do_GET(self) -> None:
        if not self._from_here():
            return
        parts = urlsplit(self.path)
        if parts.path == "/control":
            self._send_json(self.server.sample.report())
        elif parts.path.startswith("/data/"):
            self._send_file(self.server.sample.file(parts.path.removeprefix("/data/")))
        elif parts.path.startswith(_REST):
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            call = parts.path.removeprefix(_REST).removesuffix(".php")
            self._send_answer(self.server.sample.answer(call, query, agent=self.headers.get("User-Agent", "")))
        else:
            self._send_json({"error": f"Nothing here; AMDA's calls are below {_REST}"}, HTTPStatus.NOT_FOUND)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        if not self._from_here():
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MAX_BODY:
            self.close_connection = True
            self._send_json({"error": "A body of at most 64 KiB with its Content-Length is needed"}, 400)
            return
        body = self.rfile.read(int(length))
        if self.path != "/control":
            self._send_json({"error": "Only /control takes POST"}, HTTPStatus.NOT_FOUND)
        # A page that the user has open in a browser cannot send this type without asking first.
        elif self.headers.get_content_type() != "application/json":
            self._send_json({"error": "Content-Type must be application/json"}, 415)
        else:
            self._set_faults(body)

    def _set_faults(self, body: bytes) -> None:
        try:
            values = json.loads(body)
            if not isinstance(values, dict):
                raise BadFaults("the body is not a JSON object")
            self.server.sample.set_faults(Faults.from_mapping(values))
        except (ValueError, RecursionError) as error:
            self._send_json({"error": f"Bad faults: {error}"}, HTTPStatus.BAD_REQUEST)
        else:
            self._send_json(self.server.sample.report())

    def _from_here(self) -> bool:
        """Refuse names that only pretend to be this machine (DNS rebinding)."""
        try:
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        except ValueError:
            host = ""
        if _is_loopback(host):
            return True
        self.close_connection = True
        self._send_json({"error": "The sample AMDA answers to this machine only"}, HTTPStatus.FORBIDDEN)
        return False

    def _send_answer(self, answer: Answer | None) -> None:
        if answer is None:
            self._send_json({"error": "The sample AMDA does not have this call"}, HTTPStatus.NOT_FOUND)
        elif isinstance(answer.value, str):
            self._send(answer.value.encode(), "text/plain; charset=utf-8", answer.status)
        else:
            self._send_json(answer.value, answer.status)

    def _send_file(self, file: File | None) -> None:
        if file is None:
            self._send_json({"error": "There is no such file (any more)"}, HTTPStatus.NOT_FOUND)
            return
        head = {"Last-Modified": formatdate(file.modified, usegmt=True)}
        if file.whole:
            self._send(file.body, file.content_type, 200, head)
        else:
            self._send(file.body, file.content_type, 200, head, sent=len(file.body) // 2)
            self.close_connection = True

    def _send_json(self, value: Mapping[str, Any], status: int = 200) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _send(
        self,
        body: bytes,
        content_type: str,
        status: int,
        head: Mapping[str, str] | None = None,
        *,
        sent: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **(head or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:sent])

    def log_message(self, format: str, *args: Any) -> None:
        # AMDA's calls carry passwords in their query: only the path is ever written down.
        log.debug("%s %s", self.command, urlsplit(self.path).path)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
