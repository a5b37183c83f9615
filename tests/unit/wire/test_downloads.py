"""Files over HTTP: whole, in part, or not at all if the client has them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.http import HttpResponseBase, StreamingHttpResponse
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from app.wire.downloads import serve
from app.wire.errors import Refusal

CONTENT = bytes(range(100))


def fetch(content: bytes = CONTENT, *, chunk: int = 7, method: str = "GET", **headers: str) -> HttpResponseBase:
    def opening() -> tuple[Iterator[bytes], int, str, str]:
        pieces = (content[at : at + chunk] for at in range(0, len(content), chunk))
        return pieces, len(content), "text/plain", "évents.txt"

    request = RequestFactory().generic(method, "/", headers=headers)
    return serve(request, etag="abc", opening=opening)


def body(response: HttpResponseBase) -> bytes:
    assert isinstance(response, StreamingHttpResponse)
    return b"".join(response)  # type: ignore[arg-type]


def test_a_file_comes_whole_with_its_name_and_tag() -> None:
    response = fetch()
    assert response.status_code == 200
    assert body(response) == CONTENT
    assert response["Content-Length"] == "100"
    assert response["ETag"] == '"abc"'
    assert "attachment" in response["Content-Disposition"]
    assert "%C3%A9vents.txt" in response["Content-Disposition"]


def test_a_browser_never_runs_what_a_module_wrote() -> None:
    response = fetch()
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]


def test_an_unchanged_file_is_not_sent_again() -> None:
    assert fetch(**{"If-None-Match": '"abc"'}).status_code == 304
    assert fetch(**{"If-None-Match": '"other"'}).status_code == 200


@given(st.binary(max_size=60), st.integers(0, 70), st.integers(0, 70), st.integers(1, 20))
def test_a_range_is_the_same_part_of_the_file_however_it_is_cut(
    content: bytes, first: int, last: int, chunk: int
) -> None:
    header = {"Range": f"bytes={first}-{last}"}
    if last < first:
        assert body(fetch(content, chunk=chunk, **header)) == content
    elif first >= len(content):
        with pytest.raises(Refusal) as refusal:
            fetch(content, chunk=chunk, **header)
        assert refusal.value.status == 416
        assert refusal.value.headers["Content-Range"] == f"bytes */{len(content)}"
    else:
        response = fetch(content, chunk=chunk, **header)
        part = content[first : last + 1]
        assert response.status_code == 206
        assert body(response) == part
        assert response["Content-Length"] == str(len(part))
        assert response["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(content)}"


def test_an_open_end_and_a_tail_are_ranges_too() -> None:
    assert body(fetch(Range="bytes=90-")) == CONTENT[90:]
    assert body(fetch(Range="bytes=-10")) == CONTENT[-10:]
    assert body(fetch(Range="bytes=-1000")) == CONTENT


@pytest.mark.parametrize("header", ["bytes=-", "bytes=a-b", "lines=1-2", "bytes=1-2,4-5", "bytes=٣-٤"])
def test_what_is_no_single_range_gets_all(header: str) -> None:
    response = fetch(Range=header)
    assert response.status_code == 200
    assert body(response) == CONTENT


def test_a_range_of_another_state_of_the_file_gets_all() -> None:
    assert fetch(Range="bytes=1-2", **{"If-Range": '"other"'}).status_code == 200
    assert fetch(Range="bytes=1-2", **{"If-Range": '"abc"'}).status_code == 206


def test_head_tells_the_size_and_sends_nothing() -> None:
    response = fetch(method="HEAD")
    assert response["Content-Length"] == "100"
    assert not response.streaming
