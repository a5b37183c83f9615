"""The client and the `orchestra` command in this process, with this process for a server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import httpx
import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from orchestra.command import app
from orchestra.endings import guarded

SERVER = "http://127.0.0.1:8000"
Command = Callable[..., tuple[int, str, str]]  # from words to the exit code, standard output and standard error


@pytest.fixture
def served(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks a server over HTTP asks this process, in the test's own transaction."""
    for signal in (request_started, request_finished):  # each request would end the transaction
        monkeypatch.setattr(signal, "receivers", [])
        monkeypatch.setattr(signal, "sender_receivers_cache", {})
    transport = httpx.WSGITransport(app=get_wsgi_application())
    monkeypatch.setattr("httpx.Client", partial(httpx.Client, transport=transport))
    monkeypatch.setenv("ORCHESTRA_SERVER", SERVER)


@pytest.fixture
def orchestra(served: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The `orchestra` command."""

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["orchestra", *words])
        code = guarded(app)
        out, err = capsys.readouterr()
        return code, out, err

    return call
