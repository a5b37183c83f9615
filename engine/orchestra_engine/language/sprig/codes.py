"""sprig's sums, encodings, JSON, paths and URLs: https://masterminds.github.io/sprig/."""

from __future__ import annotations

import base64
import hashlib
import posixpath
import zlib
from collections.abc import Callable
from typing import Any

from orchestra_engine.language import LanguageError, gojson
from orchestra_engine.language.expr.texts import decoded64, pretty_json
from orchestra_engine.language.gotext import as_latin, of_bytes, to_bytes
from orchestra_engine.language.gourl import join_url, parse_url
from orchestra_engine.language.values import type_name

MUST = frozenset(("toJson", "toPrettyJson", "toRawJson"))


_BASE32 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_B32_FAULT = "illegal base32 data at input byte {}"


def _sum(name: str) -> Callable[[str], str]:
    return lambda text: hashlib.new(name, to_bytes(text), usedforsecurity=False).hexdigest()


def _b64dec(text: str) -> str:
    try:
        return decoded64(text)
    except LanguageError as error:
        return str(error)


def _b32dec(text: str) -> str:
    """Standard base32, or Go's message with the offset of what is wrong."""
    raw = as_latin(text.replace("\r", "").replace("\n", ""))
    for begin in range(0, len(raw), 8):
        piece, rest = raw[begin : begin + 8], raw[begin + 8 :]
        for j, c in enumerate(piece):
            left = len(raw) - begin - j - 1
            if c == "=" and j >= 2 and left < 8:
                return _b32_end(raw, begin, j)
            if c not in _BASE32:
                return _B32_FAULT.format(begin + j)
        if len(piece) < 8:
            return _B32_FAULT.format(begin)
        if not rest:
            break
    return of_bytes(base64.b32decode(raw))


def _b32_end(raw: str, begin: int, at: int) -> str:
    """The text of base32 whose padding begins at a place of its last eight characters."""
    after = raw[begin + at + 1 :]
    if len(after) + at < 7:
        return _B32_FAULT.format(len(raw))
    wrong = next((k for k in range(7 - at) if k < len(after) and after[k] != "="), None)
    if wrong is not None:
        return _B32_FAULT.format(len(raw) - len(after) + wrong - 1)
    if at in (1, 3, 6):
        return _B32_FAULT.format(begin + at)
    return of_bytes(base64.b32decode(raw[: begin + at].ljust(begin + 8, "=")))


def _from_json(text: str) -> Any:
    try:
        return gojson.loads(text, floats=True)
    except LanguageError:
        return None


def _quiet(write: Callable[[Any], str]) -> Callable[[Any], str]:
    def call(value: Any) -> str:
        try:
            return write(value)
        except LanguageError:
            return ""

    return call


def _clean(path: str) -> str:
    """Go's path.Clean."""
    cleaned = posixpath.normpath(path) if path else "."
    return "/" + cleaned.lstrip("/") if cleaned.startswith("//") else cleaned


def _base(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2] or "/" if path else "."


def _dir(path: str) -> str:
    return _clean(path[: path.rfind("/") + 1])


def _ext(path: str) -> str:
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name else ""


def _fail(message: str) -> Any:
    raise LanguageError(message)


def _derive(*_arguments: Any) -> str:
    # An expression has no value of Go's uint32, so Argo cannot call it either.
    raise LanguageError(f"reflect: Call using {type_name(_arguments[0])} as type uint32")


_PATHS: dict[str, tuple[str, Callable[..., Any]]] = {
    "base": ("string > string", _base),
    "clean": ("string > string", _clean),
    "dir": ("string > string", _dir),
    "ext": ("string > string", _ext),
    "isAbs": ("string > bool", lambda path: path.startswith("/")),
}
FUNCTIONS: dict[str, tuple[str, Callable[..., Any]]] = {
    **_PATHS,
    **{"os" + name[0].upper() + name[1:]: function for name, function in _PATHS.items()},
    "adler32sum": ("string > string", lambda text: str(zlib.adler32(to_bytes(text)))),
    "b32dec": ("string > string", _b32dec),
    "b32enc": ("string > string", lambda text: base64.b32encode(to_bytes(text)).decode()),
    "b64dec": ("string > string", _b64dec),
    "b64enc": ("string > string", lambda text: base64.b64encode(to_bytes(text)).decode()),
    "derivePassword": ("any string string string string > string", _derive),
    "fail": ("string > string error", _fail),
    "fromJson": ("string > any", _from_json),
    "mustFromJson": ("string > any error", lambda text: gojson.loads(text, floats=True)),
    "mustToJson": ("any > string error", gojson.dumps),
    "mustToPrettyJson": ("any > string error", pretty_json),
    "sha1sum": ("string > string", _sum("sha1")),
    "sha256sum": ("string > string", _sum("sha256")),
    "sha512sum": ("string > string", _sum("sha512")),
    "toJson": ("any > string", _quiet(gojson.dumps)),
    "toPrettyJson": ("any > string", _quiet(pretty_json)),
    "toRawJson": ("any > string", lambda value: gojson.dumps(value, html=False)),
    "urlJoin": ("dict > string", join_url),
    "urlParse": ("string > dict", parse_url),
}
