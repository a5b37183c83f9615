"""Builds: what their nodes are given, and what becomes of them at the end. `executions` runs them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from app.engines.protocol import Grant
from app.modules import images, trees
from app.modules.environments import take, take_environment
from app.modules.faults import fault
from app.modules.interpreters import Interpreter, NoInterpreter, find
from app.modules.models import Build, BuildState, Environment, Module, Version

__all__ = [
    "NoInterpreter",
    "build_cancelled",
    "build_failed",
    "build_passed",
    "build_request",
    "build_retried",
    "environment_digest",
    "grants",
    "staging",
    "staging_prefix",
    "uv_cache",
]

# What the annotation `orchestra/grant` of the build's nodes says. No code of a package runs in a node of the first.
_CACHE, _APART, _CHECK = "build", "build-apart", "build-check"
_KNOWN_ENVIRONMENTS = 200  # the newest ones whose tried imports a build is told
_LOCATIONS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "UV_FIND_LINKS")  # variables that name files of this machine


def build_request(build: Build) -> dict[str, Any]:
    """What the build's first node reads. Also makes the build's staging folder.

    Raises `NoInterpreter`, whose text is the reason why the build failed.
    """
    version = build.version
    install = version.metadata["install"]
    interpreter = find(install["python_version"])
    staging(build).mkdir(parents=True, exist_ok=True)
    return {
        "tree": str(trees.location(version.tree_digest)),
        "executable": install["executable"],
        "requirements": sorted(install["requirements"]),
        "options": install["requirement_options"],
        "python": asdict(interpreter),
        "lock": None if build.resolve_anew else _earlier_lock(version, interpreter),
        "environments": str(settings.ENVIRONMENTS_DIR),
        "imports": _tried_imports(interpreter),
        "staging": str(staging(build)),
        "uv_cache": str(uv_cache()),
    }


def staging(build: Build) -> Path:
    """The folder that a build's nodes write to; beside uv's cache, so that hard links between the two work.

    A hard link does not cross mounts, so both lie in the one folder that nodes with the cache see as writable.
    """
    prefix = staging_prefix()
    return prefix.with_name(f"{prefix.name}{build.pk}")


def staging_prefix() -> Path:
    """What the staging folders of this installation begin with; a cache may be shared by several."""
    installation = hashlib.sha256(str(settings.VAR).encode()).hexdigest()[:8]
    return _shared() / "staging" / f"{installation}-"


def grants(build: Build) -> dict[str, Grant]:
    """What the build's nodes see beyond their own scratch folders.

    The cache, and what is linked to it, is writable only where nothing but uv runs. Nodes that run what packages bring
    see no cache at all; the one that imports sees the environment read-only, and may write its bytecode beside it.
    """
    version = build.version
    base = Path(find(version.metadata["install"]["python_version"]).base_prefix)
    environment = {name: os.environ[name] for name in settings.BUILD_ENVIRONMENT if os.environ.get(name)}
    named = [Path(environment[name]) for name in _LOCATIONS if name in environment]
    locations = [path for path in named if path.is_absolute() and path.exists()]
    environments, compiled = Path(settings.ENVIRONMENTS_DIR), staging(build) / "compiled"
    for folder in (compiled, uv_cache(), environments):
        folder.mkdir(parents=True, exist_ok=True)
    return {
        _CACHE: Grant(
            writable=[_shared()],
            readonly=[base, trees.location(version.tree_digest), environments, *locations],
            env=environment,
        ),
        _APART: Grant(readonly=[base, *locations], env=environment),
        _CHECK: Grant(writable=[compiled], readonly=[base, environments, staging(build) / "environment"]),
    }


def environment_digest(*, python_version: str, platform: str, lock: str) -> str:
    """SHA-256 over Python version, platform and locked requirements, each ended by a NUL."""
    return hashlib.sha256(f"{python_version}\0{platform}\0{lock}\0".encode()).hexdigest()


def build_passed(build: Build, *, report: Mapping[str, Any], staging: Path) -> Environment:
    """Take over what a build has made: its environment, by digest, becomes the version's, and the version the default.

    Two builds of one lock at once make one environment: the first one's is kept. A module's default only moves forward:
    a build that was asked for before one that has passed already leaves it alone. Calling it again changes nothing.
    `report` is a node's word: its digest is computed again. Raises `Faulty` if it or the staged folder is not right.
    """
    interpreter = find(build.version.metadata["install"]["python_version"])
    words = report if isinstance(report, Mapping) else {}
    lock, imports = words.get("lock"), words.get("imports")
    if not isinstance(lock, str) or not isinstance(imports, list) or not all(isinstance(one, str) for one in imports):
        raise fault("report", "the build's report is not what orchestra-build writes")
    digest = environment_digest(python_version=interpreter.version, platform=interpreter.platform, lock=lock)
    if digest != words.get("digest"):
        raise fault("report", "the build's environment is not the one that its lock makes; rebuild the module")
    location, compiled = images.location(digest), staging / "compiled"
    take_environment(staging / "environment", location, compiled=compiled, python=interpreter.path)
    if build.version.environment is not None:
        trees.touch(images.location(build.version.environment.digest))  # a run may be about to start in it
    take(staging / "bytecode", trees.bytecode_location(build.version.tree_digest, interpreter.cache_tag))
    with transaction.atomic():
        environment = _environment(digest, interpreter, lock=lock, imports=imports)
        module = Module.objects.select_for_update().get(pk=build.version.module_id)
        Version.objects.filter(pk=build.version_id).update(environment=environment)
        Build.objects.filter(pk=build.pk).exclude(state=BuildState.PASSED).update(
            state=BuildState.PASSED, message="", environment=environment, finished_at=timezone.now()
        )
        passed = Build.objects.filter(version__module=module, state=BuildState.PASSED)
        if not passed.filter(pk__gt=build.pk).exists():
            Module.objects.filter(pk=module.pk).update(default=build.version_id)
    trees.discard(staging)
    build.refresh_from_db()
    build.version.refresh_from_db()
    return environment


def build_failed(build: Build, message: str) -> None:
    """Record why a build failed; environment and default stay as they are."""
    _end(build, BuildState.FAILED, message)


def build_cancelled(build: Build) -> None:
    """Record that a build was cancelled; environment and default stay as they are."""
    _end(build, BuildState.CANCELLED, "")


def build_retried(build: Build) -> None:
    """Make a failed or cancelled build pending again, for another attempt of its execution."""
    Build.objects.filter(pk=build.pk, state__in=[BuildState.FAILED, BuildState.CANCELLED]).update(
        state=BuildState.PENDING, message="", finished_at=None
    )
    build.refresh_from_db()


def _end(build: Build, state: str, message: str) -> None:
    changed = Build.objects.pending().filter(pk=build.pk)
    if changed.update(state=state, message=message, finished_at=timezone.now()):
        trees.discard(staging(build))
    build.refresh_from_db()


def _shared() -> Path:
    return Path(settings.CACHE_DIR) / "builds"


def uv_cache() -> Path:
    """The folder of downloaded and unpacked packages."""
    return _shared() / "uv"


def _earlier_lock(version: Version, interpreter: Interpreter) -> str | None:
    """The lock that the same requirements had the last time, for the same Python on the same platform."""
    same = Version.objects.usable().filter(
        requirements_digest=version.requirements_digest,
        environment__python_version=interpreter.version,
        environment__platform=interpreter.platform,
    )
    builds = Build.objects.filter(version__in=same, state=BuildState.PASSED, environment__isnull=False)
    newest = builds.select_related("environment").order_by("-id").first()
    return newest.environment.lock if newest and newest.environment else None


def _tried_imports(interpreter: Interpreter) -> dict[str, list[str]]:
    """The imports that have passed, by the digest of the environment."""
    environments = Environment.objects.filter(python_version=interpreter.version, platform=interpreter.platform)
    return dict(environments.order_by("-id").values_list("digest", "imports")[:_KNOWN_ENVIRONMENTS])


def _environment(digest: str, interpreter: Interpreter, *, lock: str, imports: list[str]) -> Environment:
    """The environment's row, made if need be, with what was imported added."""
    environment, _ = Environment.objects.select_for_update().get_or_create(
        digest=digest,
        defaults={
            "python_version": interpreter.version,
            "platform": interpreter.platform,
            "base_prefix": interpreter.base_prefix,
            "cache_tag": interpreter.cache_tag,
            "lock": lock,
        },
    )
    environment.imports = sorted({*environment.imports, *imports})
    environment.save(update_fields=["imports"])
    return environment
