from __future__ import annotations

from typing import ClassVar

from django.db import models


class CatalogType(models.TextChoices):
    """What a result is; AMDA writes the long words, `metadata.json` either."""

    TT = "TT", "time table"
    CAT = "CAT", "catalog"


class Catalog(models.Model):
    """A list of intervals, with values (CAT) or without (TT), parsed from an artifact."""

    artifact = models.OneToOneField("artifacts.Artifact", on_delete=models.CASCADE, related_name="catalog")
    type = models.CharField(max_length=3, choices=CatalogType.choices)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    contact = models.CharField(max_length=255, default="CDPP")
    columns = models.JSONField(default=list, help_text="[{name, type, unit, description, ucd, size, classes…}]")
    start = models.DateTimeField(null=True, help_text="first start of an event; empty for an empty list")
    stop = models.DateTimeField(null=True, help_text="last stop of an event")
    event_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    """One interval `[start, stop)` of a catalog, with a value for each of its columns."""

    catalog = models.ForeignKey(Catalog, on_delete=models.CASCADE, related_name="events")
    position = models.PositiveIntegerField()
    start = models.DateTimeField()
    stop = models.DateTimeField()
    values = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["catalog", "position"], name="event_position")]

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%dT%H:%M:%S} {self.stop:%Y-%m-%dT%H:%M:%S}"
