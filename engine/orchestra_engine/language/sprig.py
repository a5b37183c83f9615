"""The pure functions of sprig (https://masterminds.github.io/sprig/): no clock, no randomness, no network, no keys."""

from __future__ import annotations

import base64
import hashlib
import math
import posixpath
import re
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from orchestra_engine.language import LanguageError, gojson, regex
from orchestra_engine.language.expression_builtins import go_text, type_name

_MAX = 4 * 2**20


def _s(value: Any) -> str:
    if not isinstance(value, str):
        raise LanguageError(f"cannot use {type_name(value)} as a string")
    return value


def text_of(value: Any) -> str:
    """sprig's toString."""
    return "" if value is None else go_text(value)


def int64(value: Any) -> int:
    """sprig's toInt64: what is no number is 0."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return int(value) if math.isfinite(value) else 0
    try:
        return int(value, 0) if isinstance(value, str) and not value.startswith("0o") else 0
    except ValueError:
        return int64_float(value)


def int64_float(text: str) -> int:
    """The whole part of a text that is a decimal number, else 0."""
    try:
        number = float(text)
        return int(number) if math.isfinite(number) else 0
    except ValueError:
        return 0


def float64(value: Any) -> float:
    """sprig's toFloat64: what is no number is 0."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _room(length: int) -> None:
    """Refuses a text before it is built."""
    if length > _MAX:
        raise LanguageError("memory budget exceeded")


def _repeat(count: int, text: str) -> str:
    _room(max(count, 0) * len(_s(text)))
    return text * max(count, 0)


def _replace(old: str, new: str, text: str) -> str:
    if not old:
        return text
    _room(len(_s(text)) + text.count(old) * (len(_s(new)) - len(old)))
    return text.replace(old, new)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise LanguageError(f"cannot use {type_name(value)} as a list")
    return value


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LanguageError(f"cannot use {type_name(value)} as a dict")
    return value


def _empty(value: Any) -> bool:
    return value is None or value is False or value in ("", 0) or (isinstance(value, list | dict) and not value)


def _div(a: Any, b: Any) -> int:
    divisor = int64(b)
    if divisor == 0:
        raise LanguageError("integer divide by zero")
    quotient = abs(int64(a)) // abs(divisor)
    return quotient if (int64(a) < 0) == (divisor < 0) else -quotient


def _mod(a: Any, b: Any) -> int:
    return int64(a) - int64(b) * _div(a, b)


def _mul(*values: Any) -> int:
    return (math.prod(int64(v) for v in values[:100]) + 2**63) % 2**64 - 2**63


def _until(*bounds: int) -> list[int]:
    start, stop, step = (0, bounds[0], 1 if bounds[0] >= 0 else -1) if len(bounds) == 1 else (*bounds, 1)[:3]
    if step == 0:
        return []
    numbers = range(start, stop, step)
    if len(numbers) > 100_000:
        raise LanguageError("memory budget exceeded")
    return list(numbers)


def _seq(*bounds: int) -> str:
    start, stop, step = {1: (1, bounds[0], 1), 2: (bounds[0], bounds[1], 1)}.get(len(bounds), (0, 0, 1))
    if len(bounds) == 3:
        start, step, stop = bounds
    step = step if len(bounds) == 3 else (1 if stop >= start else -1)
    return " ".join(map(str, _until(start, stop + (1 if step > 0 else -1), step)))


def _words(text: str) -> list[str]:
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", _s(text)))
    return [word for word in re.split(r"[\s_\-.]+", split) if word]


def _substr(start: int, end: int, text: str) -> str:
    if start < 0:
        return text[:end]
    return text[start:] if end < 0 or end > len(text) else text[start:end]


def _trunc(count: int, text: str) -> str:
    if count < 0:
        return text[count:] if len(text) + count > 0 else text
    return text[:count]


def _abbrev(width: int, text: str) -> str:
    return text if width < 4 or len(text) <= width else text[: width - 3] + "..."


def _wrap(width: int, text: str, glue: str = "\n") -> str:
    import textwrap

    return _join(glue, textwrap.wrap(_s(text), max(width, 1), break_long_words=False)) if text else ""


def _indent(blanks: int, text: str) -> str:
    pad = " " * min(max(blanks, 0), 1000)
    return pad + _replace("\n", "\n" + pad, _s(text))


def _split(separator: str, text: str, count: int = -1) -> dict[str, str]:
    parts = _s(text).split(separator, count - 1 if count > 0 else -1) if separator else list(text)
    return {f"_{i}": part for i, part in enumerate(parts)}


def _join(glue: str, items: Any) -> str:
    texts = [text_of(item) for item in (items if isinstance(items, list) else [items]) if item is not None]
    _room(sum(map(len, texts)) + len(_s(glue)) * len(texts))
    return glue.join(texts)


def _merge(target: dict[str, Any], *sources: dict[str, Any], over: bool = False) -> dict[str, Any]:
    merged = dict(_dict(target))
    for source in sources:
        for key, value in _dict(source).items():
            if isinstance(merged.get(key), dict) and isinstance(value, dict):
                merged[key] = _merge(merged[key], value, over=over)
            elif over or _empty(merged.get(key)):
                merged[key] = value
    return merged


def _dig(*arguments: Any) -> Any:
    *keys, default, found = arguments
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            return default
        found = found[key]
    return found


def _uniq(items: Any) -> list[Any]:
    seen: dict[str, Any] = {}
    for item in _list(items):
        seen.setdefault(gojson.dumps(item), item)
    return list(seen.values())


def _without(items: Any, *unwanted: Any) -> list[Any]:
    refused = {gojson.dumps(item) for item in unwanted}
    return [item for item in _list(items) if gojson.dumps(item) not in refused]


def _chunk(size: int, items: Any) -> list[list[Any]]:
    if size < 1:
        raise LanguageError("chunk needs a size of at least 1")
    return [items[i : i + size] for i in range(0, len(_list(items)), size)]


def _slice(items: Any, *bounds: int) -> list[Any]:
    return _list(items)[slice(*bounds)] if len(bounds) > 1 else _list(items)[(bounds or (0,))[0] :]


def _from_json(text: str) -> Any:
    try:
        return gojson.loads(text)
    except LanguageError:
        return None


def _pretty(value: Any) -> str:
    from orchestra_engine.language.expression_builtins import BUILTINS

    return str(BUILTINS["toJSON"](value))


def _find_all(pattern: str, text: str, count: int) -> list[str]:
    found = [match[0] for match in regex.find_all(_s(pattern), _s(text))]
    return found if count < 0 else found[:count]


def _substituted(pattern: str, text: str, fill: Callable[[regex.Match], str]) -> str:
    made = len(_s(text))

    def filled(match: regex.Match) -> str:
        nonlocal made
        piece = fill(match)
        made += len(piece)
        _room(made)
        return piece

    return regex.replace(_s(pattern), text, filled)


def _replace_all(pattern: str, text: str, replacement: str) -> str:
    def fill(match: regex.Match) -> str:
        def group(reference: re.Match[str]) -> str:
            if reference[0] == "$$":
                return "$"
            name = reference[1] or reference[2]
            return match[int(name) if name.isdigit() else name]

        return re.sub(r"\$\$|\$\{(\w+)\}|\$(\w+)", group, replacement)

    return _substituted(pattern, text, fill)


def _literally(pattern: str, text: str, replacement: str) -> str:
    return _substituted(pattern, text, lambda _match: replacement)


def _regex_split(pattern: str, text: str, count: int) -> list[str]:
    return regex.split(_s(pattern), _s(text), count)


def _b64dec(text: str) -> str:
    try:
        return base64.b64decode(_s(text), validate=True).decode("utf-8", "replace")
    except ValueError as error:
        return str(error)


def _b32dec(text: str) -> str:
    try:
        return base64.b32decode(_s(text)).decode("utf-8", "replace")
    except ValueError as error:
        return str(error)


def _round(value: Any, places: int, on: float = 0.5) -> float:
    power = 10.0 ** min(max(places, -300), 300)
    scaled = float64(value) * power
    whole = math.floor(scaled)
    return (whole + 1 if scaled - whole >= on else whole) / power


def _decimal(operation: Callable[[float, float], float]) -> Callable[..., float]:
    def call(first: Any, *rest: Any) -> float:
        total = float64(first)
        for value in rest:
            total = operation(total, float64(value))
        return float(repr(round(total, 12)))

    return call


def _divide(a: float, b: float) -> float:
    if b == 0:
        raise LanguageError("decimal division by 0")
    return a / b


def _url(text: str) -> dict[str, Any]:
    parts = urlsplit(_s(text))
    user = parts.netloc.rpartition("@")[0]
    return {
        "scheme": parts.scheme,
        "host": parts.netloc.rpartition("@")[2],
        "hostname": parts.hostname or "",
        "path": parts.path,
        "query": parts.query,
        "opaque": "",
        "fragment": parts.fragment,
        "userinfo": user,
    }


def _fail(message: str) -> Any:
    raise LanguageError(message)


def _kind(value: Any) -> str:
    names = {"<nil>": "invalid", "[]interface {}": "slice", "map[string]interface {}": "map"}
    return names.get(type_name(value), type_name(value))


def _semver(text: str) -> dict[str, Any]:
    found = re.fullmatch(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([\w.-]+))?(?:\+([\w.-]+))?", _s(text))
    if found is None:
        raise LanguageError("Invalid Semantic Version")
    major, minor, patch = (int(part or 0) for part in found.groups()[:3])
    return {
        "Major": major,
        "Minor": minor,
        "Patch": patch,
        "Prerelease": found[4] or "",
        "Metadata": found[5] or "",
        "Original": text,
    }


def _titled(text: str) -> str:
    return re.sub(r"(^|\s)(\w)", lambda m: m[1] + m[2].upper(), _s(text))


def _untitled(text: str) -> str:
    return re.sub(r"(^|\s)(\w)", lambda m: m[1] + m[2].lower(), _s(text))


def _pairs(*items: Any) -> dict[str, Any]:
    return {text_of(items[i]): items[i + 1] if i + 1 < len(items) else "" for i in range(0, len(items), 2)}


def _hash(name: str) -> Callable[[str], str]:
    return lambda text: hashlib.new(name, _s(text).encode(), usedforsecurity=False).hexdigest()


_TEXT: dict[str, Callable[..., Any]] = {
    "abbrev": _abbrev,
    "trunc": _trunc,
    "trim": lambda v: _s(v).strip(),
    "upper": lambda v: _s(v).upper(),
    "lower": lambda v: _s(v).lower(),
    "title": _titled,
    "untitle": _untitled,
    "substr": _substr,
    "repeat": _repeat,
    "trimAll": lambda a, b: _s(b).strip(a),
    "trimall": lambda a, b: _s(b).strip(a),
    "trimSuffix": lambda a, b: _s(b).removesuffix(a),
    "trimPrefix": lambda a, b: _s(b).removeprefix(a),
    "nospace": lambda v: "".join(_s(v).split()),
    "initials": lambda v: "".join(word[0] for word in _s(v).split()),
    "swapcase": lambda v: _s(v).swapcase(),
    "snakecase": lambda v: "_".join(_words(v)).lower(),
    "camelcase": lambda v: "".join(word[:1].upper() + word[1:] for word in _words(v)),
    "kebabcase": lambda v: "-".join(_words(v)).lower(),
    "wrap": _wrap,
    "wrapWith": lambda width, glue, v: _wrap(width, v, glue),
    "contains": lambda a, b: a in _s(b),
    "hasPrefix": lambda a, b: _s(b).startswith(a),
    "hasSuffix": lambda a, b: _s(b).endswith(a),
    "quote": lambda *v: " ".join(gojson.quote(text_of(x)) for x in v if x is not None),
    "squote": lambda *v: " ".join(f"'{text_of(x)}'" for x in v if x is not None),
    "cat": lambda *v: " ".join(text_of(x) for x in v if x is not None),
    "indent": _indent,
    "nindent": lambda n, v: "\n" + _indent(n, v),
    "replace": _replace,
    "plural": lambda one, many, count: one if count == 1 else many,
    "sha1sum": _hash("sha1"),
    "sha256sum": _hash("sha256"),
    "sha512sum": _hash("sha512"),
    "adler32sum": lambda v: str(zlib.adler32(_s(v).encode())),
    "toString": text_of,
    "split": _split,
    "splitn": lambda sep, n, v: _split(sep, v, n),
    "splitList": lambda sep, v: _s(v).split(sep) if sep else list(v),
    "toStrings": lambda v: [text_of(x) for x in _list(v) if x is not None],
    "join": _join,
    "sortAlpha": lambda v: sorted(text_of(x) for x in _list(v)),
    "b64enc": lambda v: base64.b64encode(_s(v).encode()).decode(),
    "b64dec": _b64dec,
    "b32enc": lambda v: base64.b32encode(_s(v).encode()).decode(),
    "b32dec": _b32dec,
    "regexMatch": lambda p, v: regex.search(_s(p), _s(v)) is not None,
    "regexFind": lambda p, v: found[0] if (found := regex.search(_s(p), _s(v))) else "",
    "regexFindAll": _find_all,
    "regexReplaceAll": _replace_all,
    "regexReplaceAllLiteral": _literally,
    "regexSplit": _regex_split,
    "regexQuoteMeta": lambda v: re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", _s(v)),
    "urlParse": _url,
    "base": lambda v: posixpath.basename(_s(v).rstrip("/")) or ("/" if v else "."),
    "dir": lambda v: posixpath.normpath(posixpath.dirname(_s(v)) or "."),
    "clean": lambda v: posixpath.normpath(_s(v) or "."),
    "ext": lambda v: "." + _s(v).rpartition(".")[2] if "." in posixpath.basename(v) else "",
    "isAbs": lambda v: _s(v).startswith("/"),
    "semver": _semver,
}
_NUMBERS: dict[str, Callable[..., Any]] = {
    "atoi": lambda v: int(v) if re.fullmatch(r"[+-]?\d{1,18}", _s(v)) else 0,
    "int64": int64,
    "int": int64,
    "float64": float64,
    "toDecimal": lambda v: int(v, 8) if re.fullmatch("[0-7]{1,20}", text_of(v)) else 0,
    "seq": _seq,
    "until": _until,
    "untilStep": _until,
    "add1": lambda v: int64(v) + 1,
    "add": lambda *v: sum(int64(x) for x in v),
    "sub": lambda a, b: int64(a) - int64(b),
    "div": _div,
    "mod": _mod,
    "mul": _mul,
    "add1f": _decimal(lambda a, b: a + b + 1),
    "addf": lambda *v: _decimal(lambda a, b: a + b)(0, *v),
    "subf": _decimal(lambda a, b: a - b),
    "divf": _decimal(_divide),
    "mulf": _decimal(lambda a, b: a * b),
    "max": lambda *v: max(int64(x) for x in v),
    "biggest": lambda *v: max(int64(x) for x in v),
    "min": lambda *v: min(int64(x) for x in v),
    "maxf": lambda *v: max(float64(x) for x in v),
    "minf": lambda *v: min(float64(x) for x in v),
    "ceil": lambda v: float(math.ceil(float64(v))),
    "floor": lambda v: float(math.floor(float64(v))),
    "round": _round,
}
_DATA: dict[str, Callable[..., Any]] = {
    "default": lambda d, *v: d if not v or _empty(v[0]) else v[0],
    "empty": _empty,
    "coalesce": lambda *v: next((x for x in v if not _empty(x)), None),
    "all": lambda *v: not any(_empty(x) for x in v),
    "any": lambda *v: any(not _empty(x) for x in v),
    "compact": lambda v: [x for x in _list(v) if not _empty(x)],
    "fromJson": _from_json,
    "toJson": gojson.dumps,
    "toRawJson": lambda v: gojson.dumps(v, html=False),
    "toPrettyJson": _pretty,
    "ternary": lambda yes, no, condition: yes if condition else no,
    "deepCopy": lambda v: gojson.loads(gojson.dumps(v)),
    "typeOf": type_name,
    "typeIs": lambda name, v: type_name(v) == name,
    "typeIsLike": lambda name, v: type_name(v).lstrip("*") == name,
    "kindOf": _kind,
    "kindIs": lambda name, v: _kind(v) == name,
    "deepEqual": lambda a, b: type(a) is type(b) and a == b,
    "tuple": lambda *v: list(v),
    "list": lambda *v: list(v),
    "dict": _pairs,
    "get": lambda d, k: _dict(d).get(k, ""),
    "set": lambda d, k, v: {**_dict(d), k: v},
    "unset": lambda d, k: {x: y for x, y in _dict(d).items() if x != k},
    "hasKey": lambda d, k: k in _dict(d),
    "pluck": lambda k, *ds: [d[k] for d in ds if k in _dict(d)],
    "keys": lambda *ds: [k for d in ds for k in sorted(_dict(d))],
    "pick": lambda d, *ks: {k: d[k] for k in ks if k in _dict(d)},
    "omit": lambda d, *ks: {k: v for k, v in _dict(d).items() if k not in ks},
    "merge": _merge,
    "mergeOverwrite": lambda *ds: _merge(*ds, over=True),
    "values": lambda d: [_dict(d)[k] for k in sorted(d)],
    "append": lambda v, x: [*_list(v), x],
    "push": lambda v, x: [*_list(v), x],
    "prepend": lambda v, x: [x, *_list(v)],
    "first": lambda v: v[0] if _list(v) else None,
    "rest": lambda v: _list(v)[1:],
    "last": lambda v: v[-1] if _list(v) else None,
    "initial": lambda v: _list(v)[:-1],
    "reverse": lambda v: _list(v)[::-1],
    "uniq": _uniq,
    "without": _without,
    "has": lambda x, v: any(type(x) is type(y) and x == y for y in _list(v)),
    "slice": _slice,
    "concat": lambda *v: [x for one in v for x in _list(one)],
    "dig": _dig,
    "chunk": _chunk,
    "fail": _fail,
    "hello": lambda: "Hello!",
}
_MUST = """
    compact deepCopy fromJson toJson toPrettyJson toRawJson merge mergeOverwrite append push prepend first rest
    last initial reverse uniq without has slice chunk regexMatch regexFindAll regexFind regexReplaceAll regexSplit
    regexReplaceAllLiteral
"""

FUNCTIONS: dict[str, Callable[..., Any]] = {**_TEXT, **_NUMBERS, **_DATA}
FUNCTIONS |= {"must" + name[0].upper() + name[1:]: FUNCTIONS[name] for name in _MUST.split()}
FUNCTIONS["mustFromJson"] = gojson.loads

_IMPURE = """
    ago date date_in_zone date_modify dateInZone dateModify duration durationRound htmlDate htmlDateInZone now
    toDate must_date_modify mustDateModify mustToDate unixEpoch randAlphaNum randAlpha randAscii randNumeric
    randInt randBytes shuffle uuidv4 getHostByName bcrypt htpasswd genPrivateKey derivePassword buildCustomCert
    genCA genCAWithKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey encryptAES
    decryptAES
"""
REFUSED = frozenset(_IMPURE.split())
