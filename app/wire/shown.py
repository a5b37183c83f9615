"""Modules with what every contract shows of them, for a number of queries that does not grow with the list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.executions import services as executions
from app.modules.models import Build, BuildState, Module, Version


@dataclass(frozen=True, kw_only=True)
class ShownModule:
    """A module, the version that it runs (None until one was built), its newest version and its newest build."""

    module: Module
    default: Version | None
    latest: Version
    build: Build | None

    @property
    def described(self) -> Version:
        """The version whose metadata describe the module."""
        return self.default or self.latest

    @property
    def status(self) -> str:
        """What can be done with it: it stays `installed` while a newer version is being built, or was not built."""
        if self.default is not None and self.default.environment_id is not None:
            return "installed"
        ended_badly = self.build is not None and self.build.state in {BuildState.FAILED, BuildState.CANCELLED}
        return "error" if ended_badly else "pending"


def shown(rows: Iterable[Any]) -> list[ShownModule]:
    """What is shown of modules that `ModuleQuerySet.with_latest` found."""
    modules = list(rows)
    builds = executions.builds().in_bulk({module.build_id for module in modules} - {None})
    _catch_up(modules, builds)
    keys = {module.latest_id for module in modules} | {module.default_id for module in modules}
    versions = Version.objects.select_related("module", "environment").defer("environment__lock").in_bulk(keys - {None})
    return [
        ShownModule(
            module=module,
            default=versions.get(module.default_id),
            latest=versions[module.latest_id],
            build=builds.get(module.build_id),
        )
        for module in modules
    ]


def _catch_up(modules: list[Any], builds: dict[int, Build]) -> None:
    """Read the default versions again where a build has passed since the modules were read, as one writes both."""
    behind = {
        module.pk
        for module in modules
        if (build := builds.get(module.build_id))
        and build.state == BuildState.PASSED
        and build.version_id != module.default_id
    }
    if not behind:
        return
    now = dict(Module.objects.filter(pk__in=behind).values_list("pk", "default_id"))
    for module in modules:
        if module.pk in now:
            module.default_id = now[module.pk]
