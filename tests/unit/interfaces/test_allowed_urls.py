"""What `GET /build?url=` takes: addresses below the operator's prefixes, compared part by part."""

from __future__ import annotations

import pytest

from app.interfaces.orchestra.sources import allowed

PREFIXES = ["https://good.example/team/", "ssh://git@good.example:2222/team", "file:///srv/modules", "/srv/modules"]


@pytest.mark.parametrize(
    "url",
    [
        "https://good.example/team/module.git",
        "https://GOOD.example/team/module.git",
        "https://good.example:443/team/module.git",
        "https://good.example/team/",
        "https://good.example/team",
        "ssh://git@good.example:2222/team/module.git",
        "file:///srv/modules/storms",
        "/srv/modules/storms",
    ],
)
def test_an_address_below_a_prefix_is_taken(url: str) -> None:
    assert allowed(url, PREFIXES)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "module",
        "https://good.example",
        "https://good.example/teammate/module.git",
        "https://good.example.evil.org/team/module.git",
        "https://evil.org/https://good.example/team/module.git",
        "https://good.example@evil.org/team/module.git",
        "https://good.example:8443/team/module.git",
        "https://user@good.example/team/module.git",
        "https://good.example:port/team/module.git",
        "https://good.example/team/../other/module.git",
        "https://good.example/team/%2e%2e/other/module.git",
        "https://good.example/team/..;/other/module.git",
        "https://good.example/team/\u2024\u2024/other/module.git",
        "https://good.example/team\\..\\other",
        "https://good.example/team/module.git?x=1",
        "https://good.example/team/module.git#x",
        "https://good.example/team/mod\nule.git",
        "http://good.example/team/module.git",
        "ext::sh -c id% https://good.example/team/",
        "git@good.example:team/module.git",
        "ssh://other@good.example:2222/team/module.git",
        "ssh://git@good.example/team/module.git",
        "file:///srv/modules-of-others/x",
        "file://evil.org/srv/modules/x",
        "/srv/modules/../secrets",
        "//evil.org/srv/modules/x",
        "https://[good.example/team/x",
    ],
)
def test_an_address_that_only_looks_like_it_is_not(url: str) -> None:
    assert not allowed(url, PREFIXES)


def test_without_prefixes_nothing_is_taken() -> None:
    assert not allowed("https://good.example/team/module.git", [])


def test_a_prefix_of_only_a_host_takes_all_of_it() -> None:
    assert allowed("https://good.example/any/module.git", ["https://good.example"])
    assert not allowed("https://good.example.org/any/module.git", ["https://good.example"])
