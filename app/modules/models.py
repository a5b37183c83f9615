from __future__ import annotations

from typing import Any, ClassVar

from django.db import models


class SourceKind(models.TextChoices):
    """Where a module's tree came from."""

    GIT = "git"
    FOLDER = "folder"
    UPLOAD = "upload"


class ModuleQuerySet(models.QuerySet["Module"]):
    """The queries on modules."""

    def present(self) -> ModuleQuerySet:
        """The modules that were not removed, with their default version."""
        return self.filter(removed_at=None).select_related("default__environment").order_by("id")

    def with_latest(self) -> ModuleQuerySet:
        """The modules that are there, with the keys of their newest version and build (`latest_id`, `build_id`)."""
        versions = Version.objects.filter(module=models.OuterRef("pk")).order_by("-number")
        builds = Build.objects.filter(version__module=models.OuterRef("pk")).order_by("-pk")
        return (
            self.present()
            .defer("default__environment__lock")
            .annotate(
                latest_id=models.Subquery(versions.values("pk")[:1]), build_id=models.Subquery(builds.values("pk")[:1])
            )
        )


class Module(models.Model):
    """A Python ML module that can be run: a name, its versions, and the one that runs by default."""

    name = models.CharField(max_length=100)
    default = models.ForeignKey("Version", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = ModuleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name"], condition=models.Q(removed_at=None), name="module_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Environment(models.Model):
    """A built Python environment: its digest is SHA-256 of Python version, platform and locked requirements."""

    digest = models.CharField(max_length=64, unique=True)
    python_version = models.CharField(max_length=32, help_text="of the interpreter, as 3.11.7")
    platform = models.CharField(max_length=64, help_text="as linux-x86_64")
    base_prefix = models.CharField(max_length=1024, help_text="folder of the interpreter that it was made with")
    cache_tag = models.CharField(max_length=32, help_text="of the interpreter's bytecode, as cpython-311")
    lock = models.TextField(blank=True, help_text="pinned requirements with hashes")
    imports: models.JSONField[Any, Any] = models.JSONField(
        default=list, help_text="names whose import was tried here and passed"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.digest[:12]


class Immutable(Exception):
    """Somebody tried to change what never changes."""


class VersionQuerySet(models.QuerySet["Version"]):
    """The queries on versions."""

    def update(self, **values: Any) -> int:
        """As Django's, but only what a build may set. Raises `Immutable`."""
        if fixed := set(values) - Version.CHANGEABLE:
            raise Immutable(f"a version's {', '.join(sorted(fixed))} cannot change; register a new version")
        return super().update(**values)

    def usable(self) -> VersionQuerySet:
        """The versions that a build made runnable."""
        return self.exclude(environment=None)


class Version(models.Model):
    """One immutable state of a module; only `environment` is set later, by builds that passed."""

    module = models.ForeignKey(Module, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(help_text="1, 2, … within the module")
    label = models.CharField(max_length=64, help_text="`version` of the metadata")
    metadata: models.JSONField[Any, Any] = models.JSONField(help_text="normalised metadata.json")
    arguments_schema: models.JSONField[Any, Any] = models.JSONField(help_text="JSON Schema 2020-12 of the arguments")
    source_kind = models.CharField(max_length=8, choices=SourceKind.choices)
    source_url = models.CharField(max_length=2048, blank=True, help_text="git URL, folder, or name of the upload")
    source_ref = models.CharField(max_length=255, blank=True, help_text="what was asked for: a branch, tag or commit")
    source_subdirectory = models.CharField(max_length=1024, blank=True)
    commit = models.CharField(max_length=64, blank=True, help_text="what `source_ref` was then")
    tree_digest = models.CharField(max_length=64)
    metadata_digest = models.CharField(max_length=64)
    requirements_digest = models.CharField(
        max_length=64, db_index=True, help_text="of what the lock is resolved from; equal ones share a lock"
    )
    environment = models.ForeignKey(Environment, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = VersionQuerySet.as_manager()

    CHANGEABLE: ClassVar = frozenset({"environment", "environment_id"})

    class Meta:
        ordering: ClassVar = ["module_id", "number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["module", "number"], name="version_number")]

    def __str__(self) -> str:
        return f"{self.module.name} {self.label} ({self.number})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """As Django's, but a stored version only takes a new environment. Raises `Immutable`."""
        if not self._state.adding:
            self._refuse_changes()
        super().save(*args, **kwargs)

    def _refuse_changes(self) -> None:
        stored = type(self)._base_manager.filter(pk=self.pk).values().first() or {}
        changed = {
            name
            for name, value in stored.items()
            if name not in self.CHANGEABLE and name in self.__dict__ and self.__dict__[name] != value
        }
        if changed:
            raise Immutable(f"a version's {', '.join(sorted(changed))} cannot change; register a new version")


class BuildState(models.TextChoices):
    """A build's own three ends; its running life is that of its execution."""

    PENDING = "PENDING"
    PASSED = "PASSED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class BuildQuerySet(models.QuerySet["Build"]):
    """The queries on builds."""

    def pending(self) -> BuildQuerySet:
        """The builds that have not ended."""
        return self.filter(state=BuildState.PENDING)


class Build(models.Model):
    """One making of a version's environment; `executions` runs it and reports its end here."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="builds")
    state = models.CharField(max_length=9, choices=BuildState.choices, default=BuildState.PENDING)
    message = models.TextField(blank=True)
    resolve_anew = models.BooleanField(default=False, help_text="do not reuse an earlier lock")
    environment = models.ForeignKey(Environment, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = BuildQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"build {self.pk} of {self.version}"
