"""Words in text: sprig's snakecase, kebabcase and camelcase (github.com/huandu/xstrings 1.5)."""

from __future__ import annotations

import unicodedata

from orchestra_engine.language.gotext import go_lower, go_upper


def _connects(c: str) -> bool:
    return c in "-_" or c.isspace()


def _is_upper(c: str) -> bool:
    return unicodedata.category(c) == "Lu"


def _is_letter(c: str) -> bool:
    return unicodedata.category(c).startswith("L")


def _kind(c: str) -> str:
    if _connects(c):
        return "connector"
    category = unicodedata.category(c)
    if category.startswith("P"):
        return "mark"
    if category == "Lu":
        return "upper"
    return "letter" if category.startswith("L") else "number" if category.startswith("N") else "other"


def _word(text: str, at: int) -> tuple[str, int]:
    """The kind of the word that begins there, and where it ends."""
    if at >= len(text):
        return "", at
    kind, end = _kind(text[at]), at + 1
    if kind == "upper":
        if end < len(text) and _is_upper(text[end]):
            while end < len(text) and _is_upper(text[end]):
                end += 1
            # The last capital of "HTTPServer" begins the next word.
            return kind, end - 1 if end < len(text) and _is_letter(text[end]) else end
        kind_of_rest = "letter"
    else:
        kind_of_rest = kind
    while end < len(text) and _kind(text[end]) == kind_of_rest:
        end += 1
    return kind, end


def separated(text: str, connector: str) -> str:
    """A text in small letters, a connector between its words; a number belongs to the word before or after it."""
    out: list[str] = []

    def put(kind: str, word: str) -> None:
        if kind == "connector":
            out.append(connector * len(word))
        else:
            out.append("".join(go_lower(c) if _is_upper(c) else c for c in word) if kind == "upper" else word)

    def connect(kind: str) -> None:
        if kind not in ("", "connector", "mark"):
            out.append(connector)

    kind, end = _word(text, 0)
    begin = 0
    while end < len(text):
        if kind != "connector":
            put(kind, text[begin:end])
        before, last = kind, text[begin:end]
        begin = end
        kind, end = _word(text, begin)
        if before == "number":
            kind, begin, end = _joined(text, kind, begin, end, put)
            connect(kind)
        elif before == "connector":
            put(before, last)
        elif before != "mark":
            if kind != "number":
                connect(kind)
                continue
            if end >= len(text):
                continue
            number = text[begin:end]
            begin = end
            kind, end = _word(text, begin)
            if kind != "letter":
                put("number", number)
                connect(kind)
                continue
            out.append(connector)
            put("number", number)
            kind, begin, end = _joined(text, kind, begin, end, put)
            connect(kind)
    put(kind, text[begin:end])
    return "".join(out)


def _joined(text: str, kind: str, begin: int, end: int, put) -> tuple[str, int, int]:  # type: ignore[no-untyped-def]
    while kind in ("letter", "number"):
        put(kind, text[begin:end])
        begin = end
        kind, end = _word(text, begin)
    return kind, begin, end


def pascal(text: str) -> str:
    """A text without connectors between its words, each beginning with a capital; connectors in front stay."""
    at = next((i for i, c in enumerate(text) if not _connects(c)), len(text))
    if at >= len(text):
        return text
    out, rest = [text[:at]], text[at:]
    first_upper = _is_upper(rest[0])
    current = go_upper(rest[0])
    for c in rest[1:]:
        previous, current = current, c
        if _connects(current) and _connects(previous):
            out.append(previous)
            continue
        if _connects(previous):
            first_upper = _is_upper(current)
            current = go_upper(current)
            continue
        if first_upper:
            if _is_upper(current):
                current = go_lower(current)
            else:
                first_upper = False
        out.append(previous)
    return "".join([*out, current])
