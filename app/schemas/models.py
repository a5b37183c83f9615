from __future__ import annotations

from typing import Any, ClassVar

from django.db import models


class SchemaQuerySet(models.QuerySet["Schema"]):
    """The queries on schemas."""

    def present(self) -> SchemaQuerySet:
        return self.select_related("latest").order_by("name")


class Schema(models.Model):
    """A named Argo Workflow manifest that executions are made from."""

    name = models.CharField(max_length=63, unique=True)
    shipped = models.BooleanField(default=False, help_text="comes with Orchestra, from schemas/*.yaml")
    latest = models.ForeignKey("SchemaVersion", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SchemaQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class SchemaVersion(models.Model):
    """One immutable state of a schema."""

    schema = models.ForeignKey(Schema, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    manifest: models.JSONField[Any, Any] = models.JSONField(help_text="the whole Workflow")
    text = models.TextField(help_text="the YAML as it was saved")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the text")
    inputs: models.JSONField[Any, Any] = models.JSONField(default=dict, help_text="JSON Schema of the arguments")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["schema_id", "number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["schema", "number"], name="schema_version_number")]

    def __str__(self) -> str:
        return f"{self.schema.name} ({self.number})"
