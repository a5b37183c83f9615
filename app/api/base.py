"""What all views of the API share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any

from django.conf import settings
from django.db.models import QuerySet
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from app.wire.errors import Refusal
from app.wire.paging import window
from app.wire.reading import json_value, measured

FORM_OVERHEAD = 2**20  # bytes of an upload's body beside the file


class AlwaysJson(BaseContentNegotiation):
    """JSON whatever is asked for: a log or a file is no worse for an `Accept` that names only itself."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        for parser in parsers:
            if (request.content_type or "").split(";")[0].strip().lower() == parser.media_type:
                return parser
        wanted = " or ".join(parser.media_type for parser in parsers)
        raise UnsupportedMediaType(
            str(request.content_type)[:80],
            detail=f"The body's Content-Type is {str(request.content_type)[:80]!r}; it has to be {wanted}.",
        )

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class StrictJsonParser(BaseParser):
    """A JSON body in UTF-8 of limited size, with nothing in it that no database stores."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: Any = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        _within(parser_context, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        return json_value(stream.read())


class UploadParser(MultiPartParser):
    """A form with a file of limited size; its parts go to the disk while they come in."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        _within(parser_context, settings.SOURCE_MAX_BYTES + FORM_OVERHEAD)
        return super().parse(stream, media_type=media_type, parser_context=parser_context)


class View(APIView):
    """A view that speaks JSON."""

    content_negotiation_class = AlwaysJson
    parser_classes: tuple[type[BaseParser], ...] = (StrictJsonParser,)
    request: Request

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        measured(request._request)
        super().initial(request, *args, **kwargs)

    def page(
        self, found: QuerySet[Any], *, shown: Callable[[list[Any]], list[Any]], more: Mapping[str, Any] | None = None
    ) -> Response:
        """A page of a list: how many there are in all, where the others are, and the rows."""
        part, total = window(self.request._request), found.count()
        links = part.links(self.request._request, total=total)
        return Response({**(more or {}), "total": total, **links, "items": shown(list(found[part.part]))})


def _within(parser_context: Mapping[str, Any] | None, most: int) -> None:
    request = (parser_context or {})["request"]
    if int(request.META.get("CONTENT_LENGTH") or 0) > most:
        raise Refusal(413, f"The request's body is larger than the {most} bytes that this server takes.")
