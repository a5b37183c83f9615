"""What the rest of Orchestra does with modules: register, rebuild, remove, and check arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from app.engines.protocol import Fault
from app.modules import metadata as metadata_json
from app.modules import normal_form, requirements, trees
from app.modules.arguments import check, compile_schema
from app.modules.builds import (
    NoInterpreter,
    build_cancelled,
    build_failed,
    build_passed,
    build_request,
    build_retried,
    grants,
    staging,
)
from app.modules.faults import Faulty, fault
from app.modules.images import BUILDER, UnknownImage, image, resolve_image
from app.modules.models import Build, Module, SourceKind, Version
from app.modules.normal_form import Metadata
from app.modules.sources import FolderSource, Found, GitSource, Source, UploadSource, fetched

__all__ = [
    "BUILDER",
    "Fault",
    "Faulty",
    "FolderSource",
    "GitSource",
    "InUse",
    "NoInterpreter",
    "Registration",
    "Source",
    "UnknownImage",
    "UploadSource",
    "arguments",
    "build_cancelled",
    "build_failed",
    "build_passed",
    "build_request",
    "build_retried",
    "grants",
    "image",
    "rebuild",
    "register",
    "remove",
    "resolve_image",
    "set_default",
    "staging",
]

Then = Callable[[Build], object]
# Modules that Orchestra itself runs, with more rights than others: nobody else's may take their names.
SHIPPED = frozenset({"fetch"})


class InUse(Exception):
    """A module cannot be removed because something of it is live; the text says what."""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What became of one module of a source."""

    module: Module
    version: Version
    build: Build | None  # the one that has to be started now; None if nothing has to be built
    created: bool  # False if this very state of the module was there already


@dataclass(frozen=True, kw_only=True)
class _Ready:
    """A module that was fetched, found right and stored as a tree; not yet in the database."""

    found: Found
    metadata: Metadata
    tree_digest: str
    metadata_digest: str


def register(source: Source, *, allow_local: bool = True, then: Then | None = None) -> list[Registration]:
    """Fetch a source, check every module in it, and make their versions and pending builds.

    Nothing is stored unless all is right. Fetching happens outside of the transaction, which calls `then` with each
    build that has to be started. The same content again gives the version that is there: if it has an environment it
    becomes the default at once, if it has not even a pending build it gets one. Raises `Faulty` with every fault.
    """
    ready = _prepare(source, allow_local=allow_local)
    with transaction.atomic():
        registrations = [_enter(one) for one in ready]
        _start(registrations, then)
    return registrations


def rebuild(module: Module, *, then: Then | None = None) -> Registration:
    """Fetch the recorded source and ref of the newest version again, and make a new build that resolves anew.

    New content becomes a new version. An upload has no source to fetch: the version that is there is built again. The
    version in use stays the default until the build has passed. `then` is as in `register`. Raises `Faulty`.
    """
    newest = module.versions.order_by("-number").first()
    if module.removed_at or newest is None:
        raise fault("module", f"{module.name} was removed, or has no version")
    if newest.source_kind == SourceKind.UPLOAD:
        with transaction.atomic():
            registration = Registration(
                module=module, version=newest, build=_new_build(newest, anew=True), created=False
            )
            _start([registration], then)
        return registration
    [one] = _prepare(_recorded_source(newest), allow_local=True)
    if one.metadata["name"] != module.name:
        raise fault("name", f"the source's module is now called {one.metadata['name']!r}; register it as a new one")
    with transaction.atomic():
        registration = _enter(one, anew=True)
        _start([registration], then)
    return registration


@transaction.atomic
def remove(module: Module) -> None:
    """Take a module out of every list; what it made stays. Whether something of it is live, the caller checks."""
    Module.objects.filter(pk=module.pk, removed_at=None).update(removed_at=timezone.now())
    module.refresh_from_db()


@transaction.atomic
def set_default(version: Version) -> None:
    """Make a version the one that its module runs; raises `Faulty` if it has no environment."""
    if not Version.objects.usable().filter(pk=version.pk).exists():
        raise fault(
            "version", f"version {version.number} of {version.module.name} has no environment; rebuild it first"
        )
    Module.objects.filter(pk=version.module_id).update(default=version)


def arguments(version: Version, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments to run a version with, in the declared order; see `app.modules.arguments.check`."""
    return check(version.arguments_schema, given)


def _prepare(source: Source, *, allow_local: bool) -> list[_Ready]:
    faults: list[Fault] = []
    checked: list[tuple[Found, Metadata]] = []
    with fetched(source, allow_local=allow_local) as modules:
        for found in modules:
            try:
                checked.append((found, metadata_json.read(found.folder)))
            except Faulty as error:
                faults += [Fault(path=f"{found.prefix}{one.path}", message=one.message) for one in error.faults]
        names = [metadata["name"] for _, metadata in checked]
        faults += [
            Fault(
                path=f"{found.prefix}name", message=f"another module of the archive is called {metadata['name']!r} too"
            )
            for index, (found, metadata) in enumerate(checked)
            if metadata["name"] in names[:index]
        ]
        faults += [
            Fault(path=f"{found.prefix}name", message=f"{metadata['name']!r} ships with Orchestra; choose another name")
            for found, metadata in checked
            if metadata["name"] in SHIPPED and not _is_shipped(source, metadata["name"])
        ]
        if faults:
            raise Faulty(faults)
        return [
            _Ready(
                found=found,
                metadata=metadata,
                tree_digest=trees.store(found.folder),
                metadata_digest=metadata_json.digest(metadata),
            )
            for found, metadata in checked
        ]


def _is_shipped(source: Source, name: str) -> bool:
    return isinstance(source, FolderSource) and Path(source.path).resolve() == settings.BASE_DIR / "modules" / name


def _recorded_source(version: Version) -> Source:
    if version.source_kind == SourceKind.FOLDER:
        return FolderSource(version.source_url)
    return GitSource(version.source_url, ref=version.source_ref, subdirectory=version.source_subdirectory)


def _enter(ready: _Ready, *, anew: bool = False) -> Registration:
    """The rows of one module; called in a transaction. `anew` asks for a build in any case, with a new lock."""
    found, metadata = ready.found, ready.metadata
    module = _locked_module(metadata["name"])
    content = {
        "commit": found.commit,
        "tree_digest": ready.tree_digest,
        "metadata_digest": ready.metadata_digest,
    }
    if version := module.versions.filter(**content).order_by("-number").first():
        wanted = anew or (version.environment_id is None and not version.builds.pending().exists())
        build = _new_build(version, anew=anew) if wanted else None
        if version.environment_id is not None and not anew:
            module.default = version
            module.save(update_fields=["default"])
        return Registration(module=module, version=version, build=build, created=False)
    last = module.versions.aggregate(last=Max("number"))["last"] or 0
    install = metadata["install"]
    version = Version.objects.create(
        module=module,
        number=last + 1,
        label=metadata["version"],
        metadata=metadata,
        arguments_schema=compile_schema(normal_form.arguments(metadata)),
        source_kind=found.kind,
        source_url=found.url,
        source_ref=found.ref,
        source_subdirectory=found.subdirectory,
        requirements_digest=requirements.digest(
            install["requirements"], install["requirement_options"], install["python_version"]
        ),
        **content,
    )
    return Registration(module=module, version=version, build=_new_build(version, anew=anew), created=True)


def _locked_module(name: str) -> Module:
    """The module of that name, made if need be; its row is locked, so that versions are numbered one by one."""
    modules = Module.objects.select_for_update()
    if module := modules.filter(name=name, removed_at=None).first():
        return module
    try:
        with transaction.atomic():
            return Module.objects.create(name=name)
    except IntegrityError:  # somebody else registered it at the same time
        return modules.get(name=name, removed_at=None)


def _new_build(version: Version, *, anew: bool) -> Build:
    return Build.objects.create(version=version, resolve_anew=anew)


def _start(registrations: list[Registration], then: Then | None) -> None:
    for registration in registrations:
        if then is not None and registration.build is not None:
            then(registration.build)
