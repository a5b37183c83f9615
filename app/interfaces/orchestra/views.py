"""AMDA's contract at the root: GET as AMDA calls it, POST beside it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse

from app.executions import services as executions
from app.executions.models import Execution
from app.executions.states import State
from app.interfaces.orchestra.dialects import Dialect, New, build_log, states_of
from app.interfaces.orchestra.sources import allowed
from app.modules import services
from app.modules.models import Module
from app.wire import lookups, results
from app.wire.endpoints import endpoint
from app.wire.errors import Refusal
from app.wire.paging import Window, window
from app.wire.reading import parameters
from app.wire.shown import shown

BUILD_PARAMETERS = ("url", "ref", "subdirectory")


@endpoint("GET", "POST")
def modules(request: HttpRequest, *, dialect: Dialect) -> HttpResponseBase:
    """The list of modules."""
    rows = (dialect.module_in_list(row) for row in shown(Module.objects.with_latest()))
    return JsonResponse([row for row in rows if row is not None], safe=False)


@endpoint("GET", "POST")
def module(request: HttpRequest, *, dialect: Dialect, module_id: str) -> HttpResponseBase:
    """One module, or with `?version=` that version of it."""
    found = lookups.module(module_id, modules=Module.objects.with_latest())
    (row,) = shown([found])
    version = lookups.version(found, name) if (name := request.GET.get("version")) else row.described
    return JsonResponse(dialect.module(row, version) | {"build_log": build_log(row)})


@endpoint("GET", "POST", changing=True)
def run(request: HttpRequest, *, dialect: Dialect, module_id: str) -> HttpResponseBase:
    """Ask for a prediction; what is no start, stop or version is an argument of the module."""
    found = lookups.module(module_id)
    given = parameters(request)
    name = given.pop("version", None)
    asked = executions.request(
        module=found,
        version=lookups.version(found, str(name)) if name not in {None, ""} else None,
        start=given.pop("start", None) or None,
        stop=given.pop("stop", None) or None,
        arguments=given,
        idempotency_key=request.headers.get("Idempotency-Key"),
    )
    return JsonResponse(dialect.started(asked.execution))


@endpoint("GET", "POST")
def tasks(request: HttpRequest, *, dialect: Dialect) -> HttpResponseBase:
    """The tasks, oldest first; `status` and `module` choose, a header tells the total.

    All of them, as older clients that know no pages expect; `limit` and `offset` page.
    """
    chosen = Execution.objects.tasks()
    if status := request.GET.get("status"):
        if not (states := states_of(status, dialect)):
            words = ", ".join(dict.fromkeys([*dialect.statuses.values(), *State.values]))
            raise Refusal(400, f"status is one of {words}, not {status[:80]!r}.")
        chosen = chosen.filter(state__in=states)
    if name := request.GET.get("module"):
        chosen = chosen.filter(version__module=lookups.module(name))
    total = chosen.count()
    paged = "limit" in request.GET or "offset" in request.GET
    page = window(request) if paged else Window(limit=max(total, 1), offset=0)
    links = page.links(request, total=total)
    headers = {"Orchestra-Total": str(total)}
    if link := ", ".join(f'<{address}>; rel="{relation}"' for relation, address in links.items() if address):
        headers["Link"] = link
    rows = [dialect.task_in_list(execution) for execution in chosen.prefetch_related("artifacts")[page.part]]
    return JsonResponse(rows, safe=False, headers=headers)


@endpoint("GET", "POST")
def task(request: HttpRequest, *, dialect: Dialect, task_id: str) -> HttpResponseBase:
    """One task."""
    return JsonResponse(dialect.task(lookups.execution(task_id, what="task", tasks=True)))


@endpoint("GET", "POST")
def output(request: HttpRequest, *, dialect: Dialect, task_id: str) -> HttpResponseBase:
    """The file that the module declared; `?name=` any other; the old dialect zips several."""
    found = lookups.execution(task_id, what="task", tasks=True)
    everything = not isinstance(dialect, New) or "all" in request.GET
    try:
        return results.output(request, found, everything=everything, what="task")
    except Refusal as answer:
        answer.more["status"] = dialect.statuses[State(found.state)]
        raise


@endpoint("GET", "POST", changing=True)
def kill(request: HttpRequest, *, dialect: Dialect, task_id: str) -> HttpResponseBase:
    """Cancel a task; of one that has ended nothing changes, and the answer tells its status."""
    return JsonResponse(dialect.killed(executions.cancel(lookups.execution(task_id, what="task", tasks=True))))


@endpoint("GET", "POST", changing=True)
def build(request: HttpRequest) -> HttpResponseBase:
    """Register what a git URL holds and start building it; by GET only URLs that the operator allows."""
    given = parameters(request)
    if unknown := set(given) - set(BUILD_PARAMETERS):
        raise Refusal(400, f"/build takes {', '.join(BUILD_PARAMETERS)}, not {', '.join(sorted(unknown))[:200]}.")
    if any(not isinstance(value, str) for value in given.values()) or not given.get("url"):
        raise Refusal(400, "/build needs url, the address of a git repository.")
    if request.method == "GET" and not allowed(given["url"], settings.BUILD_URLS):
        raise Refusal(403, "GET /build takes only URLs that the operator allows (ORCHESTRA_BUILD_URLS); use POST.")
    source = services.GitSource(url=given["url"], ref=given.get("ref", ""), subdirectory=given.get("subdirectory", ""))
    return _built(executions.register(source, allow_local=settings.SOURCE_LOCAL))


@endpoint("GET", "POST", changing=True)
def rebuild(request: HttpRequest, *, module_id: str) -> HttpResponseBase:
    """Fetch a module's source again and build it anew; the version in use stays until that has passed."""
    return _built([executions.rebuild(lookups.module(module_id))])


def _built(registrations: list[services.Registration]) -> HttpResponseBase:
    """NEW's answer to a build; the build itself goes on after it."""
    started = [registration for registration in registrations if registration.build is not None]
    names = ", ".join(f"{registration.module.name} {registration.version.label}" for registration in registrations)
    if started:
        data = {"data": f"The module is registered and being built: {names}", "type": "INFO"}
    else:
        data = {"data": f"The module already exists: {names}", "type": "WARNING"}
    rows: list[dict[str, Any]] = [
        {
            "id": registration.module.pk,
            "name": registration.module.name,
            "version": registration.version.label,
            "commit": registration.version.commit,
            "build": registration.build.pk if registration.build else None,
        }
        for registration in registrations
    ]
    return JsonResponse(data | {"modules": rows})
