"""Plain views of other people's contracts: methods, errors, and the mark of what changes something."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.views.decorators.csrf import csrf_exempt

from app.wire.errors import Refusal, refusal, respond
from app.wire.guards import changes
from app.wire.reading import parameters

Plain = Callable[..., HttpResponseBase]


def endpoint(*methods: str, changing: bool = False) -> Callable[[Plain], Plain]:
    """Make a view answer only these methods, and every refusal in the shape of `app.wire.errors`.

    A view that changes nothing finds what a POST's body brings where a GET's query is.
    Django's CSRF token is not asked for: programs have none, and `SameOrigin` keeps foreign pages out.
    """
    allowed = sorted({*methods, "OPTIONS", *({"HEAD"} if "GET" in methods and not changing else ())})

    def decorate(view: Plain) -> Plain:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            headers = {"Allow": ", ".join(allowed)}
            if request.method == "OPTIONS":
                return HttpResponse(headers=headers)
            try:
                if request.method not in allowed:
                    message = f"{str(request.method)[:20]} is not answered here, only {headers['Allow']}."
                    raise Refusal(405, message, headers=headers)
                if request.method == "POST" and not changing:
                    request.GET = _query(parameters(request))
                return view(request, *args, **kwargs)
            except Exception as error:
                if (answer := refusal(error)) is None:
                    raise
                return respond(answer)

        exempt = csrf_exempt(guarded)
        return changes(exempt) if changing else exempt

    return decorate


def _query(given: Mapping[str, Any]) -> QueryDict:
    query = QueryDict(mutable=True)
    for name, value in given.items():
        query[name] = value if isinstance(value, str) else json.dumps(value)
    return query
