"""Files in the artifact repository, to look at."""

from __future__ import annotations

from django.contrib import admin

from app.accounts.readonly import ReadOnlyAdmin
from app.artifacts.models import Artifact


@admin.register(Artifact)
class ArtifactAdmin(ReadOnlyAdmin):
    list_display = ("id", "key", "size", "media_type", "sha256", "created_at")
    list_filter = ("media_type", "created_at")
    search_fields = ("=id", "key", "sha256")
