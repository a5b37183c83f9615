"""How a request gets to the server and its answer back: one place for addresses, time-outs and errors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx

from orchestra.errors import OrchestraError, ServerFault, Unreachable, from_answer

DEFAULT_SERVER = "http://127.0.0.1:8000"
CONNECT_SECONDS = 5.0


def server_address(given: str | None = None) -> str:
    """The server that is meant: what was given, else ORCHESTRA_SERVER, else this machine's port 8000.

    Raises Unreachable for what is no address.
    """
    address = given or os.environ.get("ORCHESTRA_SERVER") or DEFAULT_SERVER
    if "://" not in address:
        address = f"http://{address}"
    try:
        parts = urlsplit(address)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half a bracket, a port that is no number or too large
        fine = False
    if not fine or not address.isprintable() or " " in address:
        raise Unreachable(f"{address!r} is not a server's address; it has to look like {DEFAULT_SERVER}")
    return address.rstrip("/")


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Transport:
    """A connection to one server. Raises `Unreachable` and the `OrchestraError` that fits the answer's code."""

    def __init__(self, url: str | None = None, *, timeout: float = 30.0) -> None:
        self.address = server_address(url)
        self._http = httpx.Client(
            base_url=self.address,
            timeout=httpx.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout)),
            # A proxy of the environment cannot reach this machine's own loopback.
            trust_env=not _is_loopback(self.address),
            headers={"Accept": "application/json", "User-Agent": "orchestra-client"},
        )

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer with its whole body; a code from 400 on is raised. `options` are httpx's."""
        with self._translated():
            response = self._http.request(method, path, **options)
            _raise_for(response, where=self.address)
            return response

    def json(self, method: str, path: str, **options: Any) -> Any:
        """The decoded JSON of the answer; None if it has no body."""
        response = self.request(method, path, **options)
        if response.status_code == httpx.codes.NO_CONTENT or not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            raise ServerFault(f"{self.address}{path} did not answer with JSON.", status=response.status_code) from None

    @contextmanager
    def stream(self, path: str, *, params: Mapping[str, Any] | None = None) -> Iterator[httpx.Response]:
        """An answer whose body is read piece by piece inside of the `with`."""
        with self._translated(), self._http.stream("GET", path, params=dict(params or {})) as response:
            if response.status_code >= httpx.codes.BAD_REQUEST:
                response.read()
            _raise_for(response, where=self.address)
            yield response

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OrchestraError:
            raise
        except httpx.ConnectError as error:
            raise Unreachable(
                f"No Orchestra answers at {self.address} ({error}). Is `script/server` running there? "
                "Another address is given with --server or ORCHESTRA_SERVER."
            ) from error
        except httpx.TimeoutException as error:
            raise Unreachable(f"{self.address} did not answer in time ({type(error).__name__}).") from error
        except httpx.HTTPError as error:
            raise Unreachable(f"The connection to {self.address} broke ({error or type(error).__name__}).") from error


def _raise_for(response: httpx.Response, *, where: str) -> None:
    if response.status_code < httpx.codes.BAD_REQUEST:
        return
    try:
        body = response.json()
    except ValueError:
        body = None
    raise from_answer(response.status_code, body, where=where)
