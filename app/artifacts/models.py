from __future__ import annotations

from django.db import models


class ArtifactQuerySet(models.QuerySet["Artifact"]):
    """The queries on artifacts."""

    def below(self, prefix: str) -> ArtifactQuerySet:
        """The artifacts whose key lies below a folder of the repository."""
        return self.filter(key__startswith=prefix.rstrip("/") + "/")


class Artifact(models.Model):
    """A file in the artifact repository that a node took in or gave out."""

    key = models.CharField(max_length=1024, unique=True)
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.BigIntegerField(help_text="bytes")
    media_type = models.CharField(max_length=127, default="application/octet-stream")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ArtifactQuerySet.as_manager()

    def __str__(self) -> str:
        return self.key
