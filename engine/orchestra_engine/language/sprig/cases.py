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


def _is_mark(c: str) -> bool:
    return unicodedata.category(c).startswith("P")


def _kind(c: str) -> str:
    if _connects(c):
        return "connector"
    category = unicodedata.category(c)
    if _is_mark(c):
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
    while end < len(text) and (_kind(text[end]) == kind_of_rest or (kind == "mark" and _is_mark(text[end]))):
        end += 1
    return kind, end


class _Words:
    """A text word by word, written in small letters with connectors between."""

    def __init__(self, text: str, connector: str) -> None:
        self.text, self.connector, self.out, self.end = text, connector, [""], 0
        self.next()

    def next(self) -> None:
        self.begin = self.end
        self.kind, self.end = _word(self.text, self.begin)

    def put(self, kind: str, word: str) -> None:
        if kind == "connector":
            self.out.append(self.connector * len(word))
        else:
            self.out.append("".join(go_lower(c) if _is_upper(c) else c for c in word) if kind == "upper" else word)

    def put_this(self) -> None:
        self.put(self.kind, self.text[self.begin : self.end])

    def connect(self) -> None:
        if self.kind not in ("", "connector", "mark"):
            self.out.append(self.connector)

    def put_joined(self) -> None:
        """Small letters and numbers that follow a number belong to it."""
        while self.kind in ("letter", "number"):
            self.put_this()
            self.next()
        self.connect()

    def after_word(self) -> None:
        if self.kind != "number":
            self.connect()
            return
        if self.end >= len(self.text):
            return
        number = self.text[self.begin : self.end]
        self.next()
        if self.kind == "letter":  # "HTTP2xx" is http_2xx, "Bld4Floor" is bld4_floor
            self.out.append(self.connector)
            self.put("number", number)
            self.put_joined()
        else:
            self.put("number", number)
            self.connect()

    def run(self) -> str:
        while self.end < len(self.text):
            kind, word = self.kind, self.text[self.begin : self.end]
            if kind != "connector":
                self.put_this()
            self.next()
            if kind == "number":
                self.put_joined()
            elif kind == "connector":
                self.put(kind, word)
            elif kind != "mark":
                self.after_word()
        self.put_this()
        return "".join(self.out)


def separated(text: str, connector: str) -> str:
    """A text in small letters, a connector between its words; a number belongs to the word before or after it."""
    return _Words(text, connector).run()


def pascal(text: str) -> str:
    """A text without connectors between its words, each beginning with a capital; connectors in front stay."""
    at = next((i for i, c in enumerate(text) if not _connects(c)), len(text))
    if at >= len(text):
        return text + text[-1:]  # the library writes the last one twice
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
