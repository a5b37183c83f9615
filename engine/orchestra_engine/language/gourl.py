"""URLs as Go's net/url reads and writes them (https://pkg.go.dev/net/url), for sprig's urlParse and urlJoin."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from orchestra_engine.language import LanguageError
from orchestra_engine.language.gotext import go_quoted, of_bytes, to_bytes
from orchestra_engine.language.values import kind_name

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_ESCAPE = re.compile(r"%(?:[0-9A-Fa-f]{2})?")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_PATH, _FRAGMENT, _USER = "$&+,/:;=@", "$&+,/:;=?@!()*", "$&+,;="


def _escaped(text: str, kept: str) -> str:
    allowed = _UNRESERVED | set(kept)
    return "".join(chr(b) if chr(b) in allowed else f"%{b:02X}" for b in to_bytes(text))


def _unescaped(text: str, url: str) -> str:
    for found in _ESCAPE.finditer(text):
        if len(found[0]) < 3:
            raise _refused(url, f"invalid URL escape {go_quoted(text[found.start() : found.start() + 3])}")
    return of_bytes(unquote_to_bytes(to_bytes(text)))


def _refused(url: str, reason: str) -> LanguageError:
    return LanguageError(f"unable to parse url: parse {go_quoted(url)}: {reason}")


def _host(authority: str, url: str) -> tuple[str, str]:
    """The host with its port, and the host alone."""
    if authority.startswith("["):
        inner, closed, port = authority[1:].rpartition("]")
        if not closed:
            raise _refused(url, "missing ']' in host")
        name = inner
    else:
        name, colon, digits = authority.partition(":")
        port = colon + digits
    if port and not re.fullmatch(r":[0-9]*", port):
        shown = port if authority.startswith("[") else authority[authority.rfind(":") :]
        raise _refused(url, f"invalid port {go_quoted(shown)} after host")
    if any(c in ' <>"' for c in authority):
        wrong = next(c for c in authority if c in ' <>"')
        raise _refused(url, f"invalid character {go_quoted(wrong)} in host name")
    return _unescaped(authority, url), _unescaped(name, url)


def parse_url(url: str) -> dict[str, Any]:
    """The parts of a URL, as sprig's urlParse names them.

    Raises LanguageError with Go's message.
    """
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in url):
        raise _refused(url, "net/url: invalid control character in URL")
    rest, _, fragment = url.partition("#")
    parts: dict[str, Any] = dict.fromkeys(("scheme", "host", "hostname", "path", "query", "opaque", "userinfo"), "")
    parts["fragment"] = _unescaped(fragment, url)
    if rest == "*":
        return parts | {"path": "*"}
    if found := _SCHEME.match(rest):
        parts["scheme"], rest = found[1].lower(), rest[found.end() :]
    elif rest.startswith(":"):
        raise _refused(url, "missing protocol scheme")
    rest, _, parts["query"] = rest.partition("?")
    if parts["scheme"] and not rest.startswith("/"):
        return parts | {"opaque": rest}
    if not rest.startswith("/") and ":" in rest.partition("/")[0]:
        raise _refused(url, "first path segment in URL cannot contain colon")
    if rest.startswith("//") and (parts["scheme"] or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        user, at, host = authority.rpartition("@")
        parts["host"], parts["hostname"] = _host(host, url)
        parts["userinfo"] = _userinfo(user, url) if at else ""
        rest = slash + path
    parts["path"] = _unescaped(rest, url)
    return parts


def _userinfo(user: str, url: str) -> str:
    if re.search(r"[^A-Za-z0-9\-._:~!$&'()*+,;=%@]", user):
        raise _refused(url, "net/url: invalid userinfo")
    name, colon, password = user.partition(":")
    return _escaped(_unescaped(name, url), _USER) + colon + _escaped(_unescaped(password, url), _USER)


def join_url(parts: dict[str, Any] | None) -> str:
    """A URL of its parts, as sprig's urlJoin makes it.

    Raises LanguageError for a part that is no text.
    """
    given: dict[str, str] = {}
    for name in ("scheme", "host", "path", "query", "opaque", "fragment", "userinfo"):
        value = (parts or {}).get(name, "")
        if not isinstance(value, str):
            kind = kind_name(value)
            raise LanguageError(f"unable to parse {name} key, must be of type string, but {kind} found")
        given[name] = value
    text = given["scheme"] + ":" if given["scheme"] else ""
    if given["opaque"]:
        text += given["opaque"]
    else:
        text += _hierarchy(given)
    text += f"?{given['query']}" if given["query"] else ""
    return text + (f"#{_escaped(given['fragment'], _FRAGMENT)}" if given["fragment"] else "")


def _hierarchy(given: dict[str, str]) -> str:
    path = "*" if given["path"] == "*" else _escaped(given["path"], _PATH)
    host, user = given["host"], given["userinfo"]
    user = _userinfo(user, f"proto://{user}@host") if user else ""
    text = ""
    if given["scheme"] or host or user:
        if host or path or user:
            text = "//"
        if user:
            text += user + "@"
        text += _escaped(host, "!$&'()*+,;=:[]<>\"")
    if path and not path.startswith("/") and host:
        text += "/"
    if not text and not given["scheme"] and ":" in path.partition("/")[0]:
        text += "./"
    return text + path
