from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

LONG = ("manifest", "text", "inputs", "outputs", "side", "references", "warnings")  # columns that no list shows


class Origin(models.TextChoices):
    """Where a schema came from."""

    SHIPPED = "shipped"  # with Orchestra, from schemas/*.yaml
    ADDED = "added"  # by an operator
    SENT = "sent"  # with a request to run it once; named by its content


class SchemaKind(models.TextChoices):
    """What a schema's manifest is; it stays so."""

    WORKFLOW = "Workflow"
    TEMPLATE = "WorkflowTemplate"  # others refer to it by the schema's name; with an entrypoint it is run itself, too


class SchemaQuerySet(models.QuerySet["Schema"]):
    """The queries on schemas."""

    def present(self) -> SchemaQuerySet:
        """The schemas that were not removed, with their latest version."""
        return self.filter(removed_at=None).exclude(latest=None).select_related("latest").order_by("name")

    def listed(self) -> SchemaQuerySet:
        """What a list shows: without those that were sent to be run once, and without the long texts."""
        shown = self.present().exclude(origin=Origin.SENT)
        return shown.defer(*(f"latest__{name}" for name in LONG))

    def templates(self, names: Iterable[str]) -> SchemaQuerySet:
        """The WorkflowTemplates of these names that were not removed, with their latest version."""
        return self.present().filter(kind=SchemaKind.TEMPLATE, name__in=names).defer("latest__text")

    def referring(self, name: str) -> list[str]:
        """The names of the schemas whose latest version refers to the WorkflowTemplate of that name."""
        return [other for other, names in self._references() if name in names and other != name]

    def dependent(self, name: str) -> SchemaQuerySet:
        """The schemas that refer to the WorkflowTemplate of that name, also by way of others."""
        references, found, reached = self._references(), set[str](), {name}
        while reached:
            found |= reached
            reached = {other for other, names in references if reached & set(names)} - found
        return self.present().filter(name__in=found - {name})

    def _references(self) -> list[tuple[str, list[str]]]:
        named = self.present().exclude(origin=Origin.SENT)
        return list(named.values_list("name", "latest__references"))

    def sent(self, *, before: datetime) -> SchemaQuerySet:
        """The schemas that were sent to be run once, before that time."""
        return self.filter(origin=Origin.SENT, created_at__lt=before)


class Schema(models.Model):
    """A named Argo Workflow manifest that executions are made from."""

    name = models.CharField(max_length=63)
    kind = models.CharField(max_length=16, choices=SchemaKind.choices, default=SchemaKind.WORKFLOW)
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
    manifest: models.JSONField[Any, Any] = models.JSONField(help_text="the whole object")
    text = models.TextField(help_text="the YAML as it was saved")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the text, and of the inputs of a side file")
    inputs: models.JSONField[Any, Any] = models.JSONField(default=dict, help_text="JSON Schema of the arguments")
    outputs: models.JSONField[Any, Any] = models.JSONField(default=dict, help_text="parameters and artifacts by name")
    side: models.JSONField[Any, Any] = models.JSONField(
        null=True, blank=True, help_text="JSON Schemas of single inputs that came beside the text"
    )
    references: models.JSONField[Any, Any] = models.JSONField(
        default=list, help_text="names of the WorkflowTemplates that the text refers to"
    )
    warnings: models.JSONField[Any, Any] = models.JSONField(default=list, help_text="what runs on one engine only")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["schema_id", "number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["schema", "number"], name="schema_version_number")]

    def __str__(self) -> str:
        return f"{self.schema.name} ({self.number})"
