"""Marks on views that the middleware reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])


def changes(view: View) -> View:
    """Say that every method of this view changes something, GET too, so that foreign pages may not call it."""
    view.changes = True  # type: ignore[attr-defined]
    return view
