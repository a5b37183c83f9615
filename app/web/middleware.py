"""Who is let in, until there are accounts: callers of this machine, and no web page of somebody else."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponseBase

from app.wire.errors import Refusal, respond

PROXY_HEADERS = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP")
PROXY_PREFIX = "HTTP_X_FORWARDED"
SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
OWN_SITES = ("same-origin", "none")  # `none`: the person typed the address
PREFETCH = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_MOZ", "HTTP_X_PURPOSE")

Next = Callable[[HttpRequest], HttpResponseBase]


class LoopbackOnly:
    """Serve callers of this machine only, and none that came through a proxy (which is no caller of this machine)."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if reason := self._refused(request):
            return respond(Refusal(403, reason))
        return self.get_response(request)

    def _refused(self, request: HttpRequest) -> str:
        for name in request.META:
            if name in PROXY_HEADERS or name.startswith(PROXY_PREFIX):
                header = name.removeprefix("HTTP_").replace("_", "-").title()
                return f"Requests through a proxy are not served until there are accounts (header {header})."
        # A Unix socket has no peer address: it is what proxies connect to, and proves nothing about the caller.
        address = request.META.get("REMOTE_ADDR", "")
        if not _loopback(address):
            return (
                f"Only callers on this machine are served until there are accounts, not {address or 'a Unix socket'}."
            )
        return ""


class SameOrigin:
    """Keep a web page that the user happens to open from changing anything.

    What changes something (unsafe methods, and views with the mark `changes` for any method) is refused if the browser
    says that another origin asks: `Sec-Fetch-Site`, else `Origin`, else `Referer`. Programs send none of them.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # A rebound name is refused before anything is done, also for files and paths that lead nowhere.
        request.get_host()
        if "\x00" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            return respond(Refusal(400, "The address holds a NUL character."))
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        if request.method in SAFE and not getattr(view, "changes", False):
            return None
        if reason := _foreign(request):
            return respond(Refusal(403, f"This would change something, and {reason}; it was not done."))
        return None


def _foreign(request: HttpRequest) -> str:
    """Why another origin's page seems to ask; empty if none does."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in OWN_SITES:
        return f"a page of another site asks for it (Sec-Fetch-Site: {site[:80]})"
    for name in ("Origin", "Referer"):
        value = request.headers.get(name)
        if value is not None:
            if not _own(request, value):
                return f"a page of another origin asks for it ({name}: {value[:80]})"
            break
    if any("prefetch" in request.META.get(name, "") for name in PREFETCH):
        return "the browser only fetches ahead"
    return ""


def _own(request: HttpRequest, address: str) -> bool:
    """Whether an Origin or Referer is of the origin that the request was sent to; `null` and nonsense are not."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return (parts.scheme, parts.netloc.lower()) == (request.scheme, request.get_host().lower())


def _loopback(address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped.is_loopback
    return parsed.is_loopback
