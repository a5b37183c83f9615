"""Serving files that modules made: never trusted by the browser, resumable, and not sent again if unchanged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header

from app.wire.errors import Refusal

RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII)
# A module's file may be a page with scripts: it must never run with this server's origin.
UNTRUSTED = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}

Opened = tuple[Iterable[bytes], int | None, str, str]


def serve(request: HttpRequest, *, etag: str, opening: Callable[[], Opened]) -> HttpResponseBase:
    """A file as an attachment, with ETag and, where its size is known, one Range.

    `opening` gives the bytes, the size in bytes or None, the media type and the file's name; it is not called if the
    client has the file already (304). Raises `Refusal` 416.
    """
    quoted = f'"{etag}"'
    if (unchanged := get_conditional_response(request, etag=quoted)) is not None:
        return unchanged
    chunks, size, media_type, filename = opening()
    headers = {
        **UNTRUSTED,
        "ETag": quoted,
        "Cache-Control": "private, no-cache",
        "Content-Disposition": content_disposition_header(True, filename) or "attachment",
    }
    status = 200
    if size is not None:
        headers |= {"Accept-Ranges": "bytes", "Content-Length": str(size)}
        if (part := _part(request, size=size, etag=quoted)) is not None:
            first, last = part
            headers |= {"Content-Range": f"bytes {first}-{last}/{size}", "Content-Length": str(last - first + 1)}
            chunks, status = _cut(chunks, first=first, length=last - first + 1), 206
    if request.method == "HEAD":
        _close(chunks)
        return HttpResponse(status=status, headers=headers, content_type=media_type)
    return StreamingHttpResponse(chunks, status=status, headers=headers, content_type=media_type)


def serve_zip(request: HttpRequest, *, filename: str, opening: Callable[[], Iterable[bytes]]) -> HttpResponseBase:
    """An archive that is made while it is sent."""
    headers = {**UNTRUSTED, "Content-Disposition": content_disposition_header(True, filename) or "attachment"}
    if request.method == "HEAD":
        return HttpResponse(headers=headers, content_type="application/zip")
    return StreamingHttpResponse(opening(), headers=headers, content_type="application/zip")


def _part(request: HttpRequest, *, size: int, etag: str) -> tuple[int, int] | None:
    """First and last byte of the Range asked for; None to send all (also for what is no single range of bytes)."""
    match = RANGE.fullmatch(request.headers.get("Range", ""))
    if match is None or match[0] == "bytes=-" or request.headers.get("If-Range", etag) != etag:
        return None
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
        if match[2] and int(match[2]) < first:
            return None
    else:
        first, last = max(0, size - int(match[2])), size - 1
    if first > last:
        raise Refusal(416, f"The file has {size} bytes only.", headers={"Content-Range": f"bytes */{size}"})
    return first, last


def _cut(chunks: Iterable[bytes], *, first: int, length: int) -> Iterator[bytes]:
    position, end = 0, first + length
    try:
        for chunk in chunks:
            wanted = chunk[max(0, first - position) : end - position]
            position += len(chunk)
            if wanted:
                yield wanted
            if position >= end:
                return
    finally:
        _close(chunks)


def _close(chunks: Iterable[bytes]) -> None:
    if (close := getattr(chunks, "close", None)) is not None:
        close()
