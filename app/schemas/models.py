from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q


class Origin(models.TextChoices):
    """Where a schema came from."""

    SHIPPED = "shipped"  # with Orchestra, from schemas/*.yaml
    ADDED = "added"  # by an operator
    SENT = "sent"  # with a request to run it once; named by its content


class SchemaQuerySet(models.QuerySet["Schema"]):
    """The queries on schemas."""

    def present(self) -> SchemaQuerySet:
        """The schemas that were not removed, with their latest version."""
        return self.filter(removed_at=None).exclude(latest=None).select_related("latest").order_by("name")


class Schema(models.Model):
    """A named Argo Workflow manifest that executions are made from."""

    name = models.CharField(max_length=63)
    origin = models.CharField(max_length=7, choices=Origin.choices, default=Origin.ADDED)
    latest = models.ForeignKey("SchemaVersion", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = SchemaQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name"], condition=Q(removed_at=None), name="schema_name")
        ]

    def __str__(self) -> str:
        return self.name


class SchemaVersion(models.Model):
    """One immutable state of a schema."""

    schema = models.ForeignKey(Schema, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    manifest: models.JSONField[Any, Any] = models.JSONField(help_text="the whole Workflow")
    text = models.TextField(help_text="the YAML as it was saved")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the text, and of the inputs of a side file")
    inputs: models.JSONField[Any, Any] = models.JSONField(default=dict, help_text="JSON Schema of the arguments")
    outputs: models.JSONField[Any, Any] = models.JSONField(default=dict, help_text="parameters and artifacts by name")
    warnings: models.JSONField[Any, Any] = models.JSONField(default=list, help_text="what runs on one engine only")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["schema_id", "number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["schema", "number"], name="schema_version_number")]

    def __str__(self) -> str:
        return f"{self.schema.name} ({self.number})"
