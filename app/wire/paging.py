"""Pages of lists by limit and offset."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from app.wire.reading import whole

DEFAULT = 100
MOST = 1000


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which part of a list is asked for."""

    limit: int
    offset: int

    @property
    def part(self) -> slice:
        """The part of all rows that this page shows."""
        return slice(self.offset, self.offset + self.limit)

    def links(self, request: HttpRequest, *, total: int) -> dict[str, str | None]:
        """The addresses of the next page and the one before; None where there is none."""
        before = max(0, self.offset - self.limit)
        return {
            "next": self._link(request, self.offset + self.limit) if self.offset + self.limit < total else None,
            "previous": self._link(request, before) if self.offset else None,
        }

    def _link(self, request: HttpRequest, offset: int) -> str:
        query = request.GET.copy()
        query["limit"], query["offset"] = str(self.limit), str(offset)
        return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def window(request: HttpRequest) -> Window:
    """The window that `limit` and `offset` of a query ask for; raises `Refusal` 400."""
    limit = whole(request.GET.get("limit", str(DEFAULT)), path="limit", least=1, most=MOST)
    return Window(limit=limit, offset=whole(request.GET.get("offset", "0"), path="offset"))
