"""AMDA's contract: plural paths in the new dialect, singular ones in the old, a slash at the end or none."""

from __future__ import annotations

from django.urls import URLPattern, re_path

from app.interfaces.orchestra import views
from app.interfaces.orchestra.dialects import Dialect, New, Old

MODULE, TASK = r"(?P<module_id>[^/]+)", r"(?P<task_id>[^/]+)"


def _in(dialect: Dialect, modules: str, tasks: str) -> list[URLPattern]:
    speaking = {"dialect": dialect}
    return [
        re_path(rf"^{modules}/?$", views.modules, speaking),
        re_path(rf"^{modules}/{MODULE}/?$", views.module, speaking),
        re_path(rf"^{modules}/{MODULE}/run/?$", views.run, speaking),
        re_path(rf"^{tasks}/?$", views.tasks, speaking),
        re_path(rf"^{tasks}/{TASK}/?$", views.task, speaking),
        re_path(rf"^{tasks}/{TASK}/output/?$", views.output, speaking),
        re_path(rf"^{tasks}/{TASK}/kill/?$", views.kill, speaking),
    ]


urlpatterns = [
    *_in(New(), "modules", "tasks"),
    *_in(Old(), "module", "task"),
    re_path(r"^build/?$", views.build),
    re_path(rf"^rebuild/{MODULE}/?$", views.rebuild),
]
