"""JSON for people: names with their values, tables of what is listed, and indented text for the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.html import format_html, format_html_join

NOTHING = "-"


def readable(value: Any) -> str:
    """A value of a JSON column as HTML that is safe to show."""
    if value is None or value in ({}, [], ""):
        return NOTHING
    if isinstance(value, dict) and all(map(_is_plain, value.values())):
        rows = format_html_join(
            "", "<tr><th>{}</th><td>{}</td></tr>", ((key, plain(one)) for key, one in value.items())
        )
        return format_html("<table>{}</table>", rows)
    if isinstance(value, list) and all(map(_is_plain, value)):
        return ", ".join(map(plain, value))
    if isinstance(value, list) and all(_is_flat(one) for one in value):
        return _table(value)
    if not isinstance(value, dict | list):
        return plain(value)
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))


def plain(value: Any) -> str:
    """A number, text, truth or nothing, or a list of such, as one word: texts as they are, the rest as JSON."""
    if isinstance(value, list):
        return ", ".join(map(plain, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = format_html_join("", "<th>{}</th>", ((name,) for name in names))
    cells = (
        (format_html_join("", "<td>{}</td>", ((plain(row[name]) if name in row else "",) for name in names)),)
        for row in rows
    )
    return format_html("<table><tr>{}</tr>{}</table>", head, format_html_join("", "<tr>{}</tr>", cells))


def _is_plain(value: Any) -> bool:
    return not isinstance(value, dict) and not (
        isinstance(value, list) and any(isinstance(one, dict | list) for one in value)
    )


def _is_flat(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_plain, value.values()))
