"""Times on the wire: UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def amda(time: datetime | None) -> str | None:
    """As AMDA's contract and `metadata.json` write it: `2001-03-28T00:00:00`, no zone."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat() if time else None


def iso(time: datetime | None) -> str | None:
    """As Orchestra's own API writes it: `2001-03-28T00:00:00Z`."""
    text = amda(time)
    return f"{text}Z" if text else None
