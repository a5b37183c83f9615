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
    lock = models.TextField(blank=True, help_text="pinned requirements with hashes")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.digest[:12]


class VersionQuerySet(models.QuerySet["Version"]):
    """The queries on versions."""

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
    environment = models.ForeignKey(Environment, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["module_id", "number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["module", "number"], name="version_number")]

    def __str__(self) -> str:
        return f"{self.module.name} {self.label} ({self.number})"


class BuildState(models.TextChoices):
    """A build's own three ends; its running life is that of its execution."""

    PENDING = "PENDING"
    PASSED = "PASSED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class BuildQuerySet(models.QuerySet["Build"]):
    """The queries on builds."""

    def pending(self) -> BuildQuerySet:
        return self.filter(state=BuildState.PENDING)


class Build(models.Model):
    """One making of a version's environment; `executions` runs it and reports its end here."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="builds")
    state = models.CharField(max_length=9, choices=BuildState.choices, default=BuildState.PENDING)
    message = models.TextField(blank=True)
    environment = models.ForeignKey(Environment, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = BuildQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"build {self.pk} of {self.version}"
