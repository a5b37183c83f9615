"""Every route for programs that the server has, found in its URL configuration, with what it takes to call it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver

METHODS = {
    "index": ("GET",),
    "/modules": ("GET", "POST"),
    "/modules/{}": ("GET", "POST"),
    "/modules/{}/run": ("GET", "POST"),
    "/tasks": ("GET", "POST"),
    "/tasks/{}": ("GET", "POST"),
    "/tasks/{}/output": ("GET", "POST"),
    "/tasks/{}/kill": ("GET", "POST"),
    "/build": ("GET", "POST"),
    "/rebuild/{}": ("GET", "POST"),
    "/api/v1": ("GET",),
    "/api/v1/modules": ("GET", "POST"),
    "/api/v1/modules/{}": ("GET", "DELETE"),
    "/api/v1/modules/{}/versions": ("GET",),
    "/api/v1/modules/{}/default": ("PUT",),
    "/api/v1/modules/{}/builds": ("POST",),
    "/api/v1/modules/{}/executions": ("POST",),
    "/api/v1/builds/{}": ("GET",),
    "/api/v1/schemas": ("GET", "POST"),
    "/api/v1/schemas/{}": ("GET", "DELETE"),
    "/api/v1/schemas/{}/versions": ("GET",),
    "/api/v1/schemas/{}/executions": ("POST",),
    "/api/v1/executions": ("GET", "POST"),
    "/api/v1/executions/{}": ("GET",),
    "/api/v1/executions/{}/cancel": ("POST",),
    "/api/v1/executions/{}/resume": ("POST",),
    "/api/v1/executions/{}/retry": ("POST",),
    "/api/v1/executions/{}/resubmit": ("POST",),
    "/api/v1/executions/{}/log": ("GET",),
    "/api/v1/executions/{}/artifacts": ("GET",),
    "/api/v1/executions/{}/artifacts/{}": ("GET",),
    "/api/v1/executions/{}/output": ("GET",),
    "/api/v1/executions/{}/catalog": ("GET",),
    "/api/v1/metadata-schema": ("GET",),
    "/api/v1/health": ("GET",),
    "/api/v1/ready": ("GET",),
}
CHANGING = ("/modules/{}/run", "/tasks/{}/kill", "/build", "/rebuild/{}")  # by GET too


@dataclass(frozen=True)
class Route:
    """A path with `{}` for what names something, and the methods that it answers."""

    path: str
    methods: tuple[str, ...]

    def of(self, *names: object) -> str:
        """The path of something; the last name stands for all that are missing."""
        wanted = self.path.count("{}")
        return self.path.format(*(names[min(place, len(names) - 1)] for place in range(wanted)))

    def changes(self, method: str) -> bool:
        return method not in {"GET", "HEAD"} or _plural(self.path) in CHANGING


def _plural(path: str) -> str:
    return re.sub(r"^/(module|task)(?=/|$)", r"/\1s", path)


def routes() -> list[Route]:
    """All but the pages for people; fails for a route that `METHODS` does not know."""
    found = []
    for path in sorted(_paths(get_resolver().url_patterns, "/")):
        if not path.startswith(("/admin", "/favicon.ico")):
            found.append(Route(path, METHODS["index" if path == "/" else _plural(path)]))
    return found


def _paths(patterns: list[URLPattern | URLResolver], prefix: str) -> list[str]:
    paths: list[str] = []
    for pattern in patterns:
        text = re.sub(r"\(\?P<\w+>\[\^/\]\+\)", "{}", str(pattern.pattern).removeprefix("^").removesuffix("/?$"))
        if isinstance(pattern, URLResolver):
            paths += _paths(pattern.url_patterns, prefix + text) if "admin" not in text else []
        else:
            paths.append(prefix + text)
    return paths
